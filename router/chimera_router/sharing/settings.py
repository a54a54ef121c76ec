"""How workflows are shared, as the process was told: an address by flag, what is secret by environment or file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chimera_router.errors import ConfigError

FLAG = "--shared-workflows"
PASSWORD = "CHIMERA_REDIS_PASSWORD"  # noqa: S105 - the name of a variable
SECRET = "CHIMERA_WORKFLOW_SECRET"  # noqa: S105 - same
FILE = "_FILE"  # after a name: the variable names a file that holds the value, as Kubernetes mounts secrets

SHORTEST_SECRET = 16  # characters; of random ones nobody can try all

_SCHEMES = frozenset(("redis", "rediss"))
_RULE = "must be redis://host:port/database, or rediss:// for TLS"

DEADLINE = 0.005
"""Seconds that a request waits for a look-up: ten round trips and more inside a cluster, and as much as a decision may
take without it. To go on without an answer costs a later stage its place, which is the prefill of its whole prompt
again: tens of milliseconds to seconds. Only the first few requests of an absence wait so long in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingSettings:
    """A server and how to use it.

    Attributes:
        url: `redis://` or `rediss://`, with host and maybe user, port and database.
        password: None where the server asks for none.
        secret: The same for all pickers of the pool; names on the server are keyed with it, values encrypted.
        deadline: Seconds that a request waits for a look-up.
    """

    url: str
    password: str | None
    secret: bytes
    deadline: float = DEADLINE


def read(url: str, environment: Mapping[str, str], *, deadline: float) -> SharingSettings:
    """Return the settings of this process.

    Raises:
        ConfigError: The URL breaks a rule, or the secret is missing, too short or cannot be read.
    """
    _check(url)
    secret = _value(environment, SECRET) or ""
    if len(secret) < SHORTEST_SECRET:
        raise ConfigError(f"{SECRET}: {FLAG} needs one, of {SHORTEST_SECRET} characters or more, equal in all pickers")
    return SharingSettings(url=url, password=_value(environment, PASSWORD), secret=secret.encode(), deadline=deadline)


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        server = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ConfigError(f"{FLAG}: {_RULE}") from None
    database = parts.path.removeprefix("/")
    if not server or parts.query or parts.fragment or not (database.isdecimal() or not database):
        raise ConfigError(f"{FLAG}: {_RULE}")
    if parts.password is not None:
        raise ConfigError(f"{FLAG}: a password must not be in the URL, where all can read it, but in {PASSWORD}")


def _value(environment: Mapping[str, str], name: str) -> str | None:
    """Return the value of a variable, or what is in the file that it names; None where neither is there."""
    path = environment.get(name + FILE)
    if path is None:
        return environment.get(name)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}{FILE}: cannot be read ({type(error).__name__})") from error
