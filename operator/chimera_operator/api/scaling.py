"""How many replicas serve a model, and how they are replaced."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from chimera_operator.api.document import Breach, Document, given, rule
from chimera_operator.api.scalars import Count, WholeSeconds

Replicas = Annotated[int, Field(ge=1, le=1000)]  # no pool of one model is larger
Window = Annotated[int, Field(ge=0, le=3600)]  # seconds; HorizontalPodAutoscaler takes no more


class ScaleToZero(Document):
    """A model that nobody asks for gives its accelerators back; its next request waits in the picker."""

    idle_seconds: Annotated[int, Field(ge=30, le=86_400)] = 900
    """Seconds without a request for the model until its last replicas end. A quarter of an hour: several times what
    loading takes."""
    wake_seconds: Annotated[int, Field(ge=1, le=900)] = 600
    """Seconds that a request may wait for the first replica. Ten minutes: what large weights take; gateways must wait
    as long."""


class AutoScaling(Document):
    """The operator follows the load."""

    min_replicas: Replicas = 1
    """Least replicas while the model serves."""
    max_replicas: Replicas
    """Most replicas."""
    target_backlog_tokens_per_replica: Count = 20_000
    """Predicted output tokens in flight that one replica should have. 20,000: an 8B model on an H100 that runs 64
    sequences works them off in three seconds."""
    scale_up_window_seconds: Window = 30
    """Seconds over which the load must ask for more replicas. A shorter burst is over before a new one serves."""
    scale_down_window_seconds: Window = 300
    """Seconds over which the load must ask for fewer; as HorizontalPodAutoscaler has it."""
    scale_to_zero: ScaleToZero | None = None
    """What ends the last replicas. Unset: they stay. Needs routing.flowControl, where the requests wait meanwhile."""

    @rule("must be at least minReplicas", cel="self.?minReplicas.orValue(1) <= self.maxReplicas", at="maxReplicas")
    def _bounds_in_order(self) -> Iterator[Breach]:
        if self.min_replicas > self.max_replicas:
            yield Breach()


class ExternalScaling(Document):
    """Somebody else sets the replicas: HorizontalPodAutoscaler, KEDA or a person, on the model's PooledModel."""


class Scaling(Document):
    """How many replicas serve the model: at most one of the fields, and one replica where none is given."""

    replicas: Replicas | None = None
    """Engine replicas, as many as are given."""
    auto: AutoScaling | None = None
    """As many as the load asks for."""
    external: ExternalScaling | None = None
    """As many as somebody else sets through the scale subresource of the model's PooledModel. It begins with one."""

    @property
    def first_replicas(self) -> int:
        """Replicas to begin with, and on one machine."""
        return self.auto.min_replicas if self.auto else self.replicas or 1

    @rule(
        "replicas, auto and external exclude one another",
        cel=f"{given('replicas', 'auto', 'external')} <= 1",
    )
    def _one_way(self) -> Iterator[Breach]:
        if sum(way is not None for _, way in self) > 1:
            yield Breach()


class Rollout(Document):
    """How replicas are replaced when the model changes."""

    mode: Literal["Auto", "Surge", "InPlace", "Recreate"] = "Auto"
    """Surge: new replicas first, on accelerators that are free. InPlace: an old one ends, a new one takes its place.
    Auto: Surge where accelerators are free, else InPlace; a condition says which. Recreate: all end before new ones
    begin, an outage."""
    max_surge: Annotated[int, Field(ge=0, le=1000)] = 1
    """Replicas beyond the wished ones while they surge. 0 never surges."""
    max_unavailable: Annotated[int, Field(ge=0, le=1000)] = 1
    """Replicas that may be missing while they are replaced in place. 0 never replaces in place: where no accelerator
    is free, the rollout waits for one."""
    drain_seconds: WholeSeconds = 120
    """Seconds that requests in flight get to finish before a replica ends. Two minutes: an answer of 4,000 tokens at 30
    a second."""

    @property
    def moves(self) -> bool:
        """Whether there is a way from old replicas to new ones."""
        surges = self.mode in {"Surge", "Auto"} and self.max_surge > 0
        replaces = self.mode in {"InPlace", "Auto"} and self.max_unavailable > 0
        return self.mode == "Recreate" or surges or replaces
