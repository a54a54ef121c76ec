"""What is built from Go modules is built once, and is found whole or not at all."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from chimera_cluster.programs.catalog import CONTROL_PLANE, NODE, PEERS, PROGRAMS, Catalog
from chimera_cluster.programs.recipes import Recipe

Workshop = Callable[[Recipe], Catalog]


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

    def __repr__(self) -> str:
        return "Slow()"


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Return a catalogue of one thing, made as told."""
    module = tmp_path / "go" / "thing"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module thing")
    return lambda recipe: Catalog(modules=tmp_path / "go", made=tmp_path / "made", recipes={"thing": (recipe,)})


@pytest.fixture
def slow() -> Iterator[Slow]:
    recipe = Slow()
    yield recipe
    recipe.go_on.set()


def test_two_who_build_at_once_build_once(workshop: Workshop, slow: Slow) -> None:
    """The second one waits and finds what the first one made; until then nothing is there."""
    catalog = workshop(slow)
    with ThreadPoolExecutor() as pool:
        builds = [pool.submit(catalog.build, "thing") for _ in range(2)]
        assert slow.started.wait(10)
        assert catalog.missing(["thing"]) == ["thing"]
        slow.go_on.set()
        first, second = (build.result(10) for build in builds)

    assert (slow.made, first) == (1, second)
    assert sorted(path.name for path in first.iterdir()) == ["first", "second"]


def test_build_that_fails_leaves_nothing(workshop: Workshop, slow: Slow) -> None:
    """What a failed build left behind is neither found nor in the way of the next one."""
    with pytest.raises(RuntimeError, match="no compiler"):
        workshop(Broken()).build("thing")
    assert not workshop(slow).folder("thing").exists()
    slow.go_on.set()

    assert (workshop(slow).build("thing") / "second").exists()


def test_other_sources_are_another_thing(workshop: Workshop, slow: Slow, tmp_path: Path) -> None:
    """A module that changes is built anew, beside the old one."""
    slow.go_on.set()
    catalog = workshop(slow)
    old = catalog.build("thing")
    (tmp_path / "go" / "thing" / "go.mod").write_text("module other")

    new = catalog.build("thing")

    assert old.exists()
    assert (new / "first").read_text() == "module other"


def test_what_is_missing_is_announced(workshop: Workshop, slow: Slow, capsys: pytest.CaptureFixture[str]) -> None:
    """A line says what was built, in how many seconds, and where it is; the second time there is nothing to say."""
    slow.go_on.set()
    catalog = workshop(slow)

    catalog.build_all(["thing"])
    said = capsys.readouterr().out
    catalog.build_all(["thing"])

    assert said.split()[0] == "thing"
    assert said.split()[2:] == ["s", str(catalog.folder("thing"))]
    assert capsys.readouterr().out == ""


def test_each_thing_has_its_module() -> None:
    """The catalogue and the folders of modules name the same things, and the sets that are built name no others."""
    modules = {path.name for path in PROGRAMS.modules.iterdir()}

    assert set(PROGRAMS.recipes) == modules
    assert {*CONTROL_PLANE, *NODE, *PEERS} <= modules
