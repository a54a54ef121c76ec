"""Read what an engine's metrics page says of its load."""

import math
import re
from dataclasses import dataclass

from chimera_router.scheduling.types import EngineMetrics

_MAX_REQUESTS = 1_000_000  # an engine that claims more is not believed


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineProfile:
    """The metric names of one kind of engine."""

    running: str
    waiting: str
    kv_usage: str


VLLM = EngineProfile(
    running="vllm:num_requests_running", waiting="vllm:num_requests_waiting", kv_usage="vllm:kv_cache_usage_perc"
)


def parse(page: str, profile: EngineProfile, *, now: float) -> EngineMetrics | None:
    """Return the load on a metrics page; None where a number is missing or absurd.

    Data-parallel ranks that share a page are added up; of their caches the fullest counts.
    """
    running = _samples(page, profile.running)
    waiting = _samples(page, profile.waiting)
    usage = _samples(page, profile.kv_usage)
    if not running or not waiting or not usage:
        return None
    counts = (sum(running), sum(waiting))
    if not all(math.isfinite(count) and 0 <= count <= _MAX_REQUESTS for count in counts):
        return None
    if not all(0 <= share <= 1 for share in usage):
        return None
    return EngineMetrics(running=int(counts[0]), waiting=int(counts[1]), kv_usage=max(usage), scraped_at=now)


def _samples(page: str, name: str) -> list[float]:
    pattern = re.compile(rf"^{re.escape(name)}(?:\{{[^\n]*\}})? ([^\s]+)", re.MULTILINE)
    return [_number(match.group(1)) for match in pattern.finditer(page)]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
