"""The words of the decision, as values that never change once made."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from chimera_router.scheduling.load import IDLE, Load
from chimera_router.values import value


@value(kw_only=True)
class Coefficients:
    """Step time of one engine: a decode step with b sequences takes `base_step + per_sequence * b` seconds.

    Attributes:
        base_step: Seconds of a step before any sequence is counted (b0).
        per_sequence: Seconds each running sequence adds to a step (b2).
        prefill_per_token: Seconds of prefill for a prompt token that is not cached (c).
        max_num_seqs: Sequences that may run at once.
        kv_tokens: Tokens the KV cache holds.
    """

    base_step: float
    per_sequence: float
    prefill_per_token: float
    max_num_seqs: int
    kv_tokens: int

    def step(self, sequences: float) -> float:
        """Return the seconds of one decode step with this many running sequences."""
        return self.base_step + self.per_sequence * sequences


@value(kw_only=True)
class Descriptor:
    """What is known of a model before it has answered anything; zero or empty means not known.

    Attributes:
        trained_as: Name of the model in the bundle's training data; empty for the model's own name.
        parameters_b: Total parameters, in billions.
        family: Model family, such as `llama-3`.
        general_score: Share of general questions answered right, 0 to 1.
    """

    trained_as: str = ""
    parameters_b: float = 0.0
    family: str = ""
    general_score: float = 0.0


@value(kw_only=True)
class Model:
    """One member of the pool; all its endpoints serve the same weights.

    Attributes:
        name: Canonical name.
        aliases: Other names that pin it.
        adapters: Names that pin it and that its engines know as they are.
        served_name: Name the engine knows it by.
        priority: Whether its engine orders its queue by the request field `priority`.
        wake: Seconds a request may wait for an engine while there is none; 0 where nobody would start one.
    """

    name: str
    coefficients: Coefficients
    aliases: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    served_name: str = ""
    descriptor: Descriptor = field(default_factory=Descriptor)
    priority: bool = False
    wake: float = 0.0


@value(kw_only=True)
class Endpoint:
    """One engine replica or data-parallel rank: where requests for `model` can go."""

    name: str
    address: str  # ip:port, IPv6 in brackets
    model: str


@value(kw_only=True)
class EngineMetrics:
    """What an engine last said of itself.

    Attributes:
        running: Requests in its batch.
        waiting: Requests in its queue.
        kv_usage: Share of its KV cache in use, 0 to 1.
        scraped_at: Seconds on the caller's monotonic clock.
        own: Of all these requests, those that this picker had sent.
        own_context: Tokens that these held in the KV cache.
    """

    running: int
    waiting: int
    kv_usage: float
    scraped_at: float = 0.0
    own: int = 0
    own_context: int = 0


@value(kw_only=True)
class EndpointState:
    """An endpoint at one moment: what the engine says and what this picker has in flight there.

    Attributes:
        metrics: None where the engine has not answered, or not lately enough to be believed.
        load: This picker's own requests there.
        ready: Whether it can take a request.
    """

    endpoint: Endpoint
    metrics: EngineMetrics | None = None
    load: Load = IDLE
    ready: bool = True


@value(kw_only=True)
class PoolSnapshot:
    """All that is known of the pool at one moment. Replaced, never edited."""

    models: Mapping[str, Model]
    endpoints: tuple[EndpointState, ...]


@value(kw_only=True)
class ModelPrediction:
    """What one model will probably make of one request.

    Attributes:
        confidence: Chance that the workflow's answer is right, 0 to 1.
        stage_tokens: Output tokens of this request, median.
        remaining_tokens: Output tokens of this and all later requests of the workflow, median.
        length_factor: What online correction has multiplied the tokens by.
        confidence_logits: What online correction has added to the confidence, in logits.
    """

    confidence: float
    stage_tokens: float
    remaining_tokens: float
    length_factor: float = 1.0
    confidence_logits: float = 0.0


class PredictionSource(StrEnum):
    """Who answered: the trained bundle, or the running medians that stand in for it."""

    BUNDLE = "bundle"
    HEURISTIC = "heuristic"


class KnownAs(StrEnum):
    """What lengths know of a request's application: it is the bundle's, it was learned since, or it is not known."""

    BUNDLE = "bundle"
    LEARNED = "learned"
    UNKNOWN = "unknown"


@value(kw_only=True)
class Predictions:
    """One prediction for each model of the pool."""

    by_model: Mapping[str, ModelPrediction]
    source: PredictionSource
    application: KnownAs = KnownAs.UNKNOWN


@value(kw_only=True)
class Assignment:
    """Where the workflow's earlier stages went, and how much of the prompt that endpoint has seen."""

    model: str
    endpoint: str
    seen_tokens: int = 0


