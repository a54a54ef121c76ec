"""Decide how much of what an engine says is believed."""

import math
from dataclasses import dataclass, field

from chimera_router.engines import page as pages
from chimera_router.engines.profiles import EngineProfile
from chimera_router.engines.types import Outcome, Reading
from chimera_router.scheduling.types import EngineMetrics

FROZEN_AFTER = 10.0
"""Seconds of unchanging numbers after which a claim of load is not believed.

An engine with requests makes tokens, which move its pulse or fill its cache many times in so long. vLLM's numbers stay
where they were when all requests are aborted at once (its issue 22545), and an engine that seems busy would never be
sent the request that sets them right."""

Heard = tuple[Outcome, EngineMetrics | None]


@dataclass(slots=True)
class Witness:
    """Listens to one engine. A claim of load is believed only of one whose numbers have been seen to move."""

    profile: EngineProfile
    _last: Reading | None = field(default=None, init=False)
    _moved: float = field(default=-math.inf, init=False)

    def hear(self, page: bytes, now: float) -> Heard:
        """Return what a metrics page is worth, and the load it tells where that is believed.

        Args:
            page: In Prometheus' text format.
            now: Seconds on a monotonic clock.
        """
        reading = pages.read(page, self.profile)
        if isinstance(reading, Outcome):
            return reading, None
        if self._last not in {None, reading}:
            self._moved = now
        self._last = reading
        if reading.loaded and now - self._moved >= FROZEN_AFTER:
            return Outcome.FROZEN, None
        return Outcome.BELIEVED, _metrics(reading, now)


def _metrics(reading: Reading, now: float) -> EngineMetrics:
    """Return the load; an engine without requests has room, whatever its cache keeps of earlier ones."""
    return EngineMetrics(
        running=reading.running,
        waiting=reading.waiting,
        kv_usage=reading.kv_usage if reading.loaded else 0.0,
        scraped_at=now,
    )
