"""What an engine writes: what is costly to make again, shared memory, and everything else."""

from collections.abc import Iterator
from typing import Literal

from chimera_operator.api.cache import CacheVolume, ClaimTemplate
from chimera_operator.rendering import fittings
from chimera_operator.rendering.fittings import Fittings
from chimera_operator.rendering.kinds import CLAIM
from chimera_operator.rendering.manifest import ENGINE, Manifest, new
from chimera_operator.rendering.member import Member
from chimera_operator.rendering.models.weights import on_the_hub

Purpose = Literal["weights", "compile"]

HUB, COMPILED, SCRATCH = "/cache/hub", "/cache/compile", "/tmp"  # noqa: S108 - a volume of the pod's own

SHARED_MEMORY_GI = 2
"""GiB of /dev/shm for each card, at most: NCCL and the engine's processes talk through it. vLLM's own deployment for
Kubernetes gives one card as much; nothing is taken before it is used."""

COMPILED_ENV = {
    "VLLM_CACHE_ROOT": f"{COMPILED}/vllm",
    "TRITON_CACHE_DIR": f"{COMPILED}/triton",
    "FLASHINFER_WORKSPACE_BASE": COMPILED,
}
SCRATCH_ENV = {
    # Whoever runs the engine may have no home, and no name: both are asked for by libraries.
    "HOME": SCRATCH,
    "USER": "engine",
}
OFFLINE_ENV = {"HF_HUB_OFFLINE": "1"}  # nobody is to be asked, or waited for, where everything is on volumes


def scratch() -> Fittings:
    """Return the one folder that any engine may write into; it ends with its pod."""
    volume = fittings.mounted({"name": "scratch", "emptyDir": {}}, SCRATCH, writable=True)
    return fittings.together((Fittings(env=fittings.variables(SCRATCH_ENV.items())), volume))


def shared_memory(cards: int) -> Fittings:
    """Return /dev/shm for so many cards; containers get 64 MiB otherwise."""
    memory = {"medium": "Memory", "sizeLimit": f"{SHARED_MEMORY_GI * max(cards, 1)}Gi"}
    return fittings.mounted({"name": "shared-memory", "emptyDir": memory}, "/dev/shm", writable=True)  # noqa: S108 - same


def caches(member: Member) -> list[Fittings]:
    """Return the caches of a vLLM engine."""
    compiled = _cache(member, "compile", COMPILED, COMPILED_ENV)
    if on_the_hub(member):
        return [compiled, _cache(member, "weights", HUB, {"HF_HOME": HUB})]
    source = member.model.source
    on_volumes = bool(source and (source.pvc or source.image))
    return [compiled, *([Fittings(env=fittings.variables(OFFLINE_ENV.items()))] if on_volumes else [])]


def claims(member: Member) -> Iterator[Manifest]:
    """Yield the PersistentVolumeClaims that are made for the model."""
    yield from (_claim(member, purpose, template) for purpose, template in _templates(member))


def _templates(member: Member) -> Iterator[tuple[Purpose, ClaimTemplate]]:
    cache = member.model.cache
    if cache.compile.claim_template:
        yield "compile", cache.compile.claim_template
    if cache.weights.claim_template and on_the_hub(member):
        yield "weights", cache.weights.claim_template


def _claim(member: Member, purpose: Purpose, template: ClaimTemplate) -> Manifest:
    storage = {"storageClassName": template.storage_class_name} if template.storage_class_name else {}
    spec = {
        "accessModes": [template.access_mode],
        "resources": {"requests": {"storage": template.size}},
        **storage,
    }
    name = member.name(purpose)
    return new(member.pool, CLAIM, name, component=ENGINE, more_labels=member.selector, spec=spec)


def _cache(member: Member, purpose: Purpose, folder: str, env: dict[str, str]) -> Fittings:
    asked = member.model.cache.weights if purpose == "weights" else member.model.cache.compile
    volume = _volume(f"{purpose}-cache", asked, member.name(purpose))
    variables = Fittings(env=fittings.variables(env.items()))
    return fittings.together((variables, fittings.mounted(volume, folder, writable=True)))


def _volume(name: str, asked: CacheVolume, claim_name: str) -> Manifest:
    if asked.pvc:
        return fittings.claim(name, asked.pvc.claim_name)
    if asked.claim_template:
        return fittings.claim(name, claim_name)
    limit = asked.empty_dir.size_limit if asked.empty_dir else None
    return {"name": name, "emptyDir": {"sizeLimit": limit} if limit else {}}
