"""How much of requests that are still being read one picker may hold."""

from dataclasses import dataclass

from chimera_router.errors import Overloaded
from chimera_router.parsing.limits import Limits
from chimera_router.scheduling.types import DropReason

RETRY_AFTER = 1  # seconds; bodies are read in far less


@dataclass(slots=True)
class Intake:
    """The bodies that are being read, over all streams. One owner: the event loop.

    A stream takes its place before the first byte of its body is kept, so that a flood is refused and not stored.

    Attributes:
        requests: Whose bodies are being read.
        bytes: Kept of them.
    """

    requests: int = 0
    bytes: int = 0

    def begin(self, limits: Limits) -> None:
        """Take a place.

        Raises:
            Overloaded: There is none.
        """
        if self.requests >= limits.max_reading:
            raise Overloaded(reason=DropReason.PICKER_FULL, retry_after=RETRY_AFTER)
        self.requests += 1

    def add(self, size: int, limits: Limits) -> None:
        """Keep so many bytes more.

        Raises:
            Overloaded: There is no room for them.
        """
        if self.bytes + size > limits.max_reading_bytes:
            raise Overloaded(reason=DropReason.PICKER_FULL, retry_after=RETRY_AFTER)
        self.bytes += size

    def end(self, size: int) -> None:
        """Give back a place and the bytes kept with it."""
        self.requests -= 1
        self.bytes -= size
