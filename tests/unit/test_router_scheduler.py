from dataclasses import replace

import pytest
from pools import FAST, SLOW, busy, endpoint, model, prediction, predictions, request, snapshot, state

from chimera_router.scheduling.orders import Arrival
from chimera_router.scheduling.policies import Marginal, Slack, Static
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import (
    Assignment,
    Decision,
    DropReason,
    EngineMetrics,
    PoolSnapshot,
    Reason,
    Rejection,
    SchedulingRequest,
    Verdict,
)

SMALL, LARGE = model("small", FAST), model("large", SLOW)
SMALL_0, LARGE_0, LARGE_1 = endpoint("s-0", "small", 1), endpoint("l-0", "large", 2), endpoint("l-1", "large", 3)
POOL = snapshot([SMALL, LARGE], [state(SMALL_0), state(LARGE_0), state(LARGE_1)])
SURE_OF_LARGE = predictions(small=prediction(0.4), large=prediction(0.9))


def decide(asked: SchedulingRequest, pool: PoolSnapshot = POOL, scheduler: Scheduler | None = None) -> Decision:
    outcome = (scheduler or Scheduler(policy=Slack(1.0, 0.1))).schedule(asked, SURE_OF_LARGE, pool, now=0.0)
    assert isinstance(outcome, Decision)
    return outcome


def test_decision_names_every_model_in_the_pools_order() -> None:
    """A decision carries confidence, latency and verdict of each model of the pool."""
    verdicts = decide(request()).verdicts

    assert [(v.model, v.confidence, v.latency, v.verdict) for v in verdicts] == [
        ("small", 0.4, pytest.approx(1.0), Verdict.LESS_CONFIDENT),
        ("large", 0.9, pytest.approx(2.0), Verdict.CHOSEN),
    ]


def test_decision_takes_the_models_fastest_endpoint() -> None:
    """Among a model's endpoints the one with the least latency serves."""
    pool = snapshot([LARGE], [state(LARGE_0, load=busy(4)), state(LARGE_1, load=busy(1))])

    assert decide(request(), pool).endpoint == LARGE_1


def test_pinned_model_is_only_given_an_endpoint() -> None:
    """A request that names a member gets that member, whatever the policy thinks."""
    decision = decide(request(pinned="small"))

    assert (decision.model, decision.reason) == ("small", Reason.PINNED)
    assert {v.model: v.verdict for v in decision.verdicts} == {"small": Verdict.CHOSEN, "large": Verdict.NOT_ASKED}


def test_pinned_model_without_endpoint_is_refused() -> None:
    """A pinned request never lands on another model."""
    pool = snapshot([SMALL, LARGE], [state(LARGE_0)])

    outcome = Scheduler().schedule(request(pinned="small"), SURE_OF_LARGE, pool, now=0.0)

    assert outcome == Rejection(reason=DropReason.NO_ENDPOINTS)


def test_later_stage_keeps_its_model_and_endpoint() -> None:
    """A workflow stays where its prefix is cached, though another replica is idler."""
    home = Assignment(model="large", endpoint=LARGE_0.address, seen_tokens=50)
    pool = snapshot([SMALL, LARGE], [state(SMALL_0), state(LARGE_0, load=busy(4)), state(LARGE_1)])

    decision = decide(request(assignment=home), pool)

    assert (decision.endpoint, decision.reason) == (LARGE_0, Reason.WORKFLOW)


def test_later_stage_moves_to_another_replica_when_its_own_is_gone() -> None:
    """A dead endpoint loses its workflows to the same model's others."""
    home = Assignment(model="large", endpoint=LARGE_0.address)
    pool = snapshot([SMALL, LARGE], [state(SMALL_0), state(LARGE_0, ready=False), state(LARGE_1)])

    assert decide(request(assignment=home), pool).endpoint == LARGE_1


def test_later_stage_is_chosen_anew_when_its_model_is_gone() -> None:
    """A workflow whose model has no endpoint left gets the policy's choice."""
    home = Assignment(model="large", endpoint=LARGE_0.address)
    pool = snapshot([SMALL, LARGE], [state(SMALL_0), state(LARGE_0, ready=False)])

    decision = decide(request(assignment=home), pool)

    assert (decision.model, decision.reason) == ("small", Reason.ONLY)
    assert decision.verdicts[1].verdict is Verdict.NO_ENDPOINT


def test_subset_hint_binds() -> None:
    """Only endpoints that the gateway allows are candidates."""
    assert decide(request(subset=frozenset({SMALL_0.address}))).endpoint == SMALL_0


@pytest.mark.parametrize(
    "pool",
    [
        pytest.param(snapshot([SMALL, LARGE], []), id="no endpoints"),
        pytest.param(snapshot([SMALL, LARGE], [state(SMALL_0, ready=False)]), id="none ready"),
    ],
)
def test_nothing_ready_is_refused(pool: PoolSnapshot) -> None:
    """Without a ready endpoint the request is refused with the reason."""
    outcome = Scheduler().schedule(request(), SURE_OF_LARGE, pool, now=0.0)

    assert outcome == Rejection(reason=DropReason.NO_ENDPOINTS)


