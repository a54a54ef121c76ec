"""Kubernetes' objects, as far as the picker reads them."""

from msgspec import Struct, field


class Metadata(Struct, frozen=True, rename="camel"):
    """What every object says of itself.

    Attributes:
        resource_version: Where a watch goes on from.
        deletion_timestamp: Since when it is being deleted; None where it is not.
    """

    name: str = ""
    resource_version: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    deletion_timestamp: str | None = None


class KubernetesObject(Struct, frozen=True):
    """Any object; of a bookmark nothing else is there."""

    metadata: Metadata


class Condition(Struct, frozen=True):
    """One condition of a pod."""

    type: str
    status: str


class PodStatus(Struct, frozen=True):
    """What a pod's kubelet says of it."""

    ip: str = field(default="", name="podIP")
    conditions: tuple[Condition, ...] = ()


class Pod(KubernetesObject, frozen=True):
    """A pod."""

    status: PodStatus = PodStatus()

    @property
    def ready(self) -> bool:
        """Whether it has an address and its containers pass their readiness probes."""
        conditions = self.status.conditions
        return bool(self.status.ip) and any(each.type == "Ready" and each.status == "True" for each in conditions)

    @property
    def terminating(self) -> bool:
        """Whether it is being deleted."""
        return self.metadata.deletion_timestamp is not None


class LabelSelector(Struct, frozen=True, rename="camel"):
    """Labels that a pod must have, all of them."""

    match_labels: dict[str, str]


class TargetPort(Struct, frozen=True):
    """A port that every pod of a pool listens on."""

    number: int


class InferencePoolSpec(Struct, frozen=True, rename="camel"):
    """What an InferencePool asks for."""

    selector: LabelSelector
    target_ports: tuple[TargetPort, ...]


class InferencePool(KubernetesObject, frozen=True):
    """An InferencePool, of version inference.networking.k8s.io/v1."""

    spec: InferencePoolSpec

    @property
    def selector(self) -> dict[str, str]:
        """The labels of its pods."""
        return self.spec.selector.match_labels

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of its pods, by rank."""
        return tuple(port.number for port in self.spec.target_ports)


class ConfigMap(KubernetesObject, frozen=True):
    """A ConfigMap."""

    data: dict[str, str] = field(default_factory=dict)
