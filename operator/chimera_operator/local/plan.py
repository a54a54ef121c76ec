"""What runs on this machine for a pool: pure, from the pool and the ports to files and command lines."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from chimera_operator.api.errors import PoolError
from chimera_operator.api.model import ModelSpec
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.coefficients import StepTime
from chimera_operator.rendering.engine import Serving, hub_or_bucket, simulator_arguments, vllm_arguments
from chimera_operator.rendering.envoy import LOOPBACK, bootstrap
from chimera_operator.rendering.profiles import PROFILES
from chimera_operator.rendering.profiles.types import EngineProfile
from chimera_operator.rendering.router_config import router_config, step_times

EngineKind = Literal["simulator", "vllm"]

ROUTER_CONFIG, ENDPOINTS, BOOTSTRAP = "router-config.json", "endpoints.json", "envoy.json"

DRAIN_SECONDS = 2
"""Who stops a local pool waits for it: requests in flight get little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run.

    Attributes:
        name: What people know it by; unique in a plan.
        argv: Program and arguments.
        ready_url: Answers 200 as soon as the program serves.
        env: Variables on top of the inherited ones.
    """

    name: str
    argv: tuple[str, ...]
    ready_url: str
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where everything listens; one engine port for each replica of each model, in the pool's order."""

    gateway: int
    picker: int
    management: int
    feedback: int
    engines: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What this machine lends to a pool.

    Attributes:
        folder: Where the files will be.
        ports: Where everything listens.
        python: Path of the Python that has this package.
        envoy: Path of Envoy.
        vllm: Path of the `vllm` command.
        state: Folder where the picker keeps what it learned; None where it forgets.
        recordings: Folder of recorded data that simulated engines answer from; None for the package's own.
    """

    folder: Path
    ports: Ports
    python: str
    envoy: str
    vllm: str
    state: Path | None = None
    recordings: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPlan:
    """Files to write into a folder, then programs to run.

    Attributes:
        files: JSON documents by file name.
        engines: One command for each endpoint.
        picker: The endpoint picker.
        envoy: The gateway.
    """

    files: Mapping[str, Any]
    engines: tuple[Command, ...]
    picker: Command
    envoy: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replica:
    """One engine of a model."""

    name: str
    model: ModelSpec
    path: str
    time: StepTime
    port: int
    seed: int


def replica_count(pool: HeterogeneousModelPool) -> int:
    """Return how many engines the pool runs."""
    return sum(model.scaling.first_replicas for model in pool.spec.models)


def local_plan(pool: HeterogeneousModelPool, *, site: Site, speed: float, engine: EngineKind) -> LocalPlan:
    """Return what runs on this machine for a pool.

    Args:
        pool: The pool.
        site: What this machine lends to it.
        speed: How many times faster than real simulated engines run.
        engine: Which engine serves the models.

    Raises:
        PoolError: A model cannot be served that way.
    """
    _check(pool)
    replicas = list(_replicas(pool, site.ports, speed))
    return LocalPlan(
        files={
            ROUTER_CONFIG: router_config(pool, discovery={"file": {"path": str(site.folder / ENDPOINTS)}}, speed=speed),
            ENDPOINTS: {"endpoints": [_endpoint(replica) for replica in replicas]},
            BOOTSTRAP: bootstrap(
                port=site.ports.gateway,
                picker_port=site.ports.picker,
                accounting=pool.spec.routing.accounting,
            ),
        },
        engines=tuple(_engine(replica, site, engine) for replica in replicas),
        picker=_picker(site),
        envoy=_envoy(site),
    )


def _check(pool: HeterogeneousModelPool) -> None:
    """Raise PoolError where the pool asks for what one machine does not have."""
    bundle = pool.spec.routing.bundle
    if bundle.pvc or bundle.image or bundle.archive:
        raise PoolError("spec.routing.bundle", "must be a path: volumes, images and archives exist in a cluster only")
    if pool.spec.routing.fallback_endpoints:
        raise PoolError("spec.routing.fallbackEndpoints", "must be 0: the gateway of one machine takes one endpoint")
    for index, model in enumerate(pool.spec.models):
        if model.loras:
            raise PoolError(f"spec.models[{index}].loras", "must be empty: adapters exist in a cluster only")


def _replicas(pool: HeterogeneousModelPool, ports: Ports, speed: float) -> Iterator[_Replica]:
    times, free = step_times(pool, speed=speed), iter(enumerate(ports.engines))
    for index, model in enumerate(pool.spec.models):
        for ordinal in range(model.scaling.first_replicas):
            seed, port = next(free)
            yield _Replica(
                name=f"{model.name}-{ordinal}",
                model=model,
                path=f"spec.models[{index}]",
                time=times[model.name],
                port=port,
                seed=seed,
            )


def _endpoint(replica: _Replica) -> dict[str, str]:
    return {"name": replica.name, "address": f"{LOOPBACK}:{replica.port}", "model": replica.model.name}


def _engine(replica: _Replica, site: Site, engine: EngineKind) -> Command:
    program, arguments, env = _vllm(replica, site) if engine == "vllm" else _simulator(replica, site)
    url = f"http://{LOOPBACK}:{replica.port}/health"
    return Command(name=replica.name, argv=(program, *arguments), ready_url=url, env=env)


def _vllm(replica: _Replica, site: Site) -> tuple[str, list[str], dict[str, str]]:
    model, profile = replica.model, _profile(replica.model)
    arguments = vllm_arguments(
        model,
        _serving(replica),
        profile=profile,
        weights=hub_or_bucket(model, path=replica.path),
        more=[("--data-parallel-size", str(model.parallelism.data))],
    )
    told = {variable.name: variable.value for variable in model.engine.env if variable.value is not None}
    return site.vllm, [*profile.command[1:], *arguments], {**profile.env, **told}


def _profile(model: ModelSpec) -> EngineProfile:
    """Return the profile that the model names, else the newest; what is installed here nobody knows."""
    named = [profile for profile in PROFILES["VLLM"] if profile.name == model.engine.profile]
    return (named or PROFILES["VLLM"])[-1]


def _simulator(replica: _Replica, site: Site) -> tuple[str, list[str], dict[str, str]]:
    arguments = simulator_arguments(replica.model, _serving(replica), time=replica.time, seed=replica.seed)
    recordings = ["--data", str(site.recordings)] if site.recordings else []
    return site.python, ["-m", "chimera_bench.engine", *arguments, *recordings], {}


def _serving(replica: _Replica) -> Serving:
    return Serving(host=LOOPBACK, port=replica.port, drain_seconds=DRAIN_SECONDS)


def _picker(site: Site) -> Command:
    ports = site.ports
    argv = (
        *(site.python, "-m", "chimera_router", "--config", str(site.folder / ROUTER_CONFIG), "--host", LOOPBACK),
        # Nobody stands between two processes on loopback, and Envoy would accept any certificate there: TLS would only
        # cost the time of both. For the same reason whoever is on this machine may see the management pages.
        *("--grpc-port", str(ports.picker), "--management-port", str(ports.management), "--insecure"),
        *("--feedback-port", str(ports.feedback)),
        *(("--state-path", str(site.state)) if site.state else ()),
    )
    return Command(name="picker", argv=argv, ready_url=f"http://{LOOPBACK}:{ports.management}/readyz")


def _envoy(site: Site) -> Command:
    argv = (
        *(site.envoy, "--config-path", str(site.folder / BOOTSTRAP), "--concurrency", "1"),
        # Hot restart would share memory with any other Envoy of this machine.
        *("--disable-hot-restart", "--log-level", "warning"),
    )
    return Command(name="envoy", argv=argv, ready_url=f"http://{LOOPBACK}:{site.ports.gateway}/v1/models")
