"""Values that follow their files."""

import asyncio
from pathlib import Path

import pytest

from chimera_router.errors import ConfigError
from chimera_router.following import Followed

pytestmark = pytest.mark.anyio


def joined(*contents: bytes) -> str:
    """Make a value; `bad` breaks a rule."""
    if b"bad" in contents:
        raise ConfigError("must not be bad")
    return b" ".join(contents).decode()


class Case:
    """Two files, what was made of them, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.first, self.second = folder / "first", folder / "second"
        self.first.write_bytes(b"one")
        self.second.write_bytes(b"two")
        self.told: list[str] = []
        self.followed = Followed(
            "the pair", (self.first, self.second), make=joined, told=lambda it: self.told.append(str(it))
        )

    async def looks(self, count: int = 2) -> str:
        for _ in range(count):
            await self.followed.look()
        return self.followed.value


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


async def test_first_value_is_there_at_once(case: Case) -> None:
    """The value is made before anybody looks again, and nobody is told of it."""
    assert (case.followed.value, await case.looks(3), case.told) == ("one two", "one two", [])


async def test_new_contents_are_applied_once_they_stay(case: Case) -> None:
    """The second look that finds the same applies it, once."""
    case.first.write_bytes(b"three")

    assert await case.looks(1) == "one two"
    assert await case.looks(1) == "three two"
    await case.looks(3)
    assert case.told == ["three two"]


async def test_half_written_files_are_left_alone(case: Case) -> None:
    """Where one of the files comes a look later than the other, what stood between is never taken."""
    case.first.write_bytes(b"bad")
    await case.looks(1)
    case.first.write_bytes(b"five")
    case.second.write_bytes(b"six")

    assert await case.looks() == "five six"
    assert case.told == ["five six"]


async def test_broken_rule_keeps_the_old_value(case: Case) -> None:
    """What breaks a rule is told once, with the files and the rule, and changes nothing; what mends it is applied."""
    case.second.write_bytes(b"bad")

    assert await case.looks(4) == "one two"
    assert case.told == ["the pair: must not be bad"]
    case.second.write_bytes(b"good")
    assert await case.looks() == "one good"


async def test_file_that_is_gone_keeps_the_old_value(case: Case) -> None:
    """A file that cannot be read is told with its name, once; when it is back it is followed again."""
    case.first.unlink()

    assert await case.looks(4) == "one two"
    assert case.told == [f"{case.first}: cannot be read (FileNotFoundError)"]
    case.first.write_bytes(b"back")
    assert await case.looks() == "back two"


async def test_moved_link_is_followed(tmp_path: Path) -> None:
    """A Secret that a kubelet swaps, by moving the link `..data`, is one change."""
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "file").write_text(version)
    data, file = tmp_path / "..data", tmp_path / "file"
    data.symlink_to("v1")
    file.symlink_to("..data/file")
    followed = Followed("secret", (file,), make=joined, told=lambda _: None)

    (tmp_path / "..next").symlink_to("v2")
    (tmp_path / "..next").rename(data)
    await followed.look()
    await followed.look()

    assert followed.value == "v2"


def test_first_contents_must_keep_the_rules(tmp_path: Path) -> None:
    """At the start a file that is missing or breaks a rule is an error that names it."""
    file = tmp_path / "file"
    with pytest.raises(ConfigError, match="file: cannot be read"):
        Followed("secret", (file,), make=joined, told=lambda _: None)
    file.write_bytes(b"bad")
    with pytest.raises(ConfigError, match="secret: must not be bad"):
        Followed("secret", (file,), make=joined, told=lambda _: None)


async def test_it_looks_for_ever(tmp_path: Path) -> None:
    """While it runs, changes are applied without being asked for."""
    file, told = tmp_path / "file", asyncio.Event()
    file.write_bytes(b"old")
    followed = Followed("secret", (file,), make=joined, told=lambda _: told.set())
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = group.create_task(followed.run(every=0.001))

        file.write_bytes(b"new")
        await told.wait()
        running.cancel()

    assert followed.value == "new"
