"""What pods need beside their container to fit into a cluster."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from chimera_operator.api.core import SecretRef, Toleration
from chimera_operator.api.document import Breach, Document, rule
from chimera_operator.api.lists import ListMap, ListSet
from chimera_operator.api.names import GROUP
from chimera_operator.api.scalars import Labels, NonEmpty, Text

SPREAD = ("topology.kubernetes.io/zone", "kubernetes.io/hostname")


class Pod(Document):
    """What pods need to fit into the cluster."""

    labels: Labels = Field(default_factory=dict)
    """More labels of the pods. Those of `chimera.dev` belong to the operator."""
    annotations: dict[str, Text] = Field(default_factory=dict, max_length=32)
    """More annotations of the pods."""
    node_selector: Labels = Field(default_factory=dict)
    """Labels that nodes must have, beside those of the accelerator."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints that the pods bear, beside those of the accelerator."""
    topology_spread: Annotated[tuple[NonEmpty, ...], Field(max_length=8), ListSet()] = SPREAD
    """Labels of nodes over whose values the replicas are spread where that is possible. Zones and hosts, so that a lost
    one takes as few replicas as can be; an empty list spreads nothing."""
    priority_class_name: NonEmpty | None = None
    """PriorityClass of the pods. Unset: the cluster's default."""
    service_account_name: NonEmpty | None = None
    """ServiceAccount of the pods. Unset: one that the operator makes, with the rights they need and no more."""
    image_pull_secrets: Annotated[tuple[SecretRef, ...], Field(max_length=16), ListMap()] = ()
    """Secrets for registries that ask who pulls."""

    @rule(
        f"labels of {GROUP} belong to the operator",
        cel=f"!has(self.labels) || self.labels.all(key, !key.startsWith('{GROUP}/'))",
        at="labels",
    )
    def _no_owned_label(self) -> Iterator[Breach]:
        if any(key.startswith(f"{GROUP}/") for key in self.labels):
            yield Breach()
