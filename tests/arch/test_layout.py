"""Rules of the tree that no import can show."""

import operator
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_operator_folder_never_shadows_the_standard_library() -> None:
    """`operator/` is a folder, not a package: an __init__.py in it would break every import of the standard module."""
    assert Path(operator.__file__).name == "operator.py"
    assert not (ROOT / "operator" / "__init__.py").exists()


def test_folders_of_packages_are_not_packages() -> None:
    """Neither the folders that hold packages nor the tests are importable."""
    folders = ["router", "operator", "proto", "e2e", "tests"]

    assert [name for name in folders if (ROOT / name / "__init__.py").exists()] == []


def test_generated_code_is_current() -> None:
    """What is checked in under chimera_proto is what the .proto files say."""
    checked = subprocess.run([sys.executable, ROOT / "proto" / "generate.py", "--check"], check=False)

    assert checked.returncode == 0


def test_manifests_are_current() -> None:
    """The definitions and their reference are what the resource types say."""
    checked = subprocess.run([sys.executable, ROOT / "manifests" / "generate.py", "--check"], check=False)

    assert checked.returncode == 0


def test_locks_name_no_index() -> None:
    """Locked pins carry hashes and no address of any index."""
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index" not in text


def test_modules_keep_their_size() -> None:
    """A module over 400 lines holds more than one subject."""
    sources = [path for folder in ("router", "operator", "e2e") for path in (ROOT / folder).rglob("*.py")]

    assert [str(path) for path in sources if len(path.read_text().splitlines()) > 400] == []
