"""When to ask a server that may be away, and when to leave it alone. Pure: the clock is an argument."""

import math
from dataclasses import dataclass
from enum import StrEnum

# Answers in a row that come too late from a server that counts as away. One is a hiccup: a busy core, a new connection.
LATE_ANSWERS = 3

# Seconds within which late answers are one: a stall of this process makes all that it waits for late at once.
ONE_STALL = 0.005

# Seconds until a server that has gone away is tried again: a restart takes about as long.
FIRST_PAUSE = 0.5

# Seconds between tries at most, however long it has been away: so soon after its return it is used again.
LONGEST_PAUSE = 5.0


class State(StrEnum):
    """Whether the server is asked."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(slots=True)
class Breaker:
    """A circuit breaker: closed while the server answers, open while it is away, half-open during a trial.

    It begins open, with a trial due at once: nobody waits for a server that has never answered.

    Attributes:
        state: `CLOSED` lets requests wait for the server, the others do not.
        retry_at: Seconds on the caller's clock when an open one may try again.
    """

    state: State = State.OPEN
    retry_at: float = -math.inf
    _late: int = 0
    _late_at: float = -math.inf
    _pause: float = FIRST_PAUSE
    _told: bool = False

    def try_again(self, now: float) -> bool:
        """Begin a trial if one is due; return whether it has begun."""
        due = self.state is State.OPEN and now >= self.retry_at
        if due:
            self.state = State.HALF_OPEN
        return due

    def answered(self) -> bool:
        """The server has answered in time; return whether that ends its absence."""
        back = self.state is not State.CLOSED
        self.state, self._late, self._pause, self._told = State.CLOSED, 0, FIRST_PAUSE, False
        return back

    def late(self, now: float) -> bool:
        """The server has not answered in time; return whether that begins its absence."""
        if self.state is State.CLOSED:
            self._late += now - self._late_at >= ONE_STALL
            self._late_at = now
            if self._late < LATE_ANSWERS:
                return False
        return self.lost(now)

    def lost(self, now: float) -> bool:
        """The server cannot be reached, or refuses; return whether that begins its absence."""
        if self.state is State.OPEN:
            return False
        begins, self._told = not self._told, True
        self.state, self.retry_at = State.OPEN, now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return begins
