"""Replays in virtual time: engines take a quarter second a token, whatever their batch, and prompts are free."""

from collections.abc import Sequence
from dataclasses import replace
from time import process_time

import pytest
from bench_serving import ENGINE, serving_pool
from bench_workloads import at, run

from chimera_bench.engine.types import SchedulingPolicy
from chimera_bench.recorded_tasks import arrival_rate, read_pool_tasks
from chimera_bench.replay.foresight import true
from chimera_bench.replay.results import WorkflowResult
from chimera_bench.replay.retries import RETRIES
from chimera_bench.replay.virtual import replay
from chimera_bench.serving import ServingPool, read_pools, shipped_pools
from chimera_bench.workload import Arrival, poisson
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.scheduling import orders
from chimera_router.scheduling.policies import Candidate, Choice, LeastLoaded, Marginal, Policy, RoundRobin, Static
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import SchedulingRequest
from chimera_training.data import recorded_folder

TWO = serving_pool("S", "L", L=replace(ENGINE, base_step=0.5))
ONE = serving_pool("m")
ONE_SLOT = ONE.with_slots(1)


def play(
    arrivals: Sequence[Arrival],
    pool: ServingPool,
    policy: Policy | None = None,
    *,
    order: orders.Order | None = None,
    scheduling: SchedulingPolicy = SchedulingPolicy.PRIORITY,
    restage: float | None = None,
    flow_control: HoldLimits | None = None,
) -> list[WorkflowResult]:
    scheduler = Scheduler(policy=policy or RoundRobin(), order=order or orders.RemainingFirst(), restage=restage)
    foresight = true([arrival.task for arrival in arrivals])
    return replay(
        arrivals,
        pool=pool,
        scheduler=scheduler,
        predictions=foresight,
        scheduling=scheduling,
        flow_control=flow_control,
    )


def latencies(results: Sequence[WorkflowResult]) -> list[float]:
    return [result.latency for result in results]


class Turns(RoundRobin):
    """The first stage to the first model, later ones to the second."""

    def gain(self, chosen: Candidate, kept: Candidate) -> float:  # noqa: ARG002 - the policies' interface
        return 1.0

    def choose(self, candidates: Sequence[Candidate], request: SchedulingRequest) -> Choice:
        return super().choose(candidates, replace(request, workflow=int(request.assignment is not None)))


def test_a_workflow_lasts_from_its_arrival_to_its_last_token() -> None:
    """Each stage begins where the one before ended: clients think in no time."""
    (result,) = play([at(3.0, run("m", (4, 8)))], ONE)

    assert result.latency == 3.0
    assert [(stage.model, stage.output_tokens) for stage in result.stages] == [("m", 4), ("m", 8)]
    assert result.success


def test_the_chosen_model_gives_its_own_run() -> None:
    """Its stages, its tokens, its outcome."""
    runs = (run("S", (4,), success=False), run("L", (2, 2), success=True))
    small, large = play([at(0.0, *runs), at(0.0, *runs)], TWO)

    assert (small.model, small.success, small.latency) == ("S", False, 1.0)
    assert (large.model, large.success, large.latency) == ("L", True, 2.0)


def test_results_come_in_order_of_arrival() -> None:
    """Whichever workflow ends first."""
    results = play([at(0.0, run("m", (40,), task="long")), at(0.0, run("m", (4,), task="short"))], ONE)

    assert [result.task_id for result in results] == ["long", "short"]


def test_results_are_told_as_workflows_end() -> None:
    """A progress bar moves with them."""
    told: list[str] = []
    replay(
        arrivals := [at(0.0, run("m", (40,), task="long")), at(0.0, run("m", (4,), task="short"))],
        pool=ONE,
        scheduler=Scheduler(),
        predictions=true([arrival.task for arrival in arrivals]),
        on_result=lambda result: told.append(result.task_id),
    )

    assert told == ["short", "long"]


def test_an_engine_serves_the_least_work_first() -> None:
    """The order's numbers reach the queue of an engine that takes them; the last to come goes first here."""
    arrivals = [at(0.0, run("m", (n,), task=str(n))) for n in (4, 40, 8)]

    assert latencies(play(arrivals, ONE_SLOT)) == [1.0, 13.0, 3.0]


def test_an_engine_without_priorities_serves_in_order_of_arrival() -> None:
    """As vLLM does unless told otherwise, whatever the order."""
    arrivals = [at(0.0, run("m", (n,), task=str(n))) for n in (4, 40, 8)]

    assert latencies(play(arrivals, ONE_SLOT, scheduling=SchedulingPolicy.FCFS)) == [1.0, 11.0, 13.0]
    assert latencies(play(arrivals, ONE_SLOT, order=orders.Arrival())) == [1.0, 11.0, 13.0]


def test_attained_tokens_count() -> None:
    """The second stage of a workflow that has had much stands behind a newcomer's first."""
    arrivals = [
        at(0.0, run("m", (40, 4), task="old")),
        at(0.0, run("m", (4,), task="other")),
        at(10.5, run("m", (4,), task="new")),
    ]
    results = play(arrivals, ONE_SLOT, order=orders.Attained(quantum=8))

    assert latencies(results) == [13.0, 11.0, 1.5]


def test_load_drives_workflows_to_the_other_engine() -> None:
    """The scheduler sees what is in flight at the moment of each decision."""
    results = play([at(0.1 * n, run("S", (8,)), run("L", (8,))) for n in range(4)], TWO, LeastLoaded())

    assert [result.model for result in results] == ["S", "L", "S", "L"]


