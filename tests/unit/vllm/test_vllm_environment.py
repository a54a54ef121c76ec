"""Where vLLM is installed, and what is said where it cannot be."""

import re
from pathlib import Path

import pytest

from chimera_operator.rendering.profiles import PROFILES
from chimera_vllm import __main__ as command
from chimera_vllm import environment, site


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a cache of its own."""
    monkeypatch.setattr(environment, "HOME", tmp_path)
    return tmp_path


def test_nothing_is_found_before_it_is_prepared() -> None:
    """So suites can say what to run."""
    assert site.found() is None


def test_the_version_is_the_locked_one_and_has_a_profile() -> None:
    """Three places name it."""
    assert f"\nvllm-cpu=={environment.VERSION} " in f"\n{environment.LOCK.read_text()}"
    assert f"vllm-{environment.VERSION.rpartition('.')[0]}" in {profile.name for profile in PROFILES["VLLM"]}


def test_every_package_is_pinned_with_its_digests() -> None:
    """No index is named, and none is resolved."""
    text = environment.LOCK.read_text()
    packages = re.findall(r"^[a-z0-9-]+.*$", text, re.MULTILINE)

    assert len(packages) > 100
    assert all(re.match(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==", package) for package in packages)
    assert text.count("--hash=sha256:") > len(packages)
    assert "://" not in text


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how much is free and how much is needed, and nothing was begun."""
    monkeypatch.setattr(environment, "FREE_BYTES", 10**18)

    assert command.main() == 1
    said = capsys.readouterr().err
    assert re.fullmatch(r"chimera_vllm: .* has [0-9.]+ GB free, and vLLM needs 1000000000\n", said)
    assert not environment.place().exists()


def test_another_kind_of_machine_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no package for it."""
    monkeypatch.setattr("platform.machine", lambda: "riscv64")

    assert command.main() == 1
    assert capsys.readouterr().err == "chimera_vllm: vLLM 0.32.0 for CPUs is a package for Linux on x86_64 only\n"


def test_packages_that_cannot_be_had_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The installer has the word; half an environment is not taken for a whole one."""
    installer = tmp_path / "uv"
    installer.write_text("#!/bin/sh\necho 'error: no such package' >&2\necho 'hint: none' >&2\nexit 1\n")
    installer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert command.main() == 1
    assert capsys.readouterr().err == "chimera_vllm: vLLM cannot be installed: error: no such package hint: none\n"
    assert environment.found() is None


def test_only_the_environment_in_use_stays(home: Path) -> None:
    """Of another branch, say, however lately that one was made: each takes 6 GB."""
    mine, other = environment.place(), home / "vllm" / "env-another"
    for folder in (mine, other):
        folder.mkdir(parents=True)
        (folder / "whole").touch()

    assert environment.prepared() == mine
    assert [path.name for path in (home / "vllm").iterdir() if path.is_dir()] == [mine.name]
