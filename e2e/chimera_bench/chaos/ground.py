"""A pool to make faults in: engines and pickers that can be killed one by one, and Envoy in front."""

import asyncio
import dataclasses
import json
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from chimera_bench.chaos.gateways import Edit, replicas
from chimera_bench.load import gateway, pool
from chimera_bench.load.cases import CASES, Case
from chimera_bench.load.client import Load
from chimera_bench.load.pickers import chimera_command
from chimera_bench.load.prompts import Prompts
from chimera_bench.load.stack import READY_SECONDS, engine_command
from chimera_bench.load.waiting import until_awaited
from chimera_operator.local.plan import Command
from chimera_operator.local.ports import free_ports
from chimera_operator.local.supervisor import supervise
from chimera_operator.rendering.envoy import LOOPBACK, bootstrap

if TYPE_CHECKING:
    from chimera_operator.local.process import Child

_SETTLED = 15.0  # seconds for a picker to be idle again


class Process:
    """A program that can be killed and started again, and never outlives the stack.

    Args:
        command: What starts it.
        stack: Closed when all is over.
        folder: For its log.
    """

    def __init__(self, command: Command, stack: AsyncExitStack, folder: Path) -> None:
        self.command = command
        self._stack = stack
        self._folder = folder
        self.child: Child | None = None

    async def start(self) -> None:
        """Start it; return once it serves.

        Raises:
            LocalError: It did not come up.
        """
        started = supervise([self.command], logs=self._folder, ready_seconds=READY_SECONDS)
        (self.child,) = await self._stack.enter_async_context(started)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.child is not None:
            self.child.signal(number)

    @property
    def ended(self) -> bool:
        """Whether it runs no longer."""
        return self.child is None or self.child.exit.done()

    @property
    def pid(self) -> int:
        """Of the process."""
        if self.child is None:
            raise RuntimeError("it was not started")
        return self.child.pid


class Picker(Process):
    """A picker and what it says of itself."""

    def __init__(self, command: Command, stack: AsyncExitStack, folder: Path, http: aiohttp.ClientSession) -> None:
        super().__init__(command, stack, folder)
        self._page = command.ready_url.replace("/readyz", "/metrics")
        self._http = http

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels."""
        async with self._http.get(self._page) as response:
            families = text_string_to_metric_families(await response.text())
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    async def idle(self) -> bool:
        """Return whether it has no stream open and nothing in flight."""
        names = ("chimera_streams", "chimera_in_flight_requests", "chimera_in_flight_tokens")
        return sum([abs(await self.metric(name)) for name in names]) < 0.5  # tokens are sums of estimates

    async def settle(self, seconds: float = _SETTLED) -> float:
        """Wait until it is idle; return the seconds that took.

        Raises:
            LocalError: It is not in time.
        """
        return await until_awaited(self.idle, what="the picker is idle", seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A pool that serves.

    Attributes:
        port: Where clients connect.
        ports: Of the engines.
        engines: Their processes, one each; empty where somebody else runs them.
        pickers: The replicas.
        envoy: What asks them.
        folder: Where the files are that they follow.
    """

    port: int
    ports: Sequence[int]
    engines: Sequence[Process]
    pickers: Sequence[Picker]
    envoy: Process
    folder: Path

    def load(self, case: Case = CASES["json1k"], *, headers: str = "") -> Load:
        """Return what sends requests of a case."""
        return Load(self.port, Prompts(case, headers=headers).next)

    def configure(self, **changes: Any) -> None:
        """Give the pickers another RouterConfig."""
        replace(self.folder / pool.CONFIG, pool.config(**changes))

    def list_endpoints(self, ports: Sequence[int], models: Sequence[str] = pool.PLACES) -> None:
        """Give the pickers another list of endpoints."""
        replace(self.folder / pool.ENDPOINTS, pool.endpoints(ports, models))


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a pool is made of.

    Attributes:
        pickers: Replicas.
        engines: Ports of engines that are there already; empty starts a process for each place of the pool.
        models: On the engines, in turn.
        edits: Of Envoy's bootstrap, beside the one that lets it ask all replicas.
        config: Fields of the RouterConfig.
        options: More of the pickers' command line.
    """

    pickers: int = 1
    engines: Sequence[int] = ()
    models: Sequence[str] = pool.PLACES
    edits: Sequence[Edit] = ()
    config: dict[str, Any] = field(default_factory=dict)
    options: Sequence[str] = ()


@asynccontextmanager
async def ground(site: Site | None = None) -> AsyncIterator[Ground]:
    """Serve a pool until the block ends.

    Raises:
        LocalError: A program could not be started.
    """
    site = site or Site()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chimera-chaos-")))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        made = _made(site, stack, folder, http)
        made.configure(**site.config)
        made.list_endpoints(made.ports, site.models)
        for group in (made.engines, made.pickers, [made.envoy]):
            await asyncio.gather(*(process.start() for process in group))
        yield made


def replace(path: Path, text: str) -> None:
    """Write a file so that whoever follows it sees all of it or nothing."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def _made(site: Site, stack: AsyncExitStack, folder: Path, http: aiohttp.ClientSession) -> Ground:
    port, *free = free_ports(1 + len(pool.PLACES) + 2 * site.pickers)
    ports, free = site.engines or free[: len(pool.PLACES)], free[len(pool.PLACES) :]
    serving, management = free[: site.pickers], free[site.pickers :]
    pickers = []
    for number, (own, pages) in enumerate(zip(serving, management, strict=True)):
        command = chimera_command(folder, port=own, management=pages, options=site.options)
        pickers.append(Picker(dataclasses.replace(command, name=f"picker-{number}"), stack, folder, http))
    engines = (
        [] if site.engines else [Process(engine_command([own], name=f"engine-{own}"), stack, folder) for own in ports]
    )
    document = bootstrap(port=port, picker_port=serving[0])
    for edit in (replicas(serving), *site.edits):
        edit(document)
    (folder / "envoy.json").write_text(json.dumps(document))
    envoy = Process(gateway.envoy(folder / "envoy.json", f"http://{LOOPBACK}:{port}/v1/models"), stack, folder)
    return Ground(port=port, ports=ports, engines=engines, pickers=pickers, envoy=envoy, folder=folder)