@value(kw_only=True)
class SchedulingRequest:
    """What the decision needs to know of a request.

    Attributes:
        workflow: Ordinal of the workflow since the picker started: what round robin turns on.
        prompt_tokens: Estimated tokens of the whole prompt.
        arrival: Seconds since the Unix epoch, so that ranks of several pickers compare.
        tokens_so_far: Output tokens of the workflow's earlier stages.
        pinned: Canonical name of the model the client asked for, if it named one.
        assignment: What earlier stages of the workflow used, if there were any.
        subset: Addresses the gateway allows; None allows all.
    """

    workflow: int
    prompt_tokens: int
    arrival: float
    tokens_so_far: int = 0
    pinned: str | None = None
    assignment: Assignment | None = None
    subset: frozenset[str] | None = None


class Verdict(StrEnum):
    """Why a model was or was not chosen."""

    CHOSEN = "chosen"
    TOO_SLOW = "too-slow"
    NO_GAIN = "no-gain"
    LESS_CONFIDENT = "less-confident"
    TOO_DEAR = "too-dear"
    NO_ENDPOINT = "no-endpoint"
    NOT_ASKED = "not-asked"


class Reason(StrEnum):
    """Which rule made the decision."""

    PINNED = "pinned"
    WORKFLOW = "workflow"
    ONLY = "only"
    POLICY = "policy"


@value(kw_only=True)
class ModelVerdict:
    """One model in the decision, on its best endpoint; latency and delay are None where it has none.

    Attributes:
        latency: Seconds until the workflow's last token.
        delay: Seconds that the other requests there would lose, added up.
    """

    model: str
    confidence: float
    latency: float | None
    delay: float | None
    remaining_tokens: float
    verdict: Verdict


@value(kw_only=True)
class Decision:
    """Where a request goes and why.

    Attributes:
        priority: Number for the engine's queue, lower first; None where the model takes none.
        policy: Name of the policy in force.
        reason: The rule that applied.
        cached_tokens: Tokens of the prompt that the endpoint is taken to hold already.
        fallbacks: Other endpoints of the model, for a gateway that cannot reach the first, best ones first.
        verdicts: Every model of the pool, in the pool's order.
    """

    model: str
    endpoint: Endpoint
    priority: int | None
    policy: str
    reason: Reason
    prediction: ModelPrediction
    latency: float
    source: PredictionSource
    verdicts: tuple[ModelVerdict, ...]
    application: KnownAs = KnownAs.UNKNOWN
    cached_tokens: int = 0
    fallbacks: tuple[Endpoint, ...] = ()


class DropReason(StrEnum):
    """Why a request was refused; sent to the client as a header, by llm-d's names where it has one."""

    NO_ENDPOINTS = "rejected-no-endpoints"
    CAPACITY = "rejected-saturated"  # the hold queue is full
    TTL_EXPIRED = "rejected-ttl-expired"  # it waited long enough
    SHED = "evicted-priority"  # given up for requests of higher classes
    PICKER_FULL = "rejected-picker-full"  # the picker itself reads as many requests as it may


@value(kw_only=True)
class Rejection:
    """A request that no endpoint can take now."""

    reason: DropReason
