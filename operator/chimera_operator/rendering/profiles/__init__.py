"""Engine profiles: one module of data for each version of an engine."""

from collections.abc import Mapping

from chimera_operator.api.engine import Engine
from chimera_operator.api.errors import PoolError
from chimera_operator.rendering.member import Member
from chimera_operator.rendering.profiles import simulator, vllm_0_32, vllm_0_33
from chimera_operator.rendering.profiles.types import EngineProfile

PROFILES: Mapping[str, tuple[EngineProfile, ...]] = {
    "VLLM": (vllm_0_32.PROFILE, vllm_0_33.PROFILE),
    "Simulator": (simulator.PROFILE,),
}
"""Profiles by type of engine, the newest last. A profile that was ever newest stays: pools are pinned to it."""


def newest(engine: Engine) -> EngineProfile:
    """Return the profile of a model that names none and was never deployed."""
    return PROFILES[engine.type][-1]


def profile(member: Member, name: str) -> EngineProfile:
    """Return the profile of a name for the engine of a model.

    Raises:
        PoolError: Its kind of engine has none of that name.
    """
    known = {each.name: each for each in PROFILES[member.model.engine.type]}
    if name not in known:
        raise PoolError(f"{member.path}.engine.profile", f"must be one of {', '.join(known)}")
    return known[name]
