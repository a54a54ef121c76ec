"""One soak, from the filling of the table to what is left when all is over."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from chimera_bench.chaos.ground import Picker, ground
from chimera_bench.load import processes
from chimera_bench.soak.readings import Reading, growth
from chimera_bench.soak.reloads import reload
from chimera_bench.soak.traffic import Traffic
from chimera_operator.local.errors import LocalError

GROWTH = 0.05  # share by which memory may grow over the last half
WORKFLOWS = 20_000
"""Of one tenant that a picker keeps at most (`workflow.store.TableLimits`). The table is filled first: what is bounded
grows until it is full, and that is no leak."""

_EVERY = 0.5  # seconds between two readings
_NOTHING = 1e-6  # tokens: sums of estimates that were added and taken away again
_RELOADS = "chimera_config_reloads_total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """What stayed behind.

    Attributes:
        readings: Of the picker, from the moment when its table was full.
        sent: Requests by kind, those that filled the table left out.
        failed: Those that did not go as they had to, by kind and status.
        reloads: Configurations and lists that it took and refused.
        streams: That were open at the end.
        tokens: That it believed to be in flight then.
    """

    readings: list[Reading]
    sent: Mapping[str, int]
    failed: Mapping[str, int]
    reloads: Mapping[str, float]
    streams: float
    tokens: float

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self) | {"growth": self.growth, "passed": self.passed}

    @property
    def growth(self) -> float:
        """Of memory over the last half, as a share."""
        return growth(self.readings)

    @property
    def passed(self) -> bool:
        """Whether all that has to hold does."""
        return (
            self.growth < GROWTH
            and not self.streams
            and abs(self.tokens) < _NOTHING
            and not sum(self.failed.values())
            and max(reading.workflows for reading in self.readings) <= WORKFLOWS
        )


async def soak(requests: int, *, fill: int = WORKFLOWS, tell: Callable[[str], None]) -> Soaked:
    """Send requests of all kinds through Envoy and a picker while files change under it.

    Args:
        requests: How many.
        fill: Requests of new workflows that come first.
        tell: Hears of each step.

    Raises:
        LocalError: A program could not be started.
    """
    async with ground() as pool:
        traffic, picker = Traffic(pool), pool.pickers[0]
        tell(f"{fill} workflows fill the table")
        await traffic.send(fill, kinds={"1 KB": 1})
        traffic.sent.clear()
        tell(f"{requests} requests")
        readings: list[Reading] = []
        others = [asyncio.create_task(reload(pool)), asyncio.create_task(_read(picker, traffic, readings))]
        await traffic.send(requests)
        for task in others:
            task.cancel()
        await asyncio.wait(others)
        with suppress(LocalError):  # then what it still holds is found below
            await picker.settle()
        readings.append(await _reading(picker, traffic))
        return Soaked(
            readings=readings,
            sent=dict(traffic.sent),
            failed=dict(traffic.failed),
            reloads={result: await picker.metric(_RELOADS, result=result) for result in ("applied", "refused")},
            streams=await picker.metric("chimera_streams"),
            tokens=await picker.metric("chimera_in_flight_tokens"),
        )


async def _read(picker: Picker, traffic: Traffic, readings: list[Reading]) -> None:
    while True:
        readings.append(await _reading(picker, traffic))
        await asyncio.sleep(_EVERY)


async def _reading(picker: Picker, traffic: Traffic) -> Reading:
    return Reading(
        requests=traffic.sent.total(),
        resident=processes.resident_bytes(picker.pid),
        workflows=round(await picker.metric("chimera_workflows_open")),
    )
