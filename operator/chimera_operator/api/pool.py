"""The `HeterogeneousModelPool`: several models behind one endpoint, and how requests are spread over them."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from chimera_operator.api.document import Count, DnsLabel, Document, NonEmpty, broken_rule
from chimera_operator.api.model import ModelDefaults, ModelSpec
from chimera_operator.api.routing import Routing

FULL_CHOICE = "auto"
"""The name that asks any pool for the full choice, as the pool's own name does."""

MAX_MODELS = 32
"""Bounds what an API server spends on validation rules over the list."""


class Metadata(Document):
    """Kubernetes' own part; whatever else an object carries there is not this resource's to judge."""

    model_config = ConfigDict(extra="ignore")

    name: DnsLabel
    """Name of the pool. A request whose `model` equals it asks for the full choice."""


class Picker(Document):
    """The endpoint picker that makes the decisions."""

    replicas: Count = 2
    """Picker replicas. Two, so that a restart or a lost node stops nothing. On one machine there is always one."""
    failure_mode: Literal["FailOpen", "FailClose"] = "FailClose"
    """What a gateway does without a picker. FailClose, as InferencePool has it: nobody else knows the models apart."""


class ParentRef(Document):
    """A Gateway that carries the pool's route."""

    name: NonEmpty
    """Name of the Gateway."""
    namespace: str | None = None
    """Its namespace. Unset: the pool's."""


class Gateway(Document):
    """The gateway in front of the pool. Without it there is no route."""

    parent_refs: Annotated[tuple[ParentRef, ...], Field(min_length=1)]
    """Gateways that carry the route."""
    hostnames: tuple[NonEmpty, ...] = ()
    """Host names the route answers to. Empty: any."""


class PoolSpec(Document):
    """What the pool should be."""

    defaults: ModelDefaults = ModelDefaults()
    """Settings merged under every model."""
    models: Annotated[tuple[ModelSpec, ...], Field(min_length=1, max_length=MAX_MODELS)]
    """The models, names and aliases unique over the pool."""
    routing: Routing = Routing()
    """How the model of a request is chosen."""
    picker: Picker = Picker()
    """The endpoint picker."""
    gateway: Gateway | None = None
    """The gateway in front of the pool. Unset: none."""

    @model_validator(mode="after")
    def _routing_names_members(self) -> Self:
        names = [model.name for model in self.models]
        for field, name in self.routing.named():
            if name not in names and (name is not None or self.routing.policy == "Static"):
                raise broken_rule(f"must name a model of the pool: {', '.join(names)}", at=f"routing.{field}")
        return self

    @model_validator(mode="after")
    def _cost_has_parameters(self) -> Self:
        if not self.routing.counts_cost():
            return self
        for index, model in enumerate(self.models):
            if not model.descriptor.parameters_b:
                rule = f"is required with policy {self.routing.policy}, which counts cost by parameters"
                raise broken_rule(rule, at=f"models[{index}].descriptor.parametersB")
        return self


class HeterogeneousModelPool(Document):
    """Several language models of different size and price behind one endpoint."""

    api_version: Literal["chimera.dev/v1alpha1"]
    """Group and version of the resource."""
    kind: Literal["HeterogeneousModelPool"]
    """Kind of the resource."""
    metadata: Metadata
    """Name of the pool."""
    spec: PoolSpec
    """The desired pool."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        taken = {FULL_CHOICE, self.metadata.name}
        for path, name in self._names():
            if name in taken:
                raise broken_rule(f'must be unique, "{name}" is taken', at=path)
            taken.add(name)
        return self

    def _names(self) -> Iterator[tuple[str, str]]:
        for index, model in enumerate(self.spec.models):
            yield f"spec.models[{index}].name", model.name
            yield from ((f"spec.models[{index}].aliases[{n}]", alias) for n, alias in enumerate(model.aliases))
        for index, name in enumerate(self.spec.routing.virtual_models):
            yield f"spec.routing.virtualModels[{index}]", name
