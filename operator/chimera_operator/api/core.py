"""Shapes that Kubernetes' own API has, as far as a pool needs them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from chimera_operator.api.document import Breach, Document, OneOf, rule
from chimera_operator.api.scalars import VARIABLE, Labels, NonEmpty, PoolName, PullPolicy, Quantity, Reference, Text


class SecretRef(Document):
    """A Secret in the pool's namespace."""

    name: NonEmpty
    """Name of the Secret."""


class SecretKeyRef(SecretRef):
    """A key of a Secret in the pool's namespace."""

    key: NonEmpty
    """Key inside the Secret."""


class ConfigMapKeyRef(Document):
    """A key of a ConfigMap in the pool's namespace."""

    name: NonEmpty
    """Name of the ConfigMap."""
    key: NonEmpty
    """Key inside the ConfigMap."""


class VariableSource(OneOf):
    """Where the value of an environment variable is: exactly one of the fields."""

    secret_key_ref: SecretKeyRef | None = None
    """A key of a Secret."""
    config_map_key_ref: ConfigMapKeyRef | None = None
    """A key of a ConfigMap."""


class EnvVar(Document):
    """One environment variable."""

    name: Annotated[str, Field(pattern=VARIABLE, max_length=253)]
    """Name of the variable."""
    value: Text | None = None
    """Value of the variable."""
    value_from: VariableSource | None = None
    """Where the value is instead. `chimera up` takes such a variable from its own environment."""

    @rule("must give exactly one of value, valueFrom", cel="has(self.value) != has(self.valueFrom)")
    def _one_value(self) -> Iterator[Breach]:
        if (self.value is None) == (self.value_from is None):
            yield Breach()


class Resources(Document):
    """CPU, memory and other resources of a container. Accelerators of engines are not given here."""

    requests: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """What a node must have free, such as `cpu: "4"` and `memory: 32Gi`."""
    limits: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """What the container may take at most."""


class Toleration(Document):
    """A taint of nodes that pods bear."""

    key: NonEmpty | None = None
    """Key of the taint. Unset, with operator Exists: every taint."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """Equal: the taint's value is this one. Exists: whatever it is."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint. Unset: any."""
    toleration_seconds: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    """Effect NoExecute: seconds that a pod stays. Unset: for ever."""


class Selector(Document):
    """Objects by their labels."""

    match_labels: Labels = Field(default_factory=dict)
    """Labels that an object must have, all of them. Empty: every object."""


class ImageVolume(Document):
    """An OCI image that is mounted as a volume."""

    reference: Reference
    """Image, best by digest."""
    pull_policy: PullPolicy | None = None
    """When nodes pull it. Unset: as Kubernetes does, Always for the tag `latest` and IfNotPresent for others."""


class ClaimVolume(Document):
    """A PersistentVolumeClaim that exists in the pool's namespace."""

    claim_name: NonEmpty
    """Name of the PersistentVolumeClaim. More than one replica needs one that many nodes can mount."""


class ObjectMeta(Document):
    """Kubernetes' own part; whatever else an object carries there is not this resource's to judge."""

    model_config = ConfigDict(extra="ignore")

    name: NonEmpty
    """Name of the object."""
    namespace: NonEmpty | None = None
    """Its namespace. Unset outside a cluster."""
    uid: str | None = None
    """What the API server knows this very object by, for those that it owns."""
    generation: int | None = None
    """Counts the changes of its spec."""


class PoolMeta(ObjectMeta):
    """Kubernetes' own part of a pool."""

    name: PoolName
    """Name of the pool. A request whose `model` equals it asks for the full choice."""
