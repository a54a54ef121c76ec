"""How much a peer may ask for that costs more to serve than to send."""

from dataclasses import dataclass

from chimera_router.extproc.http2.errors import Code, ConnectionFault


@dataclass(slots=True)
class Budget:
    """A bucket of permits that refills with time, and with what the peer has to answer.

    Attributes:
        size: Permits at most.
        rate: Permits that come back a second.
    """

    size: float
    rate: float
    _spent: float = 0.0
    _at: float = 0.0

    def spend(self, now: float, permits: float = 1.0) -> None:
        """Take permits.

        Raises:
            ConnectionFault: There are not as many left.
        """
        self._spent = max(0.0, self._spent - (now - self._at) * self.rate) + permits
        self._at = now
        if self._spent > self.size:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM)

    def earn(self, permits: float) -> None:
        """Put permits back."""
        self._spent = max(0.0, self._spent - permits)
