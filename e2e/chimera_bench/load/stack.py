"""Stand-ins, a picker and Envoy as processes of this machine, for as long as something is measured."""

import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chimera_bench.idle_picker import running
from chimera_bench.load import gateway, pool
from chimera_bench.load.cases import CASES, Closed
from chimera_bench.load.client import Load
from chimera_bench.load.pickers import Picker
from chimera_bench.load.prompts import Prompts
from chimera_operator.local.errors import NotReady
from chimera_operator.local.plan import Command
from chimera_operator.local.ports import free_ports
from chimera_operator.local.process import Child
from chimera_operator.local.supervisor import supervise
from chimera_operator.rendering.envoy import LOOPBACK

READY_SECONDS = 60.0  # to load the bundle on a busy machine
_TRIES = 100  # single requests until one is answered, before anything is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What is measured.

    Attributes:
        port: Where clients connect.
        picker: The picker's process; None where there is none.
    """

    name: str
    port: int
    envoy: Child
    picker: Child | None


@asynccontextmanager
async def engines(count: int = len(pool.PLACES)) -> AsyncIterator[tuple[Child, Sequence[int]]]:
    """Run stand-ins for engines in one process; yield it and their ports.

    Raises:
        LocalError: It could not be started.
    """
    ports = free_ports(count)
    async with running(engine_command(ports)) as child:
        yield child, ports


@asynccontextmanager
async def behind_envoy(picker: Picker | None, engine_ports: Sequence[int]) -> AsyncIterator[Stack]:
    """Run a picker over engines, and Envoy before it; yield once a request passes. None is Envoy alone.

    Raises:
        LocalError: One of them could not be started, or no request passes.
    """
    port, floor_port, picker_port = free_ports(3)
    with tempfile.TemporaryDirectory(prefix="chimera-load-") as name:
        folder = Path(name)
        commands = [] if picker is None else [picker.command(folder, engine_ports, picker_port)]
        document = gateway.measured(
            port=port,
            floor_port=floor_port,
            picker_port=picker_port,
            engines=engine_ports,
            accounting="Observe" if picker is None else picker.gateway,
        )
        (folder / "envoy.json").write_text(json.dumps(document))
        async with (
            supervise(commands, logs=folder, ready_seconds=READY_SECONDS) as pickers,
            supervise(
                [gateway.envoy(folder / "envoy.json", f"http://{LOOPBACK}:{floor_port}/health")],
                logs=folder,
                ready_seconds=READY_SECONDS,
            ) as fronts,
        ):
            stack = Stack(
                name="floor" if picker is None else picker.name,
                port=floor_port if picker is None else port,
                envoy=fronts[0],
                picker=pickers[0] if pickers else None,
            )
            await _passes(stack)
            yield stack


def engine_command(ports: Sequence[int], *, name: str = "engines") -> Command:
    """Return what starts stand-ins."""
    argv = (sys.executable, "-m", "chimera_bench.load.engine", *map(str, ports))
    return Command(name=name, argv=argv, ready_url=f"http://{LOOPBACK}:{ports[-1]}/health")


async def _passes(stack: Stack) -> None:
    """Wait until a request is answered: a picker may be ready before it has heard of its engines."""
    prompts = Prompts(CASES["json1k"])
    for _ in range(_TRIES):
        samples = await Load(stack.port, prompts.next).run(Closed(1), 0.05)
        if any(sample.good for sample in samples):
            return
    raise NotReady(f"{stack.name}: no request was answered", said=stack.picker.tail() if stack.picker else "")
