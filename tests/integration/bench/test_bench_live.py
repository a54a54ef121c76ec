"""The live replay against real engines behind a proxy that chooses as a test says."""

import asyncio
from itertools import count

import pytest
from bench_pools import fake_pool, wait_for
from bench_workloads import at, run

from chimera_bench.replay import retries
from chimera_bench.replay.conversation import ReplayError
from chimera_bench.replay.live import LiveReplay
from chimera_bench.replay.results import WorkflowResult
from chimera_router import wire

pytestmark = pytest.mark.anyio

SMALL, LARGE = run("S", (5, 6), success=False), run("L", (7, 8, 9), success=True)
RUNS = {"S": [SMALL], "L": [LARGE]}


def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.001)


async def replay(url: str, *moments: float, speed: float = 1.0, **options: bool) -> list[WorkflowResult]:
    """Replay the task at these moments."""
    seen: list[WorkflowResult] = []
    arrivals = [at(moment, SMALL, LARGE) for moment in moments]
    results = await LiveReplay(url, speed=speed, on_result=seen.append, **options).run(arrivals)
    assert sorted(map(id, seen)) == sorted(map(id, results))
    return results


async def test_a_workflow_is_replayed_to_its_end() -> None:
    """Every stage of the chosen model's run, with its recorded tokens and its outcome."""
    async with fake_pool(RUNS, lambda _: "L") as (url, _):
        (result,) = await replay(url, 0.0)

    assert [(stage.model, stage.output_tokens) for stage in result.stages] == [("L", 7), ("L", 8), ("L", 9)]
    assert (result.success, result.retries, result.kept_stages) == (True, 0, 2)


async def test_the_conversation_grows_and_names_no_workflow() -> None:
    """Each stage sends all that was said; nothing but the messages tells which workflow it belongs to."""
    async with fake_pool(RUNS, lambda _: "S") as (url, pool):
        await replay(url, 0.0)

    first, second = (body["messages"] for body in pool.bodies)
    assert second[:2] == first
    assert [message["role"] for message in second] == ["system", "user", "assistant", "user"]
    assert second[3]["content"] == "S says 1"
    assert len(second[2]["content"].split()) == 5
    assert not {wire.WORKFLOW_ID, *wire.SESSION_IDS} & {name.lower() for headers in pool.headers for name in headers}


async def test_requests_may_name_their_application() -> None:
    """By the task set they come from; else by nothing."""
    async with fake_pool(RUNS, lambda _: "S") as (url, pool):
        await replay(url, 0.0)
        await replay(url, 0.0, names_application=True)

    assert [headers.get(wire.APPLICATION) for headers in pool.headers] == [None, None, "set", "set"]


async def test_requests_are_streams_with_usage_for_any_model() -> None:
    """As an application that leaves the choice to the pool."""
    async with fake_pool(RUNS, lambda _: "S") as (url, pool):
        await replay(url, 0.0)

    body = pool.bodies[0]
    assert (body["model"], body["stream"], body["stream_options"]) == ("auto", True, {"include_usage": True})


async def test_another_model_takes_over_with_its_own_run() -> None:
    """The outcome is that of the model that answered last."""
    async with fake_pool(RUNS, lambda messages: "S" if len(messages) == 2 else "L") as (url, _):
        (result,) = await replay(url, 0.0)

    assert [(stage.model, stage.output_tokens) for stage in result.stages] == [("S", 5), ("L", 8), ("L", 9)]
    assert (result.success, result.kept_stages, result.later_stages) == (True, 1, 2)


async def test_latencies_and_arrivals_are_at_the_models_own_speed() -> None:
    """A replay ten times faster reports what it would have been."""
    async with fake_pool(RUNS, lambda _: "S") as (url, _):
        begin = asyncio.get_running_loop().time()
        results = await replay(url, 0.0, 3.0, speed=10.0)
        elapsed = asyncio.get_running_loop().time() - begin

    assert elapsed >= 0.3
    assert sum(result.latency for result in results) < 20 * elapsed
    assert all(result.latency >= 11 * 0.001 * 10 for result in results)


async def test_a_failed_request_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Server errors, refusals for load and streams that break are retried and counted; the messages stay the same."""
    no_pauses(monkeypatch)
    failures = iter([503, 429, "cut"])
    async with fake_pool(RUNS, lambda _: next(failures, "S")) as (url, pool):
        (result,) = await replay(url, 0.0)

    assert [stage.retries for stage in result.stages] == [3, 0]
    assert [body["messages"] for body in pool.bodies[:3]] == [pool.bodies[3]["messages"]] * 3
    assert result.model == "S"


async def test_a_lost_connection_is_a_failed_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: the workflow is given up after a bounded number of attempts, and others go on."""
    no_pauses(monkeypatch)
    async with fake_pool(RUNS, lambda _: "S") as (url, _):
        pass
    (result,) = await replay(url, 0.0)

    assert (result.model, result.retries, result.success) == (None, retries.RETRIES, False)


async def test_attempts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that always fails is asked no more often than the limit says."""
    no_pauses(monkeypatch)
    async with fake_pool(RUNS, lambda messages: 500 if len(messages) > 2 else "S") as (url, pool):
        (result,) = await replay(url, 0.0)

    assert len(pool.bodies) == 1 + 1 + retries.RETRIES
    assert [stage.model for stage in result.stages] == ["S", None]
    assert not result.success


async def test_a_refusal_ends_the_replay() -> None:
    """A request that breaks a rule of the pool would break it every time."""
    async with fake_pool(RUNS, lambda _: 404) as (url, _):
        with pytest.raises(ReplayError, match="status 404"):
            await replay(url, 0.0, 0.0)


async def test_an_answer_without_a_model_ends_the_replay() -> None:
    """What it is replayed against is not a pool."""
    runs = RUNS | {"stranger": [run("stranger", (3,))]}
    async with fake_pool(runs, lambda _: "stranger") as (url, _):
        with pytest.raises(ReplayError, match="x-chimera-model"):
            await replay(url, 0.0)


async def test_results_come_in_the_order_of_the_arrivals() -> None:
    """Whatever ended first."""
    ordinals = count()

    def choose(messages: list[dict[str, str]]) -> str:
        return ("L", "S")[next(ordinals)] if len(messages) == 2 else _model_of(messages)

    async with fake_pool(RUNS, choose) as (url, _):
        results = await replay(url, 0.0, 0.05)

    assert [result.model for result in results] == ["L", "S"]


def _model_of(messages: list[dict[str, str]]) -> str:
    """Return whose tool output the conversation ends with."""
    return messages[-1]["content"].split()[0]


async def test_a_cancelled_replay_leaves_no_request_behind() -> None:
    """Ctrl-C ends every workflow, and the engines stop working on them."""
    async with fake_pool({"S": [SMALL], "L": [run("L", (100_000,))]}, lambda _: "L") as (url, pool):
        task = asyncio.create_task(replay(url, 0.0, 0.0))
        await wait_for(pool.http, pool.engines["L"], "vllm:num_requests_running", 2.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wait_for(pool.http, pool.engines["L"], "vllm:num_requests_running", 0.0)
