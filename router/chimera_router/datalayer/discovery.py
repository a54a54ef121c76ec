"""Find endpoints in a file, and follow its changes."""

from collections.abc import AsyncIterator, Collection
from ipaddress import ip_address
from pathlib import Path

import msgspec
from watchfiles import awatch

from chimera_router.errors import ConfigError
from chimera_router.scheduling.types import Endpoint

_POLL_MS = 200  # milliseconds between looks where the file system sends no events, as on a mounted ConfigMap


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    address: str
    model: str


class _File(msgspec.Struct, forbid_unknown_fields=True):
    endpoints: list[_Entry]


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
