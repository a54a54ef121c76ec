"""Stabilization windows, as HorizontalPodAutoscaler has them.

Replicas rise to the least that the load has asked for over the window of scaling up, and fall to the most over that of
scaling down; between the two they stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chimera_operator.planning.memory import Sample

FINEST = timedelta(seconds=1)
"""Within it two samples are kept, which bounds them by the window in seconds however often one looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """How long the load must ask for it.

    Attributes:
        up: Until there are more replicas.
        down: Until there are fewer.
    """

    up: timedelta
    down: timedelta


def stabilized(current: int, asked: int, samples: Sequence[Sample], windows: Windows, *, now: datetime) -> int:
    """Return the replicas that the windows let through.

    Args:
        current: Replicas that are wished until now.
        asked: Replicas that the load asks for now.
        samples: What it asked for before.
        windows: How long it must ask.
        now: The time.
    """
    least = min([asked, *(sample.replicas for sample in samples if now - sample.at < windows.up)])
    most = max([asked, *(sample.replicas for sample in samples if now - sample.at < windows.down)])
    return min(max(current, least), most)


def remembered(samples: Sequence[Sample], asked: int, windows: Windows, *, now: datetime) -> tuple[Sample, ...]:
    """Return the samples with the newest one, without those that have left both windows."""
    recent = [sample for sample in samples if now - sample.at < max(windows.up, windows.down)]
    if len(recent) > 1 and now - recent[-2].at < FINEST:
        return (*recent[:-1], Sample(recent[-1].at, asked))
    return (*recent, Sample(now, asked))
