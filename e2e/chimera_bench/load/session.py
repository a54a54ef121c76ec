"""One run of the bench: every picker in turn, several rounds of it, and what they have shown."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chimera_bench.load.cases import Case, Closed, Mode
from chimera_bench.load.measurement import Measurement, measure
from chimera_bench.load.pickers import FLOOR, Picker
from chimera_bench.load.stack import Stack, behind_envoy, engines
from chimera_bench.load.standing import Held, Idle, held, idle
from chimera_operator.local.process import Child

_WARM_UP = Closed(8)
_WARM_UP_SECONDS = 0.5  # for code that runs for the first time, connections that are not there yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured.

    Attributes:
        pickers: By name, in the order of their turns; None is Envoy alone.
        loads: What is asked for, and how fast.
        seconds: Of each measurement.
        rounds: Times that all of it is done.
        held: Streams that are held open; 0 holds none.
        idle_endpoints: Idle engines that each kind of picker watches; 0 leaves that out.
        idle_seconds: For which it does.
    """

    pickers: Mapping[str, Picker | None]
    loads: Sequence[tuple[Case, Mode]]
    seconds: float
    rounds: int
    held: int = 0
    idle_endpoints: int = 0
    idle_seconds: float = 5.0


@dataclass(slots=True)
class Record:
    """What a run has shown so far.

    Attributes:
        began: When it was begun.
        machine: What it ran on.
    """

    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: str = field(default_factory=lambda: f"{os.cpu_count()} cores, {platform.platform()}")
    measurements: list[Measurement] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    idle: list[Idle] = field(default_factory=list)


async def run(plan: Plan, *, tell: Callable[[str], None]) -> Record:
    """Measure all that is planned; `tell` hears of each step.

    Raises:
        LocalError: A program could not be started, or answers nothing.
    """
    record = Record()
    async with engines() as (child, ports):
        for number in range(plan.rounds):
            for name, picker in plan.pickers.items():
                tell(f"round {number + 1} of {plan.rounds}: {name}")
                async with behind_envoy(picker, ports) as stack:
                    await _turn(plan, record, stack, child, number)
    for picker in _kinds(plan) if plan.idle_endpoints else ():
        tell(f"idle: {picker.kind}")
        record.idle.append(await idle(picker, plan.idle_endpoints, plan.idle_seconds))
    return record


async def _turn(plan: Plan, record: Record, stack: Stack, child: Child, number: int) -> None:
    if plan.held and stack.name != FLOOR:  # first: later on, memory that large bodies have left behind would hold them
        record.held.append(await held(stack, plan.held))
    for case in dict.fromkeys(case for case, _ in plan.loads):
        await measure(stack, child, case=case, mode=_WARM_UP, seconds=_WARM_UP_SECONDS)
    for case, mode in plan.loads:
        record.measurements.append(
            await measure(stack, child, case=case, mode=mode, seconds=plan.seconds, number=number)
        )


def _kinds(plan: Plan) -> Sequence[Picker]:
    """Return one picker of each kind: what is done about answers makes no difference where there are none."""
    return list({picker.kind: picker for picker in plan.pickers.values() if picker is not None}.values())