def test_a_workflow_keeps_its_model() -> None:
    """All its stages go where the first went."""
    runs = (run("S", (8, 8, 8)), run("L", (8, 8, 8)))
    results = play([at(0.1 * n, *runs) for n in range(6)], TWO, LeastLoaded())

    assert all(result.kept_stages == result.later_stages == 2 for result in results)


def test_a_model_that_takes_over_goes_on_with_its_own_run() -> None:
    """Where a workflow is restaged, the newcomer's run counts from that stage; where that was shorter, it ends."""
    runs = (run("S", (8, 8, 8), success=False), run("L", (4, 4), success=True))

    (result,) = play([at(0.0, *runs)], TWO, Turns(), restage=0.0)

    assert [(stage.model, stage.output_tokens) for stage in result.stages] == [("S", 8), ("L", 4)]
    assert result.success


def test_prefixes_stay_for_the_next_stage() -> None:
    """A later prompt costs only what is new in it, unless engines do without prefix caching."""
    engine = replace(ENGINE, prefill_per_token=0.01)
    arrivals = [at(0.0, run("m", (4, 4), prompt=100))]
    (cached,) = play(arrivals, serving_pool("m", engine=engine))
    (whole,) = play(arrivals, replace(serving_pool("m", engine=engine), prefix_caching=False))

    assert cached.latency == pytest.approx(2.0 + 1.0 + 0.96)
    assert whole.latency == pytest.approx(2.0 + 1.0 + 2.0)


def test_a_model_may_have_several_engines() -> None:
    """The workflow goes to the least busy one, and its later stages where its prefix is."""
    pool = replace(ONE_SLOT, endpoints=2)
    arrivals = [at(0.125 * n, run("m", (4, 4), task=str(n))) for n in range(2)]

    assert latencies(play(arrivals, pool)) == [2.0, 2.0]


def test_what_nobody_takes_is_given_up() -> None:
    """After as many attempts as a client makes; such a workflow has solved nothing."""
    (result,) = play([at(0.0, run("S", (8,)), run("L", (8,)))], TWO, Static("other"))

    assert (result.model, result.success, result.retries) == (None, False, RETRIES)
    assert result.latency == pytest.approx(0.1 + 0.2 + 0.4 + 0.8 + 3 * 1.0)


def test_what_no_engine_could_hold_is_given_up() -> None:
    """An engine refuses a prompt and output beyond its whole KV cache at once."""
    (result,) = play([at(2.0, run("m", (200_000,)))], ONE)

    assert (result.model, result.success, result.latency) == (None, False, 0.0)


def test_requests_may_wait_in_the_picker() -> None:
    """They go to the engine of their model that is free first; without, to the one with the least before it."""
    pool = replace(ONE_SLOT, endpoints=2, prefix_caching=False)
    arrivals = [at(0.125 * n, run("m", (tokens,), task=str(n))) for n, tokens in enumerate((40, 4, 8))]

    assert latencies(play(arrivals, pool, flow_control=HoldLimits())) == [10.0, 1.0, 2.875]


def test_later_stages_wait_too() -> None:
    """Behind whoever has waited for the slot that the stage before has just left, if that has less to do."""
    arrivals = [at(0.0, run("m", (4, 40), task="long")), at(0.0, run("m", (8,), task="short"))]

    assert latencies(play(arrivals, ONE_SLOT, flow_control=HoldLimits())) == [13.0, 3.0]


def test_what_the_picker_refuses_is_tried_again() -> None:
    """As live clients do with status 429; who is refused every time is given up."""
    none = HoldLimits(max_requests=0)
    arrivals = [at(0.0, run("m", (tokens,), task=str(tokens))) for tokens in (8, 400, 4)]
    first, second, third = play(arrivals, ONE_SLOT, flow_control=none)

    assert (first.latency, first.retries) == (2.0, 0)
    assert (second.model, second.success, second.retries) == ("m", True, 5)
    assert (third.model, third.success, third.retries) == (None, False, RETRIES)


def test_a_replay_repeats() -> None:
    """Equal workloads give equal results."""
    tasks = [at(0.0, run("S", (5, 9), task=str(n)), run("L", (n + 1,), task=str(n))).task for n in range(9)]
    arrivals = poisson(tasks, count=200, rate=2.0, seed=3)
    first, second = (play(arrivals, TWO.with_slots(2), Marginal()) for _ in range(2))

    assert first == second


def test_all_engines_end_idle() -> None:
    """Every workflow of an overloaded pool ends in the end, and none twice."""
    tasks = [at(0.0, run("S", (30, 30), task=str(n)), run("L", (30,), task=str(n))).task for n in range(9)]
    results = play(poisson(tasks, count=300, rate=5.0, seed=3), TWO.with_slots(2), Marginal())

    assert len(results) == 300
    assert all(result.model for result in results)


def test_ten_thousand_workflows_take_less_than_a_minute() -> None:
    """Of recorded agents, at a load of .85, on one core; a tenth of them here."""
    (pool,) = (pool for pool in read_pools(shipped_pools()) if pool.name == "llama-agents-open")
    tasks = read_pool_tasks(pool, recorded_folder(), held_out_share=0.3).unseen
    arrivals = poisson(tasks, count=1000, rate=arrival_rate(pool, tasks, load=0.85), seed=0)
    began = process_time()
    results = play(arrivals, pool, Marginal())

    assert process_time() - began < 6.0
    assert len(results) == 1000
