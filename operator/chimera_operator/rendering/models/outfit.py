"""What sets engines apart: the arguments of vLLM and of the simulator, and what their pods need besides."""

from dataclasses import dataclass
from math import ceil

from chimera_operator.rendering import fittings
from chimera_operator.rendering.coefficients import kv_cache_bytes, step_time
from chimera_operator.rendering.engine import Serving, simulator_arguments, vllm_arguments
from chimera_operator.rendering.fittings import Fittings
from chimera_operator.rendering.flags import Flag
from chimera_operator.rendering.member import Member
from chimera_operator.rendering.models.adapters import adapter_flags, adapter_volumes
from chimera_operator.rendering.models.build import Build
from chimera_operator.rendering.models.caches import caches, scratch, shared_memory
from chimera_operator.rendering.models.ports import port
from chimera_operator.rendering.models.weights import hub_token, weights

HOST = "0.0.0.0"  # noqa: S104 - a NetworkPolicy says who reaches it
GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Outfit:
    """What an engine runs with.

    Attributes:
        arguments: Of each copy of the weights.
        fittings: What its containers and its pod get.
    """

    arguments: tuple[list[str], ...]
    fittings: Fittings


def outfit(build: Build) -> Outfit:
    """Return what the engine of a model runs with.

    Raises:
        PoolError: The engine cannot serve the model.
    """
    loras = adapter_flags(build.member, build.profile)
    return _simulator(build) if build.member.model.engine.type == "Simulator" else _vllm(build, loras)


def _vllm(build: Build, loras: list[Flag]) -> Outfit:
    member, facts = build.member, build.facts
    found = weights(member, facts)
    arguments = tuple(
        vllm_arguments(member.model, serving, profile=build.profile, weights=found.flags, more=loras)
        for serving in _copies(member)
    )
    volumes = (*caches(member), *adapter_volumes(member, facts), shared_memory(member.model.parallelism.cards))
    parts = (_vllm_env(build), hub_token(member), found.fittings, *volumes, scratch())
    return Outfit(arguments=arguments, fittings=fittings.together(parts))


def _vllm_env(build: Build) -> Fittings:
    model = build.member.model
    startup = {"VLLM_ENGINE_READY_TIMEOUT_S": str(model.engine.startup_seconds)}
    cache = None if build.accelerator else kv_cache_bytes(model)
    space = {"VLLM_CPU_KVCACHE_SPACE": str(ceil(cache / GIB))} if cache else {}
    return Fittings(env=fittings.variables({**build.profile.env, **startup, **space}.items()))


def _simulator(build: Build) -> Outfit:
    model = build.member.model
    time = step_time(model, path=build.member.path)
    arguments = tuple(
        simulator_arguments(model, serving, time=time, seed=rank) for rank, serving in enumerate(_copies(build.member))
    )
    return Outfit(arguments=arguments, fittings=scratch())


def _copies(member: Member) -> list[Serving]:
    copies, drain = member.model.parallelism.data, member.model.rollout.drain_seconds
    return [Serving(host=HOST, port=port(rank), drain_seconds=drain) for rank in range(copies)]
