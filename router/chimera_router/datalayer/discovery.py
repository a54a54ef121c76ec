"""Find endpoints in a file, and follow its changes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from ipaddress import ip_address
from pathlib import Path

import msgspec
from watchfiles import awatch

from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.membership import Standing
from chimera_router.errors import ConfigError
from chimera_router.scheduling.types import Endpoint

_POLL_MS = 200  # milliseconds between looks where the file system sends no events, as on a mounted ConfigMap


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    address: str
    model: str


class _File(msgspec.Struct, forbid_unknown_fields=True):
    endpoints: list[_Entry]


class FileEndpoints:
    """The endpoints that a file lists.

    Args:
        path: Of the file.
        datastore: Takes each new list, whole.
        reloaded: Called after each change of the file; with the error where the list was refused and the old one stays.
    """

    synced = True  # the file was read before anything is served
    age = 0.0  # seconds; what is in the file holds

    def __init__(self, path: Path, datastore: Datastore, *, reloaded: Callable[[ConfigError | None], None]) -> None:
        self._path = path
        self._datastore = datastore
        self._reloaded = reloaded
        self._models: Collection[str] = ()
        self.counts: Mapping[Standing, int] = {}

    async def prepare(self, models: Collection[str]) -> Callable[[], None]:
        """Return what publishes the endpoints of these models, from now on; until it is called nothing changes.

        Raises:
            ConfigError: The file cannot be read or breaks a rule; the text names it and the rule.
        """
        endpoints = await asyncio.to_thread(read, self._path, models=models)

        def take() -> None:
            self._models = models
            self.counts = {Standing.ENDPOINT: len(endpoints)}
            self._datastore.replace(endpoints)

        return take

    async def run(self) -> None:
        """Take the new list whenever the file changes, until cancelled; an invalid one changes nothing."""
        async for _ in changes(self._path):
            try:
                (await self.prepare(self._models))()
            except ConfigError as error:
                self._reloaded(error)
            else:
                self._reloaded(None)


def parse(text: str, *, models: Collection[str]) -> tuple[Endpoint, ...]:
    """Return the endpoints in a YAML or JSON document `endpoints: [{name, address, model}]`.

    Raises:
        ConfigError: It breaks a rule; the text names the place and the rule.
    """
    try:
        entries = msgspec.yaml.decode(text, type=_File).endpoints
    except msgspec.MsgspecError as error:
        raise ConfigError(f"not a list of endpoints: {error}") from None
    _check(entries, models)
    return tuple(Endpoint(name=entry.name, address=entry.address, model=entry.model) for entry in entries)


def read(path: Path, *, models: Collection[str]) -> tuple[Endpoint, ...]:
    """Return the endpoints in a file.

    Raises:
        ConfigError: The file cannot be read or breaks a rule; the text names it and the rule.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), models=models)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({type(error).__name__})") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


async def changes(path: Path) -> AsyncIterator[None]:
    """Yield each time the file may have changed: written in place, replaced, or its link moved."""
    name = path.name
    async for changed in awatch(path.parent, poll_delay_ms=_POLL_MS, recursive=False):
        if any(Path(file).name in {name, "..data"} for _, file in changed):
            yield


def _check(entries: list[_Entry], models: Collection[str]) -> None:
    for index, entry in enumerate(entries):
        place = f"endpoints[{index}]"
        if entry.model not in models:
            raise ConfigError(f"{place}.model: names no model of the pool")
        if not _is_address(entry.address):
            raise ConfigError(f"{place}.address: must be ip:port, IPv6 in brackets")
    for field in ("name", "address"):
        if len({getattr(entry, field) for entry in entries}) != len(entries):
            raise ConfigError(f"endpoints: every {field} must be unique")


def _is_address(address: str) -> bool:
    host, _, port = address.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        return False
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        return bracketed == (ip_address(host.strip("[]")).version == 6)
    except ValueError:
        return False
