"""What can go wrong when a pool runs on one machine, each in one sentence for people."""


class LocalError(Exception):
    """The pool cannot run on this machine."""


class BadInputError(LocalError):
    """What was asked for cannot be done, on this machine or on any."""


class PoolFileError(BadInputError):
    """The pool file cannot be read or breaks a rule; one line that begins with its path."""


class PortInUse(BadInputError):  # noqa: N818 - the field's name for it
    """Somebody else listens there."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is in use")


class NotReady(LocalError):  # noqa: N818 - the field's name for it
    """A program did not come up.

    Args:
        reason: Which one, and what became of it.
        said: The last lines of its log.
    """

    def __init__(self, reason: str, *, said: str) -> None:
        super().__init__(f"{reason}: {said}" if said else reason)
