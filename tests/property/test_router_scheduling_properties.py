"""What holds for every pool, load and request."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from pools import busy, demanded, prediction, queue

from chimera_router.scheduling.latency import delay, estimate
from chimera_router.scheduling.load import Load
from chimera_router.scheduling.orders import Attained, RemainingFirst, StageFirst
from chimera_router.scheduling.policies import (
    ConfidenceObjective,
    Fastest,
    LatencyObjective,
    LeastLoaded,
    Marginal,
    Policy,
    Random,
    RoundRobin,
    Slack,
    Static,
    Threshold,
    Utility,
)
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import (
    Assignment,
    Coefficients,
    Decision,
    Endpoint,
    EndpointState,
    EngineMetrics,
    Model,
    ModelPrediction,
    PoolSnapshot,
    Predictions,
    PredictionSource,
    Rejection,
    SchedulingRequest,
    Verdict,
)

NAMES = ["a", "b", "c"]
tokens = st.floats(0, 5000)
coefficients = st.builds(
    Coefficients,
    base_step=st.floats(1e-4, 0.1),
    per_sequence=st.floats(0, 1e-3),
    prefill_per_token=st.floats(0, 1e-3),
    max_num_seqs=st.integers(1, 8),
    kv_tokens=st.integers(1, 100_000),
)
loads = st.builds(
    busy,
    st.integers(0, 10),
    tokens=tokens,
    context=st.integers(0, 5000),
    prefill=st.floats(0, 100),
    queued=st.lists(st.tuples(st.integers(-100, 100), tokens), max_size=10),
)
engine_metrics = st.builds(
    EngineMetrics, running=st.integers(0, 50), waiting=st.integers(0, 50), kv_usage=st.floats(0, 1)
)
model_prediction = st.builds(
    ModelPrediction,
    confidence=st.floats(0, 1),
    stage_tokens=tokens,
    remaining_tokens=tokens,
)
weights = st.dictionaries(st.sampled_from(NAMES), st.floats(0, 10), max_size=3)
policies = st.one_of(
    st.builds(Slack, st.floats(0, 5), st.floats(0, 1)),
    st.builds(Marginal, st.floats(0, 10)),
    st.builds(Utility, st.floats(0, 10), st.floats(0, 10)),
    st.builds(LatencyObjective, st.floats(0, 100)),
    st.builds(ConfidenceObjective, st.floats(0, 1)),
    st.just(RoundRobin()),
    st.just(LeastLoaded()),
    st.just(Fastest()),
    st.builds(Random, weights, st.integers(0, 100)),
    st.builds(Threshold, st.sampled_from(NAMES), st.sampled_from(NAMES), st.floats(0, 1)),
    st.builds(Static, st.sampled_from(NAMES)),
)
PARTIAL = (Static, Random, Threshold)  # policies that may take none of the models there are


def with_one_more(load: Load, *, tokens: float) -> Load:
    each = (after - before for before, after in pairwise(load.queue.sums))
    entries = zip(load.queue.ranks, each, strict=True)
    return Load(
        requests=load.requests + 1,
        tokens=load.tokens + tokens,
        context=load.context,
        prefill=load.prefill,
        queue=queue([*entries, (0, tokens)]),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> PoolSnapshot:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    models = {name: Model(name=name, coefficients=draw(coefficients), priority=draw(st.booleans())) for name in names}
    states = [
        EndpointState(
            endpoint=Endpoint(name=f"e{index}", address=f"10.0.0.{index}:80", model=name),
            metrics=draw(st.none() | engine_metrics),
            load=draw(loads),
            ready=draw(st.booleans()),
        )
        for index, name in enumerate(draw(st.lists(st.sampled_from(names), max_size=6)))
    ]
    return PoolSnapshot(models=models, endpoints=tuple(states))


@st.composite
def situations(draw: st.DrawFn) -> tuple[SchedulingRequest, Predictions, PoolSnapshot]:
    pool = draw(snapshots())
    addresses = [state.endpoint.address for state in pool.endpoints] or ["10.9.9.9:1"]
    request = SchedulingRequest(
        workflow=draw(st.integers(0, 1000)),
        prompt_tokens=draw(st.integers(0, 10_000)),
        arrival=1_767_225_600 + draw(st.floats(0, 1e8)),
        pinned=draw(st.none() | st.sampled_from(sorted(pool.models))),
        assignment=draw(
            st.none()
            | st.builds(
                Assignment,
                model=st.sampled_from(NAMES),
                endpoint=st.sampled_from(addresses),
                seen_tokens=st.integers(0, 10_000),
            )
        ),
        subset=draw(st.none() | st.frozensets(st.sampled_from(addresses))),
    )
    by_model = {name: draw(model_prediction) for name in pool.models}
    return request, Predictions(by_model=by_model, source=PredictionSource.BUNDLE), pool


@given(situations(), policies)
def test_destination_is_always_a_ready_allowed_endpoint_of_the_model(
    situation: tuple[SchedulingRequest, Predictions, PoolSnapshot], policy: Policy
) -> None:
    """Whatever the policy, a decision names a ready endpoint of its model that the gateway allows."""
    request, predictions, pool = situation

    outcome = Scheduler(policy=policy).schedule(request, predictions, pool, now=0.0)

    if isinstance(outcome, Decision):
        (chosen,) = [state for state in pool.endpoints if state.endpoint == outcome.endpoint]
        assert chosen.ready
        assert chosen.endpoint.model == outcome.model
        assert request.subset is None or chosen.endpoint.address in request.subset
        assert request.pinned in {None, outcome.model}


@given(situations(), policies)
def test_refusal_means_that_nothing_fits(
    situation: tuple[SchedulingRequest, Predictions, PoolSnapshot], policy: Policy
) -> None:
    """A request is refused only where no usable endpoint serves a model that it may have."""
    request, predictions, pool = situation

    outcome = Scheduler(policy=policy).schedule(request, predictions, pool, now=0.0)

    usable = [
        state.endpoint.model
        for state in pool.endpoints
        if state.ready and (request.subset is None or state.endpoint.address in request.subset)
    ]
    if isinstance(outcome, Rejection) and not isinstance(policy, PARTIAL):
        assert not [model for model in usable if request.pinned in {None, model}]


@given(situations(), policies)
def test_every_model_has_one_verdict_and_one_is_chosen(
    situation: tuple[SchedulingRequest, Predictions, PoolSnapshot], policy: Policy
) -> None:
    """A decision explains itself: one verdict a model, exactly one of them chosen."""
    request, predictions, pool = situation

    outcome = Scheduler(policy=policy).schedule(request, predictions, pool, now=0.0)

    if isinstance(outcome, Decision):
        assert [verdict.model for verdict in outcome.verdicts] == list(pool.models)
        assert [v.model for v in outcome.verdicts if v.verdict is Verdict.CHOSEN] == [outcome.model]
        assert all((v.latency is None) == (v.verdict is Verdict.NO_ENDPOINT) for v in outcome.verdicts)


@given(situations())
def test_slack_never_leaves_its_limit(situation: tuple[SchedulingRequest, Predictions, PoolSnapshot]) -> None:
    """The chosen model is within the slack of the fastest, and no less confident than the fastest."""
    request, predictions, pool = situation

    outcome = Scheduler(policy=Slack(0.5, 0.0)).schedule(request, predictions, pool, now=0.0)

    if isinstance(outcome, Decision) and outcome.reason == "policy":
        latencies = {v.model: v.latency for v in outcome.verdicts if v.latency is not None}
        fastest = min(latencies, key=lambda model: latencies[model])
        assert latencies[outcome.model] <= 1.5 * latencies[fastest]
        assert predictions.by_model[outcome.model].confidence >= predictions.by_model[fastest].confidence


@given(situations())
def test_assignment_is_kept_while_its_endpoint_lives(
    situation: tuple[SchedulingRequest, Predictions, PoolSnapshot],
) -> None:
    """A later stage stays on its endpoint whenever that is usable and of its model."""
    request, predictions, pool = situation

    outcome = Scheduler().schedule(request, predictions, pool, now=0.0)

    home = request.assignment
    if home is None or request.pinned is not None or not isinstance(outcome, Decision):
        return
    at_home = [s for s in pool.endpoints if s.ready and s.endpoint.address == home.endpoint]
    allowed = request.subset is None or home.endpoint in request.subset
    if at_home and allowed and at_home[0].endpoint.model == home.model:
        assert outcome.endpoint == at_home[0].endpoint


@given(coefficients, loads, st.floats(0, 5000), model_prediction, st.none() | st.integers(-100, 100))
def test_more_load_is_never_faster(
    engine: Coefficients, load: Load, more: float, prediction: ModelPrediction, rank: int | None
) -> None:
    """One more request in the queue, no smaller than the mean, never lowers an engine's estimated latency."""
    roomy = replace(engine, kv_tokens=10**9)
    place = Endpoint(name="e", address="10.0.0.1:80", model="a")
    demand = demanded(roomy, prompt=100, rank=rank, prediction=prediction)
    mean = load.tokens / load.requests if load.requests else prediction.stage_tokens
    heavier = with_one_more(load, tokens=mean + more)

    before = estimate(EndpointState(endpoint=place, load=load), demand)
    after = estimate(EndpointState(endpoint=place, load=heavier), demand)

    assert after >= before - 1e-9 * before


