"""Measure how surely workflows are found without headers.

Recorded workflows of several tenants are interleaved at random, their requests go through the picker's own parsing and
program table with no header that names them, and each is held against the workflow that sent it. Some are run again,
begin several times at once, fail and are tried again, branch, or change their history, at the rates given.
"""

import random
from collections.abc import Callable, Sequence

from chimera_bench.identification.agents import agents
from chimera_bench.identification.habits import Rates
from chimera_bench.identification.interleaving import Interleaving, Link
from chimera_training.data import Workflow


def measure(  # noqa: PLR0913 - all that a measurement depends on, by name
    runs: Sequence[Workflow],
    *,
    count: int,
    rate: float,
    rates: Rates,
    seeds: Sequence[int],
    on_seed: Callable[[], None] = lambda: None,
) -> list[Link]:
    """Return where each request was put, over all seeds.

    Args:
        runs: Recorded workflows, at least one.
        count: Workflows of each seed, before repetitions.
        rate: Workflows that begin in a second.
        rates: What clients do.
        seeds: Of everything that is random; equal seeds give equal links.
        on_seed: Told after each seed.
    """
    links: list[Link] = []
    for seed in seeds:
        draw = random.Random(seed)  # noqa: S311 - a workload, not a secret
        some = agents(runs, count=count, rate=rate, rates=rates, draw=draw)
        links += Interleaving(rates, draw).run(some)
        on_seed()
    return links
