"""How fast a live comparison may run: so slow that this machine is not what is measured."""

from statistics import fmean

from chimera_bench.ground import Ground

REQUESTS_PER_SECOND = 20.0
"""Client, Envoy, picker and engines then take a quarter of two cores, so that nobody waits for one."""

FASTEST = 4.0
"""A step of the smallest engines is 4 ms, and nobody here wakes up more often than each millisecond."""


def pace(ground: Ground, load: float, *, requests_per_second: float = REQUESTS_PER_SECOND) -> float:
    """Return how many times faster than real to play, below 1 where the real rate is too much for this machine.

    Args:
        ground: What is played.
        load: The arrival rate.
        requests_per_second: Real ones that may arrive, on average.
    """
    return min(FASTEST, requests_per_second / (ground.rate(load) * _stages(ground)))


def _stages(ground: Ground) -> float:
    """Return the mean requests of a workflow, each model as likely as any other."""
    return fmean(len(run.stages) for task in ground.tasks for run in task.runs.values())
