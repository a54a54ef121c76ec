"""The `PooledModel`: one model of a pool as a resource of its own, so that autoscalers can set its replicas.

The scale subresource takes one fixed path, so a list of models could never be scaled by it.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from chimera_operator.api.conditions import Condition
from chimera_operator.api.core import ObjectMeta
from chimera_operator.api.document import Document, Observed, Rule
from chimera_operator.api.lists import ListMap
from chimera_operator.api.scalars import Amount, DnsLabel, PoolName, Text
from chimera_operator.api.status import Phase


class PooledModelSpec(Document):
    """Which model it is, and how many replicas it should have."""

    pool: PoolName
    """Name of its HeterogeneousModelPool."""
    model: DnsLabel
    """Name of the model in the pool."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Replicas wished. The operator sets it where the pool says `scaling.replicas` or `scaling.auto`; with
    `scaling.external` it is whoever scales, and 0 ends the last replica."""

    server_rules: ClassVar = (
        Rule(
            sentence="pool and model cannot change",
            cel="self.pool == oldSelf.pool && self.model == oldSelf.model",
        ),
    )


class PooledModelStatus(Observed):
    """What was observed of the model."""

    observed_generation: int | None = None
    """Generation of the spec that this status is about."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16), ListMap("type")] = ()
    """Progressing, Ready, Degraded, CapacityLimited."""
    phase: Phase | None = None
    """As in the pool's status."""
    revision: Text = ""
    """Newest revision of the model's pods."""
    replicas: Amount = 0
    """Replicas that there are, ready or not: an autoscaler would ask for ever more if it saw the ready ones only."""
    ready_replicas: Amount = 0
    """Replicas that serve."""
    selector: Text = ""
    """Selects the model's pods, as text, for HorizontalPodAutoscaler."""


class PooledModel(Document):
    """One model of a HeterogeneousModelPool, made by the operator; it carries the scale subresource."""

    api_version: Literal["chimera.dev/v1alpha1"]
    """Group and version of the resource."""
    kind: Literal["PooledModel"]
    """Kind of the resource."""
    metadata: ObjectMeta
    """Kubernetes' own part."""
    spec: PooledModelSpec
    """Which model it is, and how many replicas it should have."""
    status: PooledModelStatus | None = None
    """What was observed of it; written by the operator only."""