@given(coefficients, loads, model_prediction, st.none() | st.integers(-100, 100))
def test_delay_to_others_is_never_negative(
    engine: Coefficients, load: Load, prediction: ModelPrediction, rank: int | None
) -> None:
    """A request takes time from others or nothing."""
    place = Endpoint(name="e", address="10.0.0.1:80", model="a")
    demand = demanded(engine, prompt=100, rank=rank, prediction=prediction)

    assert delay(EndpointState(endpoint=place, load=load), demand) >= 0.0


@given(tokens, tokens, st.floats(0, 1e6), st.floats(0.1, 100), st.sampled_from([RemainingFirst, StageFirst]))
def test_ranks_age_by_themselves(
    short: float, long: float, waited: float, rate: float, order: type[RemainingFirst | StageFirst]
) -> None:
    """However much shorter a newcomer is, it stands behind who has waited long enough."""
    enough = (long - short) / rate + 1 / rate + waited

    old = order(rate).rank(came(0.0), of_tokens(long))
    new = order(rate).rank(came(max(0.0, enough)), of_tokens(short))

    assert old <= new or short >= long


@given(tokens, tokens, st.sampled_from([RemainingFirst(), StageFirst()]))
def test_of_two_that_come_together_the_shorter_goes_first(
    first: float, second: float, order: RemainingFirst | StageFirst
) -> None:
    """At one moment, fewer remaining tokens never stand behind more."""
    numbers = [order.rank(came(0.0), of_tokens(each)) for each in (first, second)]

    assert (numbers[0] <= numbers[1]) or first >= second


@given(st.integers(0, 100_000), st.integers(0, 100_000), tokens)
def test_attained_service_never_helps(less: int, more: int, predicted: float) -> None:
    """A workflow that has had more service never stands before one that has had less, whatever they still need."""
    low, high = sorted((less, more))
    order = Attained()

    first = order.rank(replace(came(0.0), tokens_so_far=low), of_tokens(predicted))
    second = order.rank(replace(came(0.0), tokens_so_far=high), of_tokens(0.0))

    assert first <= second


def came(after: float) -> SchedulingRequest:
    return SchedulingRequest(workflow=0, prompt_tokens=0, arrival=1.8e9 + after)


def of_tokens(count: float) -> ModelPrediction:
    return prediction(tokens=count)
