"""Small pools, predictions and requests for tests."""

from chimera_router.scheduling.types import (
    Coefficients,
    Endpoint,
    EndpointState,
    EngineMetrics,
    InFlight,
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
    in_flight: tuple[InFlight, ...] = (),
    ready: bool = True,
) -> EndpointState:
    return EndpointState(endpoint=endpoint, metrics=metrics, in_flight=in_flight, ready=ready)


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


def busy(count: int, *, tokens: float = 100.0, priority: int = 0, context: int = 10) -> tuple[InFlight, ...]:
    return tuple(InFlight(priority=priority, tokens=tokens, context=context) for _ in range(count))
