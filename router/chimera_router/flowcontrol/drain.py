"""Estimate how fast the queue drains, from what left it for an engine."""

import math

MEMORY = 60.0  # seconds of waiting after which an observation weighs a third: some tens of answers of a busy pool


class DrainRate:
    """Predicted tokens a second that leave the queue while anything waits in it, older seconds counting less."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0
        self._last: float | None = None

    def advance(self, now: float, *, waiting: bool) -> None:
        """Time has passed; `waiting` tells whether anything waited since the last call."""
        if waiting and self._last is not None:
            faded = math.exp(-max(0.0, now - self._last) / MEMORY)
            self._tokens *= faded
            self._seconds = self._seconds * faded + MEMORY * (1.0 - faded)
        self._last = now

    def drained(self, tokens: float) -> None:
        """A request of so many predicted tokens went to an engine."""
        self._tokens += tokens

    def seconds(self, tokens: float) -> float:
        """Return how long so many tokens will take; infinity for any while nothing has drained."""
        if not tokens:
            return 0.0
        return tokens * self._seconds / self._tokens if self._tokens else math.inf
