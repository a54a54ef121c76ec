"""How much a peer may ask for that costs more to serve than to send."""

from dataclasses import dataclass

from chimera_router.extproc.http2.errors import ConnectionFault
from chimera_router.extproc.http2.frames import Code


@dataclass(slots=True)
class Budget:
    """A bucket of permits that refills with time.

    Attributes:
        size: Permits at most.
        rate: Permits that come back a second.
    """

    size: float
    rate: float
    _spent: float = 0.0
    _at: float = 0.0

    def spend(self, now: float) -> None:
        """Take a permit.

        Raises:
            ConnectionFault: There is none left.
        """
        self._spent = max(0.0, self._spent - (now - self._at) * self.rate) + 1.0
        self._at = now
        if self._spent > self.size:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM)
