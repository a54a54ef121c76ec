"""Where an engine in a cluster finds its weights: what vLLM calls them, and what its pod needs for that."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from chimera_operator.api.errors import PoolError
from chimera_operator.api.source import S3, HuggingFace
from chimera_operator.rendering import fittings
from chimera_operator.rendering.engine import hub_or_bucket
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.fittings import Fittings
from chimera_operator.rendering.flags import Flag
from chimera_operator.rendering.member import Member

FOLDER = "/models/weights"
_VOLUME = "weights"

OTHER_SERVICE = {
    # Services with S3's API keep buckets in the path, and none of them has EC2's identities.
    "RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING": "0",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Where weights are.

    Attributes:
        flags: What vLLM calls the model, then the flags that belong to it.
        fittings: What the pod needs.
    """

    flags: tuple[Flag, ...]
    fittings: Fittings = fittings.NOTHING


def weights(member: Member, facts: Facts) -> Weights:
    """Return where the weights of a model are.

    Raises:
        PoolError: They are nowhere, or in an image that the cluster cannot mount.
    """
    path = f"{member.path}.source"
    match member.model.source:
        case None:
            raise PoolError(path, "is required for vLLM")
        case source if pvc := source.pvc:
            volume = fittings.claim(_VOLUME, pvc.claim_name, read_only=True)
            return Weights(flags=((inside(FOLDER, pvc.path),),), fittings=fittings.mounted(volume, FOLDER))
        case source if image := source.image:
            volume = fittings.image(_VOLUME, image, path=f"{path}.image", facts=facts)
            return Weights(flags=((inside(FOLDER, image.path),),), fittings=fittings.mounted(volume, FOLDER))
        case source:
            needed = _bucket(source.s3) if source.s3 else fittings.NOTHING
            return Weights(flags=tuple(hub_or_bucket(member.model, path=member.path)), fittings=needed)


def inside(folder: str, path: str) -> str:
    """Return a folder inside a mounted one."""
    return str(PurePosixPath(folder, path.strip("/")))


def on_the_hub(member: Member) -> list[HuggingFace]:
    """Return what of a model is on the hub: weights, then adapters."""
    sources = [member.model.source, *(lora.source for lora in member.model.loras)]
    return [source.hugging_face for source in sources if source and source.hugging_face]


def hub_token(member: Member) -> Fittings:
    """Return the token of the hub, where a source names one.

    Raises:
        PoolError: Sources name different ones: an engine takes one.
    """
    refs = {hub.token_secret_ref for hub in on_the_hub(member) if hub.token_secret_ref}
    if len(refs) > 1:
        raise PoolError(f"{member.path}.loras", "must name the same tokenSecretRef as the weights: an engine takes one")
    return Fittings(env=tuple(fittings.secret_variable("HF_TOKEN", secret=ref.name, key=ref.key) for ref in refs))


def _bucket(s3: S3) -> Fittings:
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if s3.secret_ref else ()
    credentials = [fittings.secret_variable(key, secret=s3.secret_ref.name, key=key) for key in keys if s3.secret_ref]
    region = {"AWS_REGION": s3.region, "AWS_DEFAULT_REGION": s3.region} if s3.region else {}
    service = {"AWS_ENDPOINT_URL": s3.endpoint, **OTHER_SERVICE} if s3.endpoint else {}
    return Fittings(env=(*credentials, *fittings.variables((*region.items(), *service.items()))))
