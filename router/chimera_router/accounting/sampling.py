"""Look at as many answers as there is time for."""

from dataclasses import dataclass

from chimera_router.protocol.events import Accounting

BUSY = 0.75
"""Share of one core. Above it queues before the event loop grow visibly (half of the requests wait for one that is
being served at three quarters), so looking on is what gives way."""

SPARE = 0.55  # share of one core below which more is looked at; the gap keeps the two from following one another

LEAST = 0.02
"""Share of answers that are looked at however busy the picker is: lengths and step times go on being learned from some
of them, at 1,000 requests a second from 20."""

_LESS, _MORE = 0.7, 0.1  # factor at each look that finds it busy; step at each that finds it has time


@dataclass(slots=True)
class Sampling:
    """The share of answers that is looked at, spread evenly.

    Attributes:
        share: 0 to 1.
    """

    share: float = 1.0
    _owed: float = 0.0

    def used(self, core: float) -> None:
        """Take note of how busy the picker has been lately, as a share of one core; about once a second."""
        if core > BUSY:
            self.share = max(LEAST, self.share * _LESS)
        elif core < SPARE:
            self.share = min(1.0, self.share + _MORE)

    def next(self) -> Accounting:
        """Return how much of the next answer is looked at."""
        self._owed += self.share
        if self._owed < 1.0:
            return Accounting.SKIP
        self._owed -= 1.0
        return Accounting.OBSERVE
