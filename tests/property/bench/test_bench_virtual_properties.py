"""What holds for every replay in virtual time, whatever decides."""

from dataclasses import replace

import pytest
from bench_serving import ENGINE, serving_pool
from bench_workloads import run, task
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_bench.engine.types import SchedulingPolicy
from chimera_bench.replay.foresight import averages, true
from chimera_bench.replay.results import WorkflowResult
from chimera_bench.replay.virtual import replay
from chimera_bench.workload import Arrival, Task
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.scheduling import orders, policies
from chimera_router.scheduling.scheduler import Scheduler

POOL = serving_pool("S", "L", L=replace(ENGINE, base_step=0.5, per_sequence=0.125))
POLICIES = (policies.RoundRobin(), policies.LeastLoaded(), policies.Slack(), policies.Marginal(), policies.Fastest())
ORDERS = (orders.Arrival(), orders.RemainingFirst(), orders.StageFirst(), orders.Attained())
LIMITS = HoldLimits(ttl=10_000.0)  # seconds; nobody waits as long
outputs = st.lists(st.integers(1, 30), min_size=1, max_size=4).map(tuple)


@st.composite
def workloads(draw: st.DrawFn) -> list[Arrival]:
    tasks = [
        task(*(run(model, draw(outputs), task=str(number), success=draw(st.booleans())) for model in ("S", "L")))
        for number in range(draw(st.integers(1, 4)))
    ]
    moments = sorted(draw(st.lists(st.integers(0, 40), min_size=1, max_size=15)))
    return [Arrival(at=moment / 4, task=draw(st.sampled_from(tasks))) for moment in moments]


def played(
    arrivals: list[Arrival],
    policy: policies.Policy,
    order: orders.Order,
    *,
    slots: int = 2,
    scheduling: SchedulingPolicy = SchedulingPolicy.PRIORITY,
    flow_control: HoldLimits | None = None,
) -> list[WorkflowResult]:
    tasks: list[Task] = [arrival.task for arrival in arrivals]
    return replay(
        arrivals,
        pool=POOL.with_slots(slots),
        scheduler=Scheduler(policy=policy, order=order),
        predictions=averages(tasks, training=tasks),
        scheduling=scheduling,
        flow_control=flow_control,
    )


@settings(max_examples=40)
@given(workloads(), st.sampled_from(POLICIES), st.sampled_from(ORDERS), st.integers(1, 4))
def test_every_workflow_ends_as_one_model_was_recorded(
    arrivals: list[Arrival], policy: policies.Policy, order: orders.Order, slots: int
) -> None:
    """It has the stages, the tokens and the outcome of that model's own run, and takes at least as long as alone."""
    for arrival, result in zip(arrivals, played(arrivals, policy, order, slots=slots), strict=True):
        (model,) = {stage.model for stage in result.stages}
        assert model is not None
        recorded = arrival.task.runs[model]
        alone = sum(stage.output_tokens for stage in recorded.stages) * POOL.coefficients[model].step(1)

        assert [stage.output_tokens for stage in result.stages] == [stage.output_tokens for stage in recorded.stages]
        assert (result.task_id, result.success) == (arrival.task.task_id, recorded.success)
        assert result.latency >= alone - 1e-9


@settings(max_examples=25)
@given(workloads(), st.sampled_from(ORDERS))
def test_an_order_is_nothing_to_engines_that_do_not_queue(arrivals: list[Arrival], order: orders.Order) -> None:
    """With a slot for everybody every order gives the same latencies."""
    first, ordered = (played(arrivals, policies.RoundRobin(), each, slots=64) for each in (orders.Arrival(), order))

    assert [result.latency for result in ordered] == pytest.approx([result.latency for result in first])


@settings(max_examples=25)
@given(workloads())
def test_engines_without_priorities_serve_as_they_come(arrivals: list[Arrival]) -> None:
    """Numbers that no engine reads change nothing."""
    as_they_come = played(arrivals, policies.RoundRobin(), orders.Arrival())
    unread = played(arrivals, policies.RoundRobin(), orders.RemainingFirst(), scheduling=SchedulingPolicy.FCFS)

    assert unread == as_they_come


@settings(max_examples=25)
@given(workloads(), st.sampled_from(POLICIES))
def test_a_hold_queue_is_nothing_to_engines_that_do_not_queue(arrivals: list[Arrival], policy: policies.Policy) -> None:
    """With a slot for everybody nothing waits in the picker either."""
    order = orders.RemainingFirst()

    assert played(arrivals, policy, order, slots=64, flow_control=LIMITS) == played(arrivals, policy, order, slots=64)


@settings(max_examples=25)
@given(workloads(), st.sampled_from(POLICIES), st.sampled_from(ORDERS), st.integers(1, 3))
def test_whatever_is_held_ends(
    arrivals: list[Arrival], policy: policies.Policy, order: orders.Order, slots: int
) -> None:
    """Nothing is lost in the picker: every workflow has all stages of its model's run."""
    results = played(arrivals, policy, order, slots=slots, flow_control=LIMITS)

    for arrival, result in zip(arrivals, results, strict=True):
        assert result.model is not None
        assert len(result.stages) == len(arrival.task.runs[result.model].stages)


@settings(max_examples=25)
@given(workloads(), st.integers(0, 3))
def test_the_truth_is_foreseen_of_every_stage(arrivals: list[Arrival], stage: int) -> None:
    """Of each model, and what remains is never less than the stage itself."""
    for arrival in arrivals:
        predictions = true([arrival.task]).of(arrival.task.task_id, stage).by_model

        assert predictions.keys() == arrival.task.runs.keys()
        assert all(each.stage_tokens <= each.remaining_tokens for each in predictions.values())
