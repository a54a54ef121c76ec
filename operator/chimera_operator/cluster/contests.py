"""Fields that somebody else goes on changing: set back, but ever more rarely. Pure.

The first change of a field is repaired at once, whoever made it. A person sees it and stops; another controller does
not, and two that overwrite each other for ever help nobody.
"""

from dataclasses import dataclass

from chimera_operator.rendering.manifest import ObjectKey

FIRST = 30.0  # seconds until a field that was taken twice is set back again
CAP = 600.0  # seconds at most: a share of the API server's work that nobody notices
PEACE = 3600.0  # seconds without a change after which it is forgotten
LIMIT = 10_000  # objects that are remembered; some 2 MB


@dataclass(frozen=True, slots=True)
class _Contest:
    times: int
    last: float


class Contests:
    """Remembers which objects were set back, and how often. What it forgets is set back at once the next time."""

    def __init__(self) -> None:
        self._contests: dict[ObjectKey, _Contest] = {}

    def wait(self, key: ObjectKey, now: float) -> float:
        """Return the seconds until an object may be set back; 0 for now."""
        contest = self._recent(key, now)
        if contest is None:
            return 0.0
        rest = min(CAP, FIRST * 2.0 ** (contest.times - 1))
        return max(0.0, contest.last + rest - now)

    def set_back(self, key: ObjectKey, now: float) -> None:
        """Remember that an object was set back."""
        before = self._recent(key, now)
        self._contests.pop(key, None)
        self._contests[key] = _Contest(before.times + 1 if before else 1, now)
        if len(self._contests) > LIMIT:
            del self._contests[next(iter(self._contests))]

    def _recent(self, key: ObjectKey, now: float) -> _Contest | None:
        contest = self._contests.get(key)
        return contest if contest is not None and now < contest.last + PEACE else None
