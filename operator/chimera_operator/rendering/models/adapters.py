"""How an engine finds its LoRA adapters."""

from chimera_operator.api.errors import PoolError
from chimera_operator.api.model import Lora
from chimera_operator.rendering import fittings
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.fittings import Fittings
from chimera_operator.rendering.flags import Flag
from chimera_operator.rendering.member import Member
from chimera_operator.rendering.models.weights import inside
from chimera_operator.rendering.profiles.types import EngineProfile, Feature

FOLDER = "/models/adapters"


def adapter_flags(member: Member, profile: EngineProfile) -> list[Flag]:
    """Return the flags that load the adapters, every one of which may be in a batch.

    Raises:
        PoolError: The engine loads none, or not like this.
    """
    loras = member.model.loras
    if not loras:
        return []
    if Feature.LORAS not in profile.features:
        raise PoolError(f"{member.path}.loras", f"must be empty: {profile.name} loads none")
    modules = [f"{lora.name}={_place(lora, index, member)}" for index, lora in enumerate(loras)]
    return [("--enable-lora",), ("--max-loras", str(len(loras))), ("--lora-modules", *modules)]


def adapter_volumes(member: Member, facts: Facts) -> list[Fittings]:
    """Return the volumes that adapters are on.

    Raises:
        PoolError: The cluster cannot mount an image.
    """
    return [_volume(lora, index, member, facts) for index, lora in enumerate(member.model.loras)]


def _place(lora: Lora, index: int, member: Member) -> str:
    hub, volume = lora.source.hugging_face, lora.source.pvc or lora.source.image
    if hub and hub.revision:
        path = f"{member.path}.loras[{index}].source.huggingFace.revision"
        raise PoolError(path, "must not be set: vLLM takes none for adapters")
    return hub.repo if hub else inside(_folder(index), volume.path if volume else "")


def _volume(lora: Lora, index: int, member: Member, facts: Facts) -> Fittings:
    name, pvc, image = f"adapter-{index}", lora.source.pvc, lora.source.image
    if pvc:
        return fittings.mounted(fittings.claim(name, pvc.claim_name, read_only=True), _folder(index))
    if image:
        path = f"{member.path}.loras[{index}].source.image"
        return fittings.mounted(fittings.image(name, image, path=path, facts=facts), _folder(index))
    return fittings.NOTHING


def _folder(index: int) -> str:
    return f"{FOLDER}/{index}"
