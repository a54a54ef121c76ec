"""Small pools, predictions and requests for tests."""

from collections.abc import Iterable
from operator import itemgetter

from chimera_router.scheduling.latency import Demand
from chimera_router.scheduling.load import IDLE, Load, Queue
from chimera_router.scheduling.types import (
    Coefficients,
    Decision,
    Descriptor,
    Endpoint,
    EndpointState,
    EngineMetrics,
    Model,
    ModelPrediction,
    PoolSnapshot,
    Predictions,
    PredictionSource,
    Reason,
    SchedulingRequest,
)

FAST = Coefficients(base_step=0.01, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=4, kv_tokens=100_000)
SLOW = Coefficients(base_step=0.02, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=4, kv_tokens=100_000)


def model(name: str, coefficients: Coefficients = FAST, *, priority: bool = True, parameters_b: float = 0.0) -> Model:
    return Model(
        name=name,
        coefficients=coefficients,
        served_name=name,
        descriptor=Descriptor(parameters_b=parameters_b),
        priority=priority,
    )


def endpoint(name: str, model: str, port: int = 8000) -> Endpoint:
    return Endpoint(name=name, address=f"10.0.0.1:{port}", model=model)


def state(
    endpoint: Endpoint,
    *,
    metrics: EngineMetrics | None = None,
    load: Load = IDLE,
    ready: bool = True,
) -> EndpointState:
    return EndpointState(endpoint=endpoint, metrics=metrics, load=load, ready=ready)


def prediction(confidence: float = 0.5, tokens: float = 100.0) -> ModelPrediction:
    return ModelPrediction(confidence=confidence, stage_tokens=tokens, remaining_tokens=tokens)


def predictions(**by_model: ModelPrediction) -> Predictions:
    return Predictions(by_model=by_model, source=PredictionSource.BUNDLE)


def snapshot(models: list[Model], states: list[EndpointState]) -> PoolSnapshot:
    return PoolSnapshot(models={each.name: each for each in models}, endpoints=tuple(states))


def request(**changes: object) -> SchedulingRequest:
    values: dict[str, object] = {"workflow": 0, "prompt_tokens": 100, "arrival": 1_767_225_600.0}
    return SchedulingRequest(**{**values, **changes})  # type: ignore[arg-type]


def queue(entries: Iterable[tuple[int, float]]) -> Queue:
    """Return a queue of (rank, tokens)."""
    ordered = sorted(entries, key=itemgetter(0))
    return Queue.of((rank for rank, _ in ordered), (tokens for _, tokens in ordered))


def busy(
    count: int,
    *,
    tokens: float = 100.0,
    context: int = 10,
    prefill: float = 0.0,
    queued: Iterable[tuple[int, float]] = (),
) -> Load:
    """Return the load of so many requests that generate and of some, as (rank, tokens), that have not begun."""
    waiting = list(queued)
    return Load(
        requests=count + len(waiting),
        tokens=count * tokens + sum(each for _, each in waiting),
        context=context * (count + len(waiting)),
        prefill=prefill,
        queue=queue(waiting),
    )


def demanded(
    engine: Coefficients,
    *,
    prediction: ModelPrediction,
    prompt: int = 0,
    cached: float = 0.0,
    rank: int | None = None,
) -> Demand:
    return Demand(
        coefficients=engine,
        prefill=engine.prefill_per_token * prompt * (1.0 - cached),
        tokens=prediction.stage_tokens,
        remaining=prediction.remaining_tokens,
        spare_context=engine.kv_tokens - prompt - prediction.stage_tokens,
        rank=rank,
    )


def decision(place: Endpoint, *, tokens: float = 100.0, rank: int | None = None, cached: int = 0) -> Decision:
    return Decision(
        model=place.model,
        endpoint=place,
        priority=rank,
        policy="slack",
        reason=Reason.POLICY,
        prediction=prediction(tokens=tokens),
        latency=1.0,
        source=PredictionSource.BUNDLE,
        verdicts=(),
        cached_tokens=cached,
    )
