"""Read the load of an engine from its metrics page, without reading the page.

A page of vLLM has some 100 KB, and three lines of it are wanted. A family's samples stand together (Prometheus' text
format asks for it), so each is found by one search for its name and read to its end.
"""

import math
from collections.abc import Iterator
from itertools import islice

from chimera_router.engines.profiles import EngineProfile
from chimera_router.engines.types import Outcome, Reading

MAX_REQUESTS = 100_000  # an engine that claims more is not believed: at 100 requests a second, what comes in 17 minutes
MAX_SERIES = 1000  # lines of one family that are read; no engine has as many ranks, and a total precedes its parts

_AFTER_NAME = (b"{", b" ", b"\t")


def read(page: bytes, profile: EngineProfile) -> Reading | Outcome:
    """Return what a page says; why it is not to be believed where a number is missing or absurd.

    Data-parallel ranks that share a page are added up; of their caches the fullest counts.
    """
    page = b"\n" + page + b"\n"  # now every line has an end on both sides
    running = _samples(page, profile.running, profile)
    waiting = _samples(page, profile.waiting, profile)
    usage = _samples(page, profile.kv_usage, profile)
    if not (running and waiting and usage):
        return Outcome.MISSING
    if not (_are_counts(running) and _are_counts(waiting) and all(0.0 <= share <= 1.0 for share in usage)):
        return Outcome.ABSURD
    return Reading(
        running=round(sum(running)),
        waiting=round(sum(waiting)),
        kv_usage=max(usage),
        pulse=_pulse(_samples(page, profile.pulse, profile)),
    )


def _are_counts(samples: list[float]) -> bool:
    """Return whether requests may be counted so; what is not a number passes no comparison."""
    return all(count >= 0.0 for count in samples) and sum(samples) <= MAX_REQUESTS


def _pulse(samples: list[float]) -> float | None:
    total = sum(samples)
    return total if samples and math.isfinite(total) else None


def _samples(page: bytes, names: tuple[bytes, ...], profile: EngineProfile) -> list[float]:
    """Return the values of the first of these metrics that is on the page."""
    for name in names:
        lines = islice(_lines(page, b"\n" + name), MAX_SERIES)
        samples = [_value(line) for line in lines if not _is_part(line, profile.breakdown)]
        if samples:
            return samples
    return []


def _lines(page: bytes, opening: bytes) -> Iterator[bytes]:
    """Yield the samples of one metric, each from its labels on; other names may begin alike."""
    size, at = len(opening), page.find(opening)
    while at >= 0 and not page.startswith(_AFTER_NAME, at + size):
        at = page.find(opening, at + size)
    while at >= 0 and page.startswith(opening, at) and page.startswith(_AFTER_NAME, at + size):
        end = page.index(b"\n", at + size)
        yield page[at + size : end]
        at = end


def _is_part(line: bytes, label: bytes) -> bool:
    """Return whether a sample has a value for the label that marks parts of a total."""
    if not label:
        return False
    for opening in (b"{", b","):
        _, found, rest = line.partition(opening + label + b'="')
        if found:
            return not rest.startswith(b'"')
    return False


def _value(line: bytes) -> float:
    """Return the value of a sample, which comes after its labels and before its time; NaN where there is none."""
    fields = line.rpartition(b"}")[2].split()
    try:
        return float(fields[0])
    except (IndexError, ValueError):
        return math.nan
