"""What a replica of a model runs on."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from chimera_operator.api.core import Toleration
from chimera_operator.api.document import Breach, Document, given, rule
from chimera_operator.api.scalars import EXTENDED_RESOURCE, MIG_PROFILE, Count, DnsLabel, Labels, NonEmpty, WholeSeconds

MOST_PORTS = 8  # of an InferencePool (inference.networking.k8s.io/v1)
Ways = Annotated[int, Field(ge=1, le=64)]  # no machine has more accelerators


class Parallelism(Document):
    """How many accelerators one replica spreads over: the product of the three. A replica is one pod."""

    tensor: Ways = 1
    """Accelerators that share each layer."""
    pipeline: Ways = 1
    """Groups of layers, one after another."""
    data: Annotated[int, Field(ge=1, le=MOST_PORTS)] = 1
    """Copies of the weights inside one replica, each an endpoint of its own to the picker. At most as many as an
    InferencePool has ports."""

    @property
    def cards(self) -> int:
        """Accelerators of one replica."""
        return self.tensor * self.pipeline * self.data


class ClaimTemplateRef(Document):
    """A ResourceClaimTemplate in the pool's namespace."""

    name: NonEmpty
    """Name of the ResourceClaimTemplate."""


class Accelerator(Document):
    """One kind of accelerator that can serve the model."""

    class_: DnsLabel = Field(alias="class")
    """Class of the card, such as `nvidia-h100`: what its speed and memory are known by."""
    name: DnsLabel | None = None
    """What status calls this alternative, unique in the list. Unset: the class."""
    count: Count | None = None
    """Cards, or MIG slices, of one replica. Unset: tensor × pipeline × data, which it must be."""
    resource: Annotated[str, Field(pattern=EXTENDED_RESOURCE, max_length=253)] | None = None
    """Resource by which nodes count such cards. Unset: `nvidia.com/gpu`, or that of `mig`."""
    mig: Annotated[str, Field(pattern=MIG_PROFILE, max_length=16)] | None = None
    """MIG profile in place of whole cards, such as `1g.10gb`: the resource `nvidia.com/mig-1g.10gb`."""
    resource_claim_template: ClaimTemplateRef | None = None
    """Claims the cards by dynamic resource allocation instead, one claim for each copy of the weights in a pod."""
    node_selector: Labels = Field(default_factory=dict)
    """Labels of nodes that have such cards, such as `nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3`."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints of such nodes that pods bear."""
    runtime_class_name: NonEmpty | None = None
    """RuntimeClass that gives containers such cards, such as `nvidia`. Unset: the nodes' default."""
    wait_seconds: WholeSeconds = 300
    """Seconds that a replica waits for such cards before it takes the next alternative. Five minutes: a cluster
    autoscaler brings a node within that."""
    relative_cost: Annotated[float, Field(gt=0, le=1_000_000)] = 1.0
    """What a replica costs here compared with the other alternatives. 1: as much."""

    @property
    def label(self) -> str:
        """What status calls it."""
        return self.name or self.class_

    @rule(
        "resource, mig and resourceClaimTemplate exclude one another",
        cel=f"{given('resource', 'mig', 'resourceClaimTemplate')} <= 1",
    )
    def _counted_one_way(self) -> Iterator[Breach]:
        if sum(way is not None for way in (self.resource, self.mig, self.resource_claim_template)) > 1:
            yield Breach()
