"""The simulated engine over real sockets, with the official client."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import openai
import pytest
from bench_pools import QUICK, engine, metrics, wait_for
from bench_workloads import run
from prometheus_client.parser import text_string_to_metric_families

from chimera_bench.engine.recording import Recording, recorded_tokens
from chimera_bench.engine.types import SchedulingPolicy
from chimera_router.engines import page as pages
from chimera_router.engines.profiles import VLLM
from chimera_router.engines.types import Reading

pytestmark = pytest.mark.anyio

TASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "task t"}]
NEXT = [*TASK, {"role": "assistant", "content": "ok"}, {"role": "user", "content": "go on"}]
RECORDING = Recording(recorded_tokens([run("m", (30, 12))]), [5], seed=0)
SLOW = replace(QUICK, base_step=0.02)
ENDLESS = Recording({}, [100_000], seed=0)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with engine("m", RECORDING) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_chat_gets_the_recorded_length(client: openai.AsyncOpenAI) -> None:
    """By task and stage, in words and in the token counts; and it says that it is simulated."""
    for messages, tokens in ((TASK, 30), (NEXT, 12)):
        answer = await client.chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]
        assert answer.usage
        assert answer.usage.completion_tokens == tokens
        assert len((answer.choices[0].message.content or "").split()) == tokens
        assert (answer.system_fingerprint, answer.choices[0].finish_reason) == ("simulated", "stop")


async def test_a_stream_says_the_same_as_the_whole_answer(client: openai.AsyncOpenAI) -> None:
    """Chunk by chunk, with the usage last."""
    whole = await client.chat.completions.create(model="m", messages=TASK)  # type: ignore[arg-type]
    stream = await client.chat.completions.create(
        model="m",
        messages=TASK,
        stream=True,
        stream_options={"include_usage": True},  # type: ignore[arg-type]
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)

    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    assert {chunk.system_fingerprint for chunk in chunks} == {"simulated"}
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]


async def test_a_completion_is_served_whole_and_streamed(client: openai.AsyncOpenAI) -> None:
    """The older API, with the same words."""
    whole = await client.completions.create(model="m", prompt="task t")
    stream = await client.completions.create(model="m", prompt="task t", stream=True)
    text = "".join([choice.text async for chunk in stream for choice in chunk.choices])

    assert text == whole.choices[0].text
    assert whole.system_fingerprint == "simulated"


async def test_the_client_limits_the_tokens(client: openai.AsyncOpenAI) -> None:
    """An answer that is cut says so."""
    answer = await client.chat.completions.create(model="m", messages=TASK, max_tokens=4)  # type: ignore[arg-type]

    assert answer.usage
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (4, "length")


async def test_models_lists_the_served_names(client: openai.AsyncOpenAI) -> None:
    """An alias is served like the name itself."""
    assert [model.id async for model in client.models.list()] == ["m", "m-alias"]
    answer = await client.chat.completions.create(model="m-alias", messages=TASK)  # type: ignore[arg-type]
    assert answer.model == "m-alias"


async def test_an_unknown_model_is_not_found(client: openai.AsyncOpenAI) -> None:
    """In the shape that the client turns into its own error."""
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        await client.chat.completions.create(model="other", messages=TASK)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "body", "status"),
    [
        ("POST /v1/chat/completions", b"{", 400),
        ("POST /v1/chat/completions", b'{"model": "m"}', 400),
        ("POST /v1/completions", b'{"model": "m", "prompt": "' + b"x" * (17 * 1024 * 1024), 413),
    ],
    ids=["bad-json", "no-messages", "too-large"],
)
async def test_what_is_refused_has_openais_shape(
    http: aiohttp.ClientSession, url: str, call: str, body: bytes, status: int
) -> None:
    """Every refusal is a JSON object `error`."""
    method, path = call.split()
    async with http.request(method, f"{url}{path}", data=io.BytesIO(body)) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (status, status)


@pytest.mark.parametrize(
    ("call", "status", "rule"),
    [("POST /v1/nowhere", 404, "Not Found"), ("GET /v1/completions", 405, "Method Not Allowed")],
)
async def test_what_is_no_call_is_refused_as_by_vllm(
    http: aiohttp.ClientSession, url: str, call: str, status: int, rule: str
) -> None:
    """Its web framework answers, not its API."""
    method, path = call.split()
    async with http.request(method, f"{url}{path}") as response:
        assert (response.status, await response.json()) == (status, {"detail": rule})


async def test_a_call_without_a_model_gets_the_only_one(http: aiohttp.ClientSession, url: str) -> None:
    """By the first of its names."""
    async with http.post(f"{url}/v1/chat/completions", json={"messages": TASK}) as response:
        assert (response.status, (await response.json())["model"]) == (200, "m")


async def test_a_prompt_beyond_the_cache_is_refused(http: aiohttp.ClientSession) -> None:
    """With the limit in the sentence."""
    async with engine("m", RECORDING, coefficients=replace(QUICK, kv_tokens=50)) as url:
        body = {"model": "m", "messages": [{"role": "user", "content": "x" * 400}]}
        async with http.post(f"{url}/v1/chat/completions", json=body) as response:
            assert (response.status, "at most 50 tokens" in await response.text()) == (400, True)


async def test_it_is_unhealthy_until_the_start_up_is_over(http: aiohttp.ClientSession) -> None:
    """Loading weights takes its time, during which nothing is served."""
    async with engine("m", RECORDING, startup_delay=0.3) as url:
        async with http.get(f"{url}/health") as early, http.get(f"{url}/v1/models") as refused:
            assert (early.status, refused.status) == (503, 503)
        async with asyncio.timeout(10):
            while True:
                async with http.get(f"{url}/health") as response:
                    if response.ok:
                        break
                await asyncio.sleep(0.01)


LABELLED = {"model_name": "m", "engine": "0"}


async def test_metrics_have_vllms_names_and_labels(
    client: openai.AsyncOpenAI, http: aiohttp.ClientSession, url: str
) -> None:
    """A scraper made for vLLM finds what it looks for."""
    await client.chat.completions.create(model="m", messages=TASK)  # type: ignore[arg-type]
    async with http.get(f"{url}/metrics") as response:
        found = pages.read(await response.read(), VLLM)
        families = {family.name: family for family in text_string_to_metric_families(await response.text())}

    assert isinstance(found, Reading)
    assert (found.loaded, (found.pulse or 0.0) > 0.0) == (False, True)
    for name, kind in {
        "vllm:num_requests_running": "gauge",
        "vllm:num_requests_waiting": "gauge",
        "vllm:kv_cache_usage_perc": "gauge",
        "vllm:num_preemptions": "counter",
        "vllm:prompt_tokens": "counter",
        "vllm:generation_tokens": "counter",
        "vllm:request_success": "counter",
        "vllm:prefix_cache_queries": "counter",
        "vllm:prefix_cache_hits": "counter",
        "vllm:time_to_first_token_seconds": "histogram",
        "vllm:e2e_request_latency_seconds": "histogram",
        "vllm:request_queue_time_seconds": "histogram",
        "vllm:request_time_per_output_token_seconds": "histogram",
    }.items():
        assert families[name].type == kind, name
        assert families[name].samples[0].labels.items() >= LABELLED.items(), name
    assert families["vllm:cache_config_info"].samples[0].labels["block_size"] == "16"


async def test_every_reason_to_end_is_counted_from_the_start(http: aiohttp.ClientSession, url: str) -> None:
    """As by vLLM: the first abort is then an increase that a rate shows."""
    async with http.get(f"{url}/metrics") as response:
        families = {family.name: family for family in text_string_to_metric_families(await response.text())}
    totals = [sample for sample in families["vllm:request_success"].samples if sample.name.endswith("_total")]

    assert {sample.labels["finished_reason"]: sample.value for sample in totals} == dict.fromkeys(
        ("stop", "length", "abort", "error", "repetition"), 0.0
    )


async def test_metrics_count_what_was_served(client: openai.AsyncOpenAI, http: aiohttp.ClientSession, url: str) -> None:
    """Two stages of one conversation: the second finds the first in the prefix cache."""
    usages = [
        (await client.chat.completions.create(model="m", messages=messages)).usage  # type: ignore[arg-type]
        for messages in (TASK, NEXT)
    ]
    values = await metrics(http, url)

    assert values["vllm:generation_tokens_total"] == sum(usage.completion_tokens for usage in usages if usage) == 42
    assert values["vllm:prompt_tokens_total"] == sum(usage.prompt_tokens for usage in usages if usage)
    assert values["vllm:prefix_cache_hits_total"] > 0
    assert values["vllm:request_success_total"] == values["vllm:e2e_request_latency_seconds_count"] == 2
    assert values["vllm:time_to_first_token_seconds_sum"] < values["vllm:e2e_request_latency_seconds_sum"]


async def test_an_engine_without_prefix_caching_computes_every_prompt(http: aiohttp.ClientSession) -> None:
    """The second stage finds nothing of the first."""
    async with engine("m", RECORDING, prefix_caching=False) as bare:
        for messages in (TASK, NEXT):
            async with http.post(f"{bare}/v1/chat/completions", json={"model": "m", "messages": messages}) as answer:
                assert answer.status == 200

        assert (await metrics(http, bare))["vllm:prefix_cache_hits_total"] == 0


async def test_gauges_show_the_batch_and_the_queue(http: aiohttp.ClientSession) -> None:
    """One slot: one runs, the others wait; tokens count while they are generated."""
    async with engine("m", ENDLESS, coefficients=replace(SLOW, max_num_seqs=1)) as url:
        tasks = [asyncio.create_task(_post(http, url, {"model": "m", "messages": TASK})) for _ in range(3)]
        await wait_for(http, url, "vllm:num_requests_waiting", 2.0)
        values = await metrics(http, url)
        assert values["vllm:num_requests_running"] == 1.0
        assert 0.0 < values["vllm:kv_cache_usage_perc"] < 1.0
        for task in tasks:
            task.cancel()
        await wait_for(http, url, "vllm:num_requests_running", 0.0)


async def test_a_client_that_hangs_up_cancels_its_request(http: aiohttp.ClientSession) -> None:
    """Streamed or not: the engine stops working on it and counts an abort."""
    async with engine("m", ENDLESS, coefficients=SLOW) as url:
        for stream in (False, True):
            task = asyncio.create_task(_post(http, url, {"model": "m", "messages": TASK, "stream": stream}))
            await wait_for(http, url, "vllm:num_requests_running", 1.0)
            task.cancel()
            await wait_for(http, url, "vllm:num_requests_running", 0.0)
        async with http.get(f"{url}/metrics") as response:
            assert 'finished_reason="abort",model_name="m"} 2.0' in await response.text()


async def test_urgent_requests_leave_the_queue_first(http: aiohttp.ClientSession) -> None:
    """By `priority` as vLLM has it, lower first, while the one slot is taken."""
    order: list[int] = []

    async def ask(url: str, priority: int) -> None:
        await _post(http, url, {"model": "m", "messages": TASK, "max_tokens": 3, "priority": priority})
        order.append(priority)

    one_slot = replace(SLOW, max_num_seqs=1)
    async with engine("m", ENDLESS, coefficients=one_slot, scheduling=SchedulingPolicy.PRIORITY) as url:
        blocker = asyncio.create_task(_post(http, url, {"model": "m", "messages": TASK, "max_tokens": 40}))
        await wait_for(http, url, "vllm:num_requests_running", 1.0)
        async with asyncio.TaskGroup() as group:
            for waiting, priority in enumerate((5, -5, 0), start=1):
                group.create_task(ask(url, priority))
                await wait_for(http, url, "vllm:num_requests_waiting", float(waiting))
        await blocker

    assert order == [-5, 0, 5]


async def test_fast_steps_share_a_chunk(http: aiohttp.ClientSession) -> None:
    """A thousand tokens in a tenth of a second do not become a thousand events."""
    async with engine("m", ENDLESS, coefficients=replace(QUICK, base_step=0.0001)) as url:
        body = {"model": "m", "messages": TASK, "stream": True, "max_tokens": 1000}
        text = await _post(http, url, body)

    assert text.count("data: ") < 100
    assert (
        sum(
            len(json.loads(line[6:])["choices"][0]["delta"].get("content", "").split())
            for line in text.splitlines()
            if line.startswith("data: {")
        )
        == 1000
    )


async def test_answers_take_the_time_of_their_steps(http: aiohttp.ClientSession) -> None:
    """Ten steps of 20 ms last at least as long, on a loaded machine longer."""
    clock = asyncio.get_running_loop().time
    async with engine("m", ENDLESS, coefficients=SLOW) as url:
        begin = clock()
        await _post(http, url, {"model": "m", "messages": TASK, "max_tokens": 10})

    assert clock() - begin >= 0.2


async def _post(http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> str:
    async with http.post(f"{url}/v1/chat/completions", json=body) as response:
        assert response.status == 200
        return await response.text()
