"""One model of the pool: where its weights are, how its engine runs, on what, and what is known of it.

Nothing below `spec.models` and `spec.defaults` has a default in the generated schema: the API server would fill it in
before anybody merges `spec.defaults`, which would then never apply.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from chimera_operator.api.accelerators import Accelerator, Parallelism
from chimera_operator.api.cache import Cache
from chimera_operator.api.core import Resources
from chimera_operator.api.document import Breach, Document, rule
from chimera_operator.api.engine import Engine
from chimera_operator.api.lists import ListMap, ListSet
from chimera_operator.api.pod import Pod
from chimera_operator.api.scalars import Count, DnsLabel, Microseconds, Milliseconds, ServedName, Share
from chimera_operator.api.scaling import Rollout, Scaling
from chimera_operator.api.source import AdapterSource, Source

LABEL = "(has({0}.name) ? {0}.name : {0}.class)"  # Accelerator.label, in CEL
ShortText = Annotated[str, Field(max_length=253)]


class Descriptor(Document):
    """A model in figures, for predictors that have not seen it yet and for the estimate of its step time."""

    trained_as: ShortText = ""
    """Name of the model in the predictor bundle's training data. Empty: the model's own name."""
    parameters_b: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """Total parameters, in billions."""
    family: ShortText = ""
    """Model family, such as `llama-3`."""
    general_score: Share | None = None
    """Share of general questions answered right; the confidence where no predictor answers."""
    weights_gb: Annotated[float, Field(gt=0, le=200_000)] | None = None
    """Gigabytes (10⁹) of the weights as served. Unset: two bytes a parameter (bf16)."""
    layers: Count | None = None
    """Transformer layers. Unset: estimated from the parameters."""
    kv_bytes_per_token: Count | None = None
    """Bytes one token takes in the KV cache. Unset: estimated from the layers."""


class Coefficients(Document):
    """Measured step time: a decode step with b sequences takes base + per sequence × b. Wins over the estimate."""

    base_step_ms: Annotated[Milliseconds, Field(gt=0)]
    """Milliseconds of a decode step before any sequence is counted."""
    step_per_sequence_us: Microseconds
    """Microseconds that each running sequence adds to a step."""
    prefill_us_per_token: Microseconds
    """Microseconds of prefill for a prompt token that is not cached."""


class Lora(Document):
    """A LoRA adapter that the model's engines load beside the weights."""

    name: ServedName
    """Name by which clients ask for it."""
    source: AdapterSource
    """Where it is."""


class ModelDefaults(Document):
    """Settings merged under every model.

    A model's own fields win, one by one inside the objects; `scaling`, whose fields exclude one another, is taken
    whole, as are lists and what lies deeper.
    """

    engine: Engine = Engine()
    """How the models' engines run."""
    parallelism: Parallelism = Parallelism()
    """How many accelerators a replica spreads over."""
    accelerators: Annotated[tuple[Accelerator, ...], Field(max_length=8)] = ()
    """Kinds of accelerator, the preferred first: a replica takes the first that is free. Empty: it runs on CPUs."""
    resources: Resources = Resources()
    """CPU and memory of an engine."""
    scaling: Scaling = Scaling()
    """How many replicas serve each model."""
    rollout: Rollout = Rollout()
    """How replicas are replaced when a model changes."""
    cache: Cache = Cache()
    """Where engines keep what is costly to make again."""
    pod: Pod = Pod()
    """What the pods need to fit into the cluster."""

    @rule(
        "must have names of their own, or classes where they have none",
        cel=f"!has(self.accelerators) || self.accelerators.all(a, "
        f"self.accelerators.exists_one(b, {LABEL.format('a')} == {LABEL.format('b')}))",
        at="accelerators",
    )
    def _alternatives_have_names(self) -> Iterator[Breach]:
        labels = [accelerator.label for accelerator in self.accelerators]
        if len(set(labels)) < len(labels):
            yield Breach()


class ModelSpec(ModelDefaults):
    """One member of the pool; all its replicas serve the same weights."""

    name: DnsLabel
    """Canonical name: what a client writes to pin the model, what metrics and decisions show."""
    aliases: Annotated[tuple[ServedName, ...], Field(max_length=16), ListSet()] = ()
    """Other names that pin it."""
    source: Source | None = None
    """Where the weights are. A simulated engine needs none."""
    loras: Annotated[tuple[Lora, ...], Field(max_length=16), ListMap()] = ()
    """Adapters that the engines load beside the weights."""
    descriptor: Descriptor = Descriptor()
    """What is known of the model before it has answered anything."""
    coefficients: Coefficients | None = None
    """Measured step time. Unset: estimated from the first accelerator and the descriptor."""
