"""How a pool chooses the model of a request, and the order of its engines' queues."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel

from chimera_operator.api.bundle import Bundle
from chimera_operator.api.document import Breach, Document, rule
from chimera_operator.api.flow_control import FlowControl
from chimera_operator.api.limits import Limits
from chimera_operator.api.lists import ListSet
from chimera_operator.api.scalars import MAX_MODELS, DnsLabel, NonNegative, Seconds, ServedName, Share


def _needs(field: str, *, policy: str) -> Any:
    """Return the rule that a policy needs a number."""
    name = to_camel(field)

    @rule(f"is required with policy {policy}", cel=f"self.policy != '{policy}' || has(self.{name})", at=name)
    def number_is_there(routing: Any) -> Iterator[Breach]:
        if routing.policy == policy and getattr(routing, field) is None:
            yield Breach()

    return number_is_there


class Routing(Document):
    """How the model of a request is chosen and how requests are ordered."""

    policy: Literal[
        "Slack",
        "Marginal",
        "Utility",
        "LatencyObjective",
        "ConfidenceObjective",
        "RoundRobin",
        "LeastLoaded",
        "Fastest",
        "Static",
        "Random",
        "Threshold",
    ] = "Marginal"
    """Marginal: the most confidence left after paying for the seconds that the request takes of everybody. Slack: the
    most confident model among those nearly as fast as the fastest. Utility: the same for its own latency and its
    cost. LatencyObjective: the most confident model in time. ConfidenceObjective: the cheapest one confident enough.
    RoundRobin: in turn, one for each workflow. LeastLoaded: the endpoint with the fewest requests. Fastest: the least
    estimated latency. Static: everything to staticModel. Random: by lot, with weights. Threshold: largeModel where it
    gains enough on smallModel."""
    slack: Annotated[float, Field(ge=0, le=1000)] | None = None
    """Policy Slack: share by which a model may be slower than the fastest. Unset: the router's default."""
    min_gain: Share | None = None
    """Policy Slack: confidence by which a model must beat the fastest. Unset: the router's default."""
    price: NonNegative | None = None
    """Policy Marginal: confidence per second; where a mean is to be held, what steering begins with. Unset: the
    router's default."""
    hold_latency_seconds: Seconds | None = None
    """Policy Marginal: mean seconds of an answer that the price is steered to hold. Unset: it stays."""
    hold_score: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Policy Marginal: mean predicted confidence that the price is steered to hold instead. Unset: it stays."""
    latency_price: NonNegative | None = None
    """Policy Utility: confidence per second of the request's own latency. Unset: the router's default."""
    cost_price: NonNegative | None = None
    """Policy Utility: confidence for the parameters times tokens that the largest model would take. Unset: 0."""
    target_latency_seconds: Seconds | None = None
    """Policy LatencyObjective: until a workflow's last token."""
    target_confidence: Annotated[float, Field(gt=0, le=1)] | None = None
    """Policy ConfidenceObjective: chance of a right answer."""
    static_model: DnsLabel | None = None
    """Policy Static: name of the model that gets everything."""
    weights: Annotated[dict[str, NonNegative], Field(max_length=MAX_MODELS)] | None = None
    """Policy Random: weight by model; one that is not named gets nothing."""
    small_model: DnsLabel | None = None
    """Policy Threshold: the weak model. Unset: the pool's first."""
    large_model: DnsLabel | None = None
    """Policy Threshold: the strong model. Unset: the pool's last."""
    gain_needed: Annotated[float, Field(ge=-1, le=1)] | None = None
    """Policy Threshold: confidence by which the strong model must pass the weak one."""
    order: Literal["RemainingFirst", "StageFirst", "Attained", "Arrival"] = "RemainingFirst"
    """Order of the engines' queues, where engines take priorities. RemainingFirst: the workflow with the fewest tokens
    left. StageFirst: the shortest request. Attained: the workflow that has had the fewest tokens. Arrival: first come,
    first served."""
    aging_rate: NonNegative = 12.0
    """Orders by length: tokens by which a waiting request's priority improves a second; 0 never ages. 20 lets a
    workflow of 500 tokens more be overtaken for 25 s and no longer."""
    restage: bool = False
    """Whether a workflow's later stage may leave its model. Off: it keeps model and cached prefix."""
    restage_margin: NonNegative | None = None
    """What the policy must gain for it, for most policies in confidence. Unset: the router's default."""
    flow_control: FlowControl = FlowControl()
    """Where requests wait while every engine is busy."""
    accounting: Literal["Observe", "Headers", "Skip", "Auto"] = "Observe"
    """How much of answers the picker looks at. Observe: every piece. Headers: their headers. Skip: nothing, so that
    they pass the gateway untouched, and lengths are learned from the requests that send them back. Auto: every piece
    of as many answers as the picker has time for."""
    fallback_endpoints: Annotated[int, Field(ge=0, le=16)] = 0
    """Other endpoints of the chosen model that are named after the first, for gateways that fall back from one to the
    next. 0: none, which every gateway understands, and which is all that one machine takes."""
    limits: Limits = Limits()
    """What a client may send."""
    virtual_models: Annotated[tuple[ServedName, ...], Field(max_length=32), ListSet()] = ()
    """More names, besides the pool's own and `auto`, that ask for the full choice."""
    bundle: Bundle = Bundle()
    """The predictors. Unset: those inside the package."""

    _latency_has_target = _needs("target_latency_seconds", policy="LatencyObjective")
    _confidence_has_target = _needs("target_confidence", policy="ConfidenceObjective")
    _threshold_has_gain = _needs("gain_needed", policy="Threshold")

    @rule(
        "must hold a weight above zero with policy Random",
        cel="self.policy != 'Random' || has(self.weights) && self.weights.exists(name, self.weights[name] > 0.0)",
        at="weights",
    )
    def _lot_can_fall(self) -> Iterator[Breach]:
        if self.policy == "Random" and not any((self.weights or {}).values()):
            yield Breach()

    @rule(
        "must not be set beside holdLatencySeconds: one price holds one mean",
        cel="!has(self.holdScore) || !has(self.holdLatencySeconds)",
        at="holdScore",
    )
    def _one_mean_is_held(self) -> Iterator[Breach]:
        if self.hold_latency_seconds is not None and self.hold_score is not None:
            yield Breach()

    def named(self) -> Iterator[tuple[str, str | None]]:
        """Yield the models that the policy in force names, each with its field."""
        match self.policy:
            case "Static":
                yield "staticModel", self.static_model
            case "Random":
                yield from (("weights", name) for name in self.weights or {})
            case "Threshold":
                yield from (("smallModel", self.small_model), ("largeModel", self.large_model))

    def counts_cost(self) -> bool:
        """Return whether the policy in force weighs models by their parameters."""
        return self.policy == "ConfidenceObjective" or (self.policy == "Utility" and bool(self.cost_price))
