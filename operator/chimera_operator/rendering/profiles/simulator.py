"""The engine simulator of this release. It says of every answer that it is simulated."""

from chimera_operator.rendering.profiles.types import EngineProfile, Feature

PROFILE = EngineProfile(
    name="simulator",
    image="",
    cpu_image="",
    command=("python", "-m", "chimera_bench.engine"),
    flags={},
    env={},
    health="/health",
    metrics="vllm",
    shutdown_flag="--shutdown-timeout",
    account=None,
    features=frozenset((Feature.DRAIN,)),
)
