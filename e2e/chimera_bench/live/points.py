"""Play one cell of a comparison twice, in virtual time and on real servers, and hold the two against each other.

Both replay the same tasks at the same times under the same setting. What the live one does not share: predictions are
made while clients wait, within the picker's deadline; workflows are found by their messages; lengths and step times
are corrected as answers come; prompts are filler of about the recorded length; and all of it takes time of its own.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from chimera_bench.baselines import CATALOGUE
from chimera_bench.ground import Ground
from chimera_bench.live.document import document, labels
from chimera_bench.records import Cell, Record
from chimera_bench.replay.results import WorkflowResult
from chimera_bench.replay.rounds import PoolLost, play
from chimera_bench.workload import Arrival
from chimera_operator.local.pool import RunningPool, serve

FALLBACKS = "chimera_prediction_fallbacks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A cell, played twice.

    Attributes:
        virtual: Its figures in virtual time.
        live: Its figures on real servers; seconds at the models' own speed.
        speed: How many times faster than real the live replay ran.
        retries: Requests of the live replay that were sent again.
        fallbacks: Predictions of the live replay that were not the bundle's, most of them late.
    """

    virtual: Record
    live: Record
    speed: float
    retries: int
    fallbacks: int

    @property
    def latency_ratio(self) -> float:
        """The live mean latency over the virtual one."""
        return self.live.latency_mean / self.virtual.latency_mean

    def as_json(self) -> dict[str, Any]:
        """Return both records and how far they are apart, as plain data."""
        return {
            "virtual": self.virtual.as_json(),
            "live": self.live.as_json(),
            "latency_ratio": self.latency_ratio,
            "speed": self.speed,
            "retries": self.retries,
            "fallbacks": self.fallbacks,
        }


async def play_point(  # noqa: PLR0913 - what a round takes, by name
    ground: Ground,
    cell: Cell,
    *,
    bundle: Path,
    recordings: Path,
    speed: float,
    on_result: Callable[[], None] = lambda: None,
) -> Point:
    """Play a cell both ways.

    Args:
        ground: Of the cell's pool.
        cell: What to play.
        bundle: Folder of the bundle that the ground's predictions come from.
        recordings: Folder of the recorded data that its tasks come from.
        speed: How many times faster than real.
        on_result: Told after each workflow of the live replay.

    Raises:
        NotLiveError: No picker can be given the cell's setting.
        LocalError: A program is missing or did not come up.
        PoolError: A document cannot describe the pool.
        PoolLost: A process of the pool ended, or the picker does not say how it predicted.
        ReplayError: The pool refuses a request.
    """
    pool = ground.background.pool
    made = document(pool, CATALOGUE[cell.policy].build(ground.background, **cell.params), bundle=bundle)
    # Before any engine runs: it would take their cores.
    virtual = await asyncio.to_thread(ground.play, cell)
    served = [_served(arrival, labels(pool)) for arrival in ground.arrivals(cell)]
    async with serve(made, speed=speed, recordings=recordings) as running:
        results = await play(running, served, speed=speed, on_result=lambda _: on_result(), names_application=True)
        fallbacks = await _fallbacks(running)
    recorded = {label: name for name, label in labels(pool).items()}
    return Point(
        virtual=virtual,
        live=ground.record(cell, [_recorded(result, recorded) for result in results]),
        speed=speed,
        retries=sum(result.retries for result in results),
        fallbacks=fallbacks,
    )


def _served(arrival: Arrival, label: Mapping[str, str]) -> Arrival:
    """Return the arrival with runs by the names that models are served by."""
    runs = {label[name]: run for name, run in arrival.task.runs.items()}
    return replace(arrival, task=replace(arrival.task, runs=runs))


def _recorded(result: WorkflowResult, name_of: Mapping[str, str]) -> WorkflowResult:
    """Return the result with the models' names in the recorded data."""
    stages = (replace(stage, model=name_of[stage.model] if stage.model else None) for stage in result.stages)
    return replace(result, stages=tuple(stages))


async def _fallbacks(pool: RunningPool) -> int:
    """Return how many predictions the picker did not get from the bundle."""
    try:
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.get(f"{pool.management_url}/metrics") as response,
        ):
            page = await response.text()
    except aiohttp.ClientError:
        raise PoolLost("the picker does not answer") from None
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return round(sum(sample.value for sample in samples if sample.name == f"{FALLBACKS}_total"))
