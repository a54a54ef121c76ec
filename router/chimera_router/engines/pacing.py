"""Decide when each engine is asked for its load: often where there is traffic, rarely where there is none.

A picker that asks 100 idle engines every half second spends several times the work on questions whose answer is
"nothing" than one that asks them every four seconds; one that asks busy engines every four seconds decides blindly.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush

from chimera_router.engines.types import UNANSWERED, Outcome
from chimera_router.scheduling.types import EngineMetrics

FAST = 0.5
"""Seconds between two questions to a busy engine: some ten to a hundred decode steps, in which a few requests end."""

SLOW = 4.0
"""Seconds between two questions to an idle engine at most. What an idle engine says changes nothing, so this is only
how long load from elsewhere, or the engine's death, may go unnoticed before the first request that is sent there; less
than `METRICS_MAX_AGE`, so that an engine that answers is never unknown."""

RETRY = 2.0
"""Seconds between two questions to an engine that does not answer, at most: so long an engine that has come up waits
for its first request, which is little beside the tens of seconds that loading weights takes."""

JITTER = 0.1  # share of each interval, at most, by which it is shortened: engines found together drift apart


class Activity(StrEnum):
    """How an engine seems to be."""

    BUSY = "busy"
    IDLE = "idle"
    SILENT = "silent"


def activity(outcome: Outcome, metrics: EngineMetrics | None, *, own: int) -> Activity:
    """Return how an engine seems to be.

    Args:
        outcome: Of asking it.
        metrics: What it said, where that is believed.
        own: Requests that this picker has there.
    """
    if outcome in UNANSWERED:
        return Activity.SILENT
    if own or (metrics is not None and metrics.running + metrics.waiting):
        return Activity.BUSY
    return Activity.IDLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Intervals in seconds; see the defaults. An engine that stays idle or silent is asked half as often each time."""

    fast: float = FAST
    slow: float = SLOW
    retry: float = RETRY

    def interval(self, now: Activity, before: Activity | None, last: float) -> float:
        """Return the seconds until the next question, after one that was asked `last` seconds after the one before."""
        doubled = 2.0 * last if now is before else self.fast
        match now:
            case Activity.BUSY:
                return self.fast
            case Activity.IDLE:
                return min(doubled, self.slow)
            case Activity.SILENT:
                return min(doubled, self.retry)


DEFAULT_PACE = Pace()


@dataclass(slots=True)
class _Turn:
    """When an engine's turn is, and what the last one was like. `due` is None while it is being asked."""

    due: float | None
    asked: float
    activity: Activity | None = None
    interval: float = 0.0


class Timetable:
    """The turns of all engines, by address.

    Args:
        pace: How often they come.
        draw: Returns a number in [0, 1) that looks drawn.
    """

    def __init__(self, pace: Pace, draw: Callable[[], float]) -> None:
        self._pace = pace
        self._draw = draw
        self._turns: dict[str, _Turn] = {}
        self._queue: list[tuple[float, str]] = []  # moments that have been put off or forward since mean nothing

    def add(self, addresses: Iterable[str], now: float) -> None:
        """Take engines that are not in it yet: their first turn is now."""
        for address in addresses:
            if address not in self._turns:
                self._turns[address] = _Turn(due=None, asked=now - self._pace.fast)
                self._set(address, now)

    def keep(self, addresses: Collection[str]) -> None:
        """Forget all others."""
        self._turns = {address: turn for address, turn in self._turns.items() if address in addresses}

    def due(self) -> float | None:
        """Return when the next turn is; None while nobody has one."""
        while self._queue:
            due, address = self._queue[0]
            turn = self._turns.get(address)
            if turn is not None and turn.due == due:
                return due
            heappop(self._queue)
        return None

    def take(self, now: float) -> list[str]:
        """Return whose turn has come. They have no next one until they are settled."""
        taken = []
        while (due := self.due()) is not None and due <= now:
            _, address = heappop(self._queue)
            turn = self._turns[address]
            turn.due, turn.asked = None, now
            taken.append(address)
        return taken

    def settle(self, address: str, seems: Activity, now: float) -> None:
        """Set the next turn of an engine that was asked, by what came of it.

        Counted from when it was asked; from now for one that is silent, which may have taken long to say nothing.
        """
        turn = self._turns.get(address)
        if turn is None or turn.due is not None:
            return
        turn.interval = self._pace.interval(seems, turn.activity, turn.interval)
        turn.activity = seems
        since = now if seems is Activity.SILENT else turn.asked
        self._set(address, max(now, since + turn.interval * (1.0 - JITTER * self._draw())))

    def hurry(self, address: str, now: float) -> bool:
        """Bring an engine's next turn forward, to now unless it was asked just before; return whether that is sooner.

        Costs a look into a dictionary, unless it is.
        """
        turn = self._turns.get(address)
        if turn is None or turn.due is None:
            return False
        sooner = max(now, turn.asked + self._pace.fast)
        if sooner >= turn.due:
            return False
        self._set(address, sooner)
        return True

    def _set(self, address: str, due: float) -> None:
        self._turns[address].due = due
        heappush(self._queue, (due, address))
