"""Small pools, predictions and requests for tests."""

from collections.abc import Iterable

from chimera_router.scheduling.load import IDLE, Load, Queue
from chimera_router.scheduling.types import (
    Coefficients,
    Endpoint,
    EndpointState,
    EngineMetrics,
    Model,
    ModelPrediction,
    PoolSnapshot,
    Predictions,
    PredictionSource,
    SchedulingRequest,
)

FAST = Coefficients(base_step=0.01, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=4, kv_tokens=100_000)
SLOW = Coefficients(base_step=0.02, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=4, kv_tokens=100_000)


def model(name: str, coefficients: Coefficients = FAST, *, priority: bool = True) -> Model:
    return Model(name=name, coefficients=coefficients, served_name=name, priority=priority)


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
    return ModelPrediction(
        confidence=confidence, stage_tokens=tokens, remaining_tokens=tokens, remaining_tokens_high=2 * tokens
    )


def predictions(**by_model: ModelPrediction) -> Predictions:
    return Predictions(by_model=by_model, source=PredictionSource.BUNDLE)


def snapshot(models: list[Model], states: list[EndpointState]) -> PoolSnapshot:
    return PoolSnapshot(models={each.name: each for each in models}, endpoints=tuple(states))


def request(**changes: object) -> SchedulingRequest:
    values: dict[str, object] = {"workflow": 0, "prompt_tokens": 100, "arrival": 1_767_225_600.0}
    return SchedulingRequest(**{**values, **changes})  # type: ignore[arg-type]


def queue(entries: Iterable[tuple[int, float]]) -> Queue:
    """Return a queue of (rank, tokens)."""
    ordered = sorted(((rank, number), tokens) for number, (rank, tokens) in enumerate(entries))
    return Queue(tuple(place for place, _ in ordered), tuple(tokens for _, tokens in ordered))


def busy(count: int, *, tokens: float = 100.0, context: int = 10, queued: Iterable[tuple[int, float]] = ()) -> Load:
    """Return the load of so many requests that generate and of some, as (rank, tokens), that have not begun."""
    waiting = list(queued)
    return Load(
        requests=count + len(waiting),
        tokens=count * tokens + sum(each for _, each in waiting),
        context=context * (count + len(waiting)),
        queue=queue(waiting),
    )
