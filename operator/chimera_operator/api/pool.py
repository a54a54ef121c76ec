"""The `HeterogeneousModelPool`: several models behind one endpoint, and how requests are spread over them."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from chimera_operator.api.document import SHA256, Bytes, Count, DnsLabel, Document, NonEmpty, ServedName, broken_rule
from chimera_operator.api.model import ModelDefaults, ModelSpec

FULL_CHOICE = "auto"
"""The name that asks any pool for the full choice, as the pool's own name does."""

MAX_MODELS = 32
"""Bounds what an API server spends on validation rules over the list."""


class Metadata(Document):
    """Kubernetes' own part; whatever else an object carries there is not this resource's to judge."""

    model_config = ConfigDict(extra="ignore")

    name: DnsLabel
    """Name of the pool. A request whose `model` equals it asks for the full choice."""


class Bundle(Document):
    """Where the predictors are."""

    path: str = ""
    """Folder with bundle.json. Empty: the bundle inside the package."""
    sha256: Annotated[str, Field(pattern=SHA256)] | None = None
    """Expected sha256 of bundle.json. Unset: any."""


class FlowControl(Document):
    """Requests wait in the picker while every engine is busy, in order, instead of in the engines."""

    enabled: bool = False
    """Whether they do."""
    max_requests: Count | None = None
    """Requests that wait at once; what passes it is refused with 429. Unset: the router's default."""
    max_bytes: Bytes | None = None
    """Bytes of their bodies. Unset: the router's default."""
    per_tenant_max_requests: Count | None = None
    """Requests of one tenant among them. Unset: as many as the queue takes."""
    per_tenant_max_bytes: Bytes | None = None
    """Bytes of their bodies. Unset: as many as the queue takes."""
    ttl: Annotated[float, Field(gt=0, le=300)] = 60.0
    """Seconds after which a request that still waits is refused; below what gateways give a picker for its answer."""
    objectives: dict[NonEmpty, Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]] = Field(default_factory=dict)
    """Priority class by the name of an InferenceObjective, which requests give in a header. A higher class goes
    strictly first; a negative one is refused as soon as it would have to wait. Other names, and none, are class 0."""


class Routing(Document):
    """How the model of a request is chosen and how requests are ordered."""

    policy: Literal["Slack", "RoundRobin", "LeastLoaded", "Static"] = "Slack"
    """Slack: the most confident model among those nearly as fast as the fastest. RoundRobin: in turn, one for each
    workflow. LeastLoaded: the endpoint with the fewest requests. Static: everything to staticModel."""
    slack: Annotated[float, Field(ge=0, le=1000)] | None = None
    """Policy Slack: share by which a model may be slower than the fastest. Unset: the router's default."""
    min_gain: Annotated[float, Field(ge=0, le=1)] | None = None
    """Policy Slack: confidence by which a model must beat the fastest. Unset: the router's default."""
    aging_rate: Annotated[float, Field(ge=0, le=1_000_000)] = 20.0
    """Tokens by which a waiting request's priority improves a second; 0 never ages. 20 lets a workflow of 500 tokens
    more be overtaken for 25 s and no longer."""
    static_model: str | None = None
    """Policy Static: name of the model that gets everything."""
    flow_control: FlowControl = FlowControl()
    """Where requests wait while every engine is busy."""
    virtual_models: tuple[ServedName, ...] = ()
    """More names, besides the pool's own and `auto`, that ask for the full choice."""
    bundle: Bundle = Bundle()
    """The predictors. Unset: those inside the package."""


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
    def _static_model_is_a_member(self) -> Self:
        routing, names = self.routing, [model.name for model in self.models]
        if routing.policy == "Static" and routing.static_model not in names:
            raise broken_rule(f"must name a model of the pool: {', '.join(names)}", at="routing.staticModel")
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
