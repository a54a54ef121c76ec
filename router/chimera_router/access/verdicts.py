"""What was decided a moment ago, so that the same question is not asked again at once. Pure."""

from collections import OrderedDict
from collections.abc import Hashable

from chimera_router.access.port import Verdict

TTL: dict[Verdict, float] = {
    # Seconds. A token or a right that was taken away works on for a minute, the time that Kubernetes' own servers keep
    # an authentication; a scraper that calls every 15 s costs one question a minute.
    Verdict.ADMITTED: 60.0,
    # A right that was just given is there soon, and a caller that goes on trying costs little.
    Verdict.UNAUTHENTICATED: 10.0,
    Verdict.FORBIDDEN: 10.0,
    # An API server that is in trouble is not asked by every caller.
    Verdict.UNAVAILABLE: 1.0,
}
LIMIT = 1024  # callers and pages; some 200 kB


class Verdicts:
    """Remembers verdicts for a while, the latest ones where there are too many."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, tuple[Verdict, float]] = OrderedDict()

    def find(self, key: Hashable, now: float) -> Verdict | None:
        """Return what was decided, or None where that is not known or too long ago. `now` is in seconds."""
        verdict, until = self._kept.get(key, (None, now))
        return verdict if now < until else None

    def keep(self, key: Hashable, verdict: Verdict, now: float) -> None:
        """Remember a verdict."""
        self._kept[key] = verdict, now + TTL[verdict]
        self._kept.move_to_end(key)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)
