"""What is built from Go modules is built once, and is found whole or not at all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import go_programs
import pytest


class Slow:
    """A recipe that writes two files, the second one when it is told to."""

    def __init__(self) -> None:
        self.made, self.started, self.go_on = 0, Event(), Event()

    def __repr__(self) -> str:
        return "Slow()"

    def make(self, module: Path, target: Path) -> None:
        self.made += 1
        (target / "first").write_text((module / "go.mod").read_text())
        self.started.set()
        assert self.go_on.wait(10)
        (target / "second").touch()


class Broken:
    """A recipe that ends in the middle."""

    def make(self, _module: Path, target: Path) -> None:
        (target / "first").touch()
        raise RuntimeError("no compiler")


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """Return the one recipe that there is."""
    module = tmp_path / "go" / "thing"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module thing")
    recipe = Slow()
    monkeypatch.setattr(go_programs, "MODULES", tmp_path / "go")
    monkeypatch.setattr(go_programs, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(go_programs, "RECIPES", {"thing": recipe})
    yield recipe
    recipe.go_on.set()


def test_two_who_build_at_once_build_once(slow: Slow) -> None:
    """The second one waits and finds what the first one made; until then nothing is there."""
    with ThreadPoolExecutor() as pool:
        builds = [pool.submit(go_programs.build, "thing") for _ in range(2)]
        assert slow.started.wait(10)
        assert not go_programs.folder("thing").exists()
        slow.go_on.set()
        first, second = (build.result(10) for build in builds)

    assert (slow.made, first) == (1, second)
    assert sorted(path.name for path in first.iterdir()) == ["first", "second"]


def test_build_that_fails_leaves_nothing(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failed build left behind is neither found nor in the way of the next one."""
    monkeypatch.setattr(go_programs, "RECIPES", {"thing": Broken()})
    with pytest.raises(RuntimeError, match="no compiler"):
        go_programs.build("thing")
    assert not go_programs.folder("thing").exists()

    monkeypatch.setattr(go_programs, "RECIPES", {"thing": slow})
    slow.go_on.set()

    assert (go_programs.build("thing") / "second").exists()


def test_other_sources_are_another_thing(slow: Slow, tmp_path: Path) -> None:
    """A module that changes is built anew, beside the old one."""
    slow.go_on.set()
    old = go_programs.build("thing")
    (tmp_path / "go" / "thing" / "go.mod").write_text("module other")

    new = go_programs.build("thing")

    assert old.exists()
    assert (new / "first").read_text() == "module other"
