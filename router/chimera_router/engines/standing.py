"""Decide whether an engine is used: by what it answers, by what it does not, and by what the gateway found there."""

import math
from collections.abc import Collection
from dataclasses import dataclass

DOUBTFUL = 2
"""So many engines at least have to fall silent for a picker to doubt itself: a single one is more likely dead."""

BARRED = 1.0
"""Seconds without requests for an engine that answers the picker, and that the gateway did not reach twice in a row. A
gateway learns of a new engine within a second, as a rule."""

BARRED_AT_MOST = 16.0
"""The same after many times: then the network lets the picker there and the gateway not, and every trial is a lost
request. So long a repaired one waits for its next."""


@dataclass(slots=True)
class Standing:
    """How one engine stands, of which nothing is known at first.

    Attributes:
        ready: Whether it gets requests: it answered, and nothing has failed since.
        fell_silent: Whether it was ready until nothing came from it any more, not so much as a refusal.
    """

    ready: bool = False
    fell_silent: bool = False
    _next_bar: float = 0.0  # seconds; none the first time
    _barred_until: float = -math.inf

    def answered(self, now: float) -> None:
        """It answered a question of the picker's."""
        self.ready, self.fell_silent = now >= self._barred_until, False

    def failed(self, *, silent: bool) -> None:
        """A question of the picker's failed: nothing came in time, or there was a refusal."""
        self.fell_silent = silent and (self.ready or self.fell_silent)
        self.ready = False

    def missed(self, now: float) -> None:
        """The gateway did not reach it.

        Once is believed until it answers the picker, which asks at once. An engine that answers the picker and is
        missed again is one that only the gateway cannot reach: it would be idle always, and get every request.
        """
        if self.ready:
            self._barred_until = now + self._next_bar
            self._next_bar = min(max(BARRED, 2.0 * self._next_bar), BARRED_AT_MOST)
        self.failed(silent=False)

    def served(self) -> None:
        """The gateway reached it."""
        self._next_bar = 0.0


def doubtful(standings: Collection[Standing]) -> bool:
    """Return whether the picker rather than its engines is in trouble, which got no CPU or no network.

    That is so where all that were ready have fallen silent. They are used then until one of them answers or refuses.
    """
    return sum(each.fell_silent for each in standings) >= DOUBTFUL and not any(each.ready for each in standings)
