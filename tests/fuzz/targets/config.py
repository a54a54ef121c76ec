"""Any text is a configuration that can be run by, or breaks a rule."""

from pathlib import Path

from chimera_router.errors import ConfigError
from chimera_router.settings import PoolSettings, parse

_BASE = Path("/config")


def run(data: bytes) -> None:
    try:
        found = parse(data.decode(errors="surrogateescape"), base=_BASE)
    except ConfigError:
        return
    assert isinstance(found, PoolSettings)
    assert found.models
