"""What containers and their pods are fitted with: environment, mounts, volumes."""

from collections.abc import Iterable
from dataclasses import dataclass

from chimera_operator.api.core import EnvVar, ImageVolume, SecretKeyRef
from chimera_operator.api.errors import PoolError
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.manifest import Manifest

IMAGE_VOLUMES_SINCE = (1, 35)
"""Kubernetes from which on image volumes are there unless somebody switches them off; stable in 1.36."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fittings:
    """What a container and its pod get for one purpose.

    Attributes:
        env: Environment variables of the container.
        mounts: Volume mounts of the container.
        volumes: Volumes of the pod.
    """

    env: tuple[Manifest, ...] = ()
    mounts: tuple[Manifest, ...] = ()
    volumes: tuple[Manifest, ...] = ()


NOTHING = Fittings()


def together(parts: Iterable[Fittings]) -> Fittings:
    """Return all parts as one; a volume that two of them name is there once."""
    found = tuple(parts)
    volumes = {volume["name"]: volume for part in found for volume in part.volumes}
    return Fittings(
        env=tuple(variable for part in found for variable in part.env),
        mounts=tuple(mount for part in found for mount in part.mounts),
        volumes=tuple(volumes.values()),
    )


def mounted(volume: Manifest, path: str, *, writable: bool = False) -> Fittings:
    """Return a volume mounted at a path."""
    read_only = {} if writable else {"readOnly": True}
    return Fittings(mounts=({"name": volume["name"], "mountPath": path, **read_only},), volumes=(volume,))


def claim(name: str, claim_name: str, *, read_only: bool = False) -> Manifest:
    """Return a PersistentVolumeClaim as a volume."""
    return {
        "name": name,
        "persistentVolumeClaim": {"claimName": claim_name, **({"readOnly": True} if read_only else {})},
    }


def image(name: str, source: ImageVolume, *, path: str, facts: Facts) -> Manifest:
    """Return an OCI image as a volume.

    Args:
        name: Of the volume.
        source: The image.
        path: Where it stands in the document, for the error.
        facts: The cluster.

    Raises:
        PoolError: The cluster has no such volumes.
    """
    if facts.version < IMAGE_VOLUMES_SINCE:
        raise PoolError(path, f"needs Kubernetes {'.'.join(map(str, IMAGE_VOLUMES_SINCE))} or newer")
    policy = {"pullPolicy": source.pull_policy} if source.pull_policy else {}
    return {"name": name, "image": {"reference": source.reference, **policy}}


def secret_file(volume: str, ref: SecretKeyRef, *, folder: str, file: str) -> Fittings:
    """Return one key of a Secret as the file `folder/file`."""
    secret = {"secretName": ref.name, "items": [{"key": ref.key, "path": file}]}
    return mounted({"name": volume, "secret": secret}, folder)


def variables(values: Iterable[tuple[str, str]]) -> tuple[Manifest, ...]:
    """Return variables with these values."""
    return tuple({"name": name, "value": value} for name, value in values)


def secret_variable(name: str, *, secret: str, key: str) -> Manifest:
    """Return a variable whose value is in a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def environment(ours: Iterable[Manifest], told: Iterable[EnvVar]) -> list[Manifest]:
    """Return the variables of a container: the user's win, and each is there once."""
    merged = {variable["name"]: variable for variable in ours}
    merged.update({variable.name: _variable(variable) for variable in told})
    return list(merged.values())


def _variable(variable: EnvVar) -> Manifest:
    source = variable.value_from
    if source is None:
        return {"name": variable.name, "value": variable.value}
    return {"name": variable.name, "valueFrom": source.model_dump(by_alias=True, exclude_none=True)}