def test_subset_without_ready_member_is_refused() -> None:
    """A hint that names nobody in the pool leaves no candidate."""
    outcome = Scheduler().schedule(request(subset=frozenset({"10.9.9.9:1"})), SURE_OF_LARGE, POOL, now=0.0)

    assert isinstance(outcome, Rejection)


def test_cached_prefix_counts_only_at_home() -> None:
    """The prompt that an endpoint has seen is cheap there and dear elsewhere."""
    costly = model("large", replace(SLOW, prefill_per_token=0.01))
    home = Assignment(model="large", endpoint=LARGE_0.address, seen_tokens=80)
    pool = snapshot([costly], [state(LARGE_0)])
    away = snapshot([costly], [state(LARGE_1)])

    assert decide(request(assignment=home), away).latency - decide(request(assignment=home), pool).latency == (
        pytest.approx(80 * 0.01)
    )


def test_stale_metrics_count_for_nothing() -> None:
    """An engine's word older than the age limit is treated as unknown."""
    claims = EngineMetrics(running=4, waiting=100, kv_usage=1.0, scraped_at=0.0)
    pool = snapshot([SMALL], [state(SMALL_0, metrics=claims)])
    scheduler = Scheduler(metrics_max_age=5.0)

    fresh = scheduler.schedule(request(), SURE_OF_LARGE, pool, now=5.0)
    stale = scheduler.schedule(request(), SURE_OF_LARGE, pool, now=5.1)

    assert isinstance(fresh, Decision)
    assert isinstance(stale, Decision)
    assert stale.latency < fresh.latency


def test_priority_is_sent_where_the_engine_takes_one_and_the_order_gives_one() -> None:
    """A model without priority scheduling, or an order of arrival, gets no number."""
    plain = snapshot([model("small", FAST, priority=False)], [state(SMALL_0)])
    taking = snapshot([SMALL], [state(SMALL_0)])

    assert decide(request(), taking).priority == 100
    assert decide(request(), plain).priority is None
    assert decide(request(), taking, Scheduler(order=Arrival())).priority is None


def test_static_policy_without_its_model_refuses() -> None:
    """Static never spills to another model."""
    pool = snapshot([SMALL, LARGE], [state(LARGE_0)])

    outcome = Scheduler(policy=Static("small")).schedule(request(), SURE_OF_LARGE, pool, now=0.0)

    assert isinstance(outcome, Rejection)


HOME = Assignment(model="small", endpoint=SMALL_0.address, seen_tokens=80)


@pytest.mark.parametrize(
    ("margin", "expected"),
    [(None, ("small", Reason.WORKFLOW)), (0.6, ("small", Reason.WORKFLOW)), (0.4, ("large", Reason.POLICY))],
)
def test_later_stage_leaves_its_model_only_for_enough(margin: float | None, expected: tuple[str, Reason]) -> None:
    """Restaging gains .5 of confidence here: less than the margin keeps the model."""
    decision = decide(request(assignment=HOME), scheduler=Scheduler(policy=Slack(1.0, 0.1), restage=margin))

    assert (decision.model, decision.reason) == expected


def test_restaging_that_gains_too_little_says_so() -> None:
    """The model that the policy would have taken is named in the verdicts."""
    decision = decide(request(assignment=HOME), scheduler=Scheduler(policy=Slack(1.0, 0.1), restage=0.6))

    assert {v.model: v.verdict for v in decision.verdicts} == {"small": Verdict.CHOSEN, "large": Verdict.NO_GAIN}


def test_restaging_keeps_the_model_where_the_policy_takes_none() -> None:
    """A policy whose own model is gone does not end a workflow that another one serves."""
    decision = decide(request(assignment=HOME), scheduler=Scheduler(policy=Static("gone"), restage=0.0))

    assert (decision.model, decision.reason) == ("small", Reason.WORKFLOW)


def test_restaging_counts_the_prefix_cached_at_home() -> None:
    """Leaving costs the prefill of what the workflow's endpoint has seen."""
    costly = [replace(each, coefficients=replace(each.coefficients, prefill_per_token=0.05)) for each in (SMALL, LARGE)]
    pool = snapshot(costly, [state(SMALL_0), state(LARGE_0)])
    scheduler = Scheduler(policy=Marginal(0.1), restage=0.0)

    fresh = decide(request(assignment=replace(HOME, seen_tokens=0)), pool, scheduler)
    cached = decide(request(assignment=HOME), pool, scheduler)

    assert (fresh.model, cached.model) == ("large", "small")


def test_prompt_is_cached_where_the_workflow_was() -> None:
    """A decision says how much of the prompt its endpoint holds, never more than there is."""
    home = Assignment(model="small", endpoint=SMALL_0.address, seen_tokens=500)

    assert decide(request(assignment=home)).cached_tokens == 100
    assert decide(request(assignment=HOME)).cached_tokens == 80
    assert decide(request()).cached_tokens == 0


def test_engine_in_order_of_arrival_lets_nobody_pass() -> None:
    """Where the model takes no priorities every queued request stands before a newcomer, however short that is."""
    crowd = state(SMALL_0, load=busy(4, queued=[(10_000, 500), (10_000, 500)]))

    passing = decide(request(), snapshot([SMALL], [crowd]))
    waiting = decide(request(), snapshot([model("small", FAST, priority=False)], [crowd]))

    assert waiting.latency - passing.latency == pytest.approx(1000 / 400)
