"""What a picker costs that has nothing to do: memory by stream that is held open, processor time over idle engines."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from chimera_bench.idle_cost import SETTLING, stand_in
from chimera_bench.idle_picker import running
from chimera_bench.load import processes
from chimera_bench.load.cases import Case
from chimera_bench.load.client import Load, clock
from chimera_bench.load.pickers import Picker
from chimera_bench.load.prompts import Prompts
from chimera_bench.load.stack import Stack
from chimera_bench.load.waiting import until
from chimera_operator.local.errors import LocalError
from chimera_operator.local.ports import free_ports
from chimera_operator.local.process import Child

_HELD = Case(name="held", body=1000, chunks=2, gap=3600.0)  # a first event, and then an hour of silence
_FEW = 100  # streams that are opened and closed first: code and buffers that the first ones bring are no stream's own
_OPENING = 60.0  # seconds for all to be answered
_CLOSING = 2.0  # seconds for a picker to hear that they are gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Answers under way that say nothing.

    Attributes:
        streams: How many.
        bytes_each: Of the picker's memory, for each of them.
        resident: Of all of it, with them open.
    """

    picker: str
    streams: int
    bytes_each: float
    resident: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A picker without traffic.

    Attributes:
        endpoints: Idle engines that it watches.
        cores: Processor seconds a second.
        other_cores: The same of everything else on the machine, the engines' stand-in included.
    """

    picker: str
    endpoints: int
    cores: float
    other_cores: float


async def held(stack: Stack, streams: int) -> Held:
    """Open so many streams at once and return what they take of a picker's memory.

    Raises:
        LocalError: There is no picker, or some of the streams were not answered.
    """
    if stack.picker is None:
        raise LocalError("Envoy alone holds no streams")
    few = await _open(stack, _FEW)
    await few.drain(0.0)
    await asyncio.sleep(_CLOSING)
    before = processes.resident_bytes(stack.picker.pid)
    many = await _open(stack, streams)
    after = processes.resident_bytes(stack.picker.pid)
    await many.drain(0.0)
    return Held(picker=stack.name, streams=streams, bytes_each=(after - before) / streams, resident=after)


async def idle(picker: Picker, endpoints: int, seconds: float, *, settling: float = SETTLING) -> Idle:
    """Run a picker over idle engines, without Envoy, and return what it takes.

    Raises:
        LocalError: It could not be started.
    """
    async with stand_in(endpoints) as engines:
        with tempfile.TemporaryDirectory(prefix="chimera-load-") as folder:
            (port,) = free_ports(1)
            async with running(picker.command(Path(folder), engines, port)) as child:
                await asyncio.sleep(settling)
                before, began = _busy(child), clock()
                await asyncio.sleep(seconds)
                own, machine = (
                    (now - then) / (clock() - began) for now, then in zip(_busy(child), before, strict=True)
                )
    return Idle(picker=picker.kind, endpoints=endpoints, cores=own, other_cores=max(0.0, machine - own))


def _busy(child: Child) -> tuple[float, float]:
    """Return the processor seconds of a process and of the whole machine so far."""
    return processes.processor_seconds(child.pid), processes.busy_seconds()


async def _open(stack: Stack, streams: int) -> Load:
    load = Load(stack.port, Prompts(_HELD).next)
    for _ in range(streams):
        load.ask(clock())
    try:
        await until(lambda: load.answering == streams, what=f"{streams} streams are answered", seconds=_OPENING)
    except LocalError:
        await load.drain(0.0)
        raise
    return load
