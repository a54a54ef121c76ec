"""How callers are known: as told, or the safe way where nothing was told. Pure."""

from enum import StrEnum
from ipaddress import ip_address

from chimera_router.errors import ConfigError


class Mode(StrEnum):
    """How callers of the management pages are known."""

    NONE = "none"
    TOKEN_FILE = "token-file"  # noqa: S105 - a mode's name
    KUBERNETES = "kubernetes"


def choose(told: Mode | None, *, token_file: bool, host: str, in_pod: bool) -> Mode:
    """Return how callers are known.

    Nobody is let in because a flag was forgotten: without one, pages are open only where no other machine reaches them.

    Args:
        told: The mode asked for; None where none was.
        token_file: Whether a file of tokens was given.
        host: The address that the pages are bound to.
        in_pod: Whether this process runs in a Kubernetes pod.

    Raises:
        ConfigError: What was told contradicts itself, or no mode is safe.
    """
    mode = told or _safe(token_file=token_file, host=host, in_pod=in_pod)
    if token_file != (mode is Mode.TOKEN_FILE):
        raise ConfigError("--management-auth token-file and --management-token-file FILE go together")
    return mode


def _safe(*, token_file: bool, host: str, in_pod: bool) -> Mode:
    if token_file:
        return Mode.TOKEN_FILE
    if _is_loopback(host):
        return Mode.NONE
    if in_pod:
        return Mode.KUBERNETES
    raise ConfigError(
        f"--host {host}: other machines reach the management pages; give --management-token-file FILE, "
        "--management-auth kubernetes, or --management-auth none to let everybody in"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
