"""The picker behind the real Envoy, in front of simulated engines, used by real clients."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest
from aiohttp import ClientPayloadError, ClientSession
from directors import director
from engines import ANSWER_TOKENS, broken, echo, engine, engine_process
from envoys import free_port, listening, served
from eventual import eventually

from chimera_router import wire
from chimera_router.director import Director
from chimera_router.parsing.limits import Limits

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

CHAT = "/v1/chat/completions"
ASK = {"model": "assistants", "messages": [{"role": "user", "content": "hi"}]}


@dataclass
class Stack:
    url: str
    director: Director
    http: ClientSession
    client: openai.AsyncOpenAI
    small: AsyncExitStack
    large: AsyncExitStack

    def in_flight(self) -> int:
        return sum(state.load.requests for state in self.director.snapshot().endpoints)


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with AsyncExitStack() as whole:
        small, large = AsyncExitStack(), AsyncExitStack()
        await whole.enter_async_context(small)
        await whole.enter_async_context(large)
        addresses = {
            "small": await small.enter_async_context(engine("small")),
            "large": await large.enter_async_context(engine("large")),
        }
        made = director(**addresses, limits=Limits(max_body_bytes=8 * 1024 * 1024))  # type: ignore[arg-type]
        folder: Path = tmp_path_factory.mktemp("envoy")
        url = await whole.enter_async_context(served(made, folder))
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)
        http = await whole.enter_async_context(ClientSession(url))
        yield Stack(url, made, http, client, small, large)
        await client.close()


async def test_openai_client_is_answered_by_the_chosen_model(stack: Stack) -> None:
    """The official client works unchanged; the answer names the model and says that it is simulated."""
    raw = await stack.client.chat.completions.with_raw_response.create(
        model="assistants", messages=[{"role": "user", "content": "whole"}]
    )

    answer = raw.parse()
    assert (answer.system_fingerprint, answer.usage and answer.usage.completion_tokens) == ("simulated", ANSWER_TOKENS)
    assert raw.headers[wire.MODEL] == "large"
    assert raw.headers[wire.WORKFLOW_ID]
    await eventually(stack.in_flight, 0)


async def test_openai_client_streams(stack: Stack) -> None:
    """A stream comes piece by piece and ends with the usage asked for."""
    stream = await stack.client.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": "streamed"}],
        stream=True,
        stream_options={"include_usage": True},
    )

    pieces = [piece async for piece in stream]

    assert len(pieces) > 2
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens == ANSWER_TOKENS
    await eventually(stack.in_flight, 0)


async def test_legacy_completions_are_served(stack: Stack) -> None:
    """The completions API takes the same way."""
    answer = await stack.client.completions.create(model="assistants", prompt="once upon")

    assert answer.usage is not None
    assert answer.usage.completion_tokens == ANSWER_TOKENS


async def test_models_are_listed_and_described(stack: Stack) -> None:
    """The client lists the pool and its members, and finds each."""
    listed = [model.id async for model in stack.client.models.list()]

    assert listed == ["assistants", "small", "large"]
    assert (await stack.client.models.retrieve("small")).id == "small"


async def test_decision_is_explained_on_request(stack: Stack) -> None:
    """One header asks for every model's confidence, latency and verdict."""
    async with stack.http.post(CHAT, json=ASK, headers={wire.EXPLAIN: "true"}) as response:
        explained = json.loads(response.headers[wire.DECISION])
    async with stack.http.post(CHAT, json=ASK) as response:
        unasked = response.headers

    assert [set(each) for each in explained["models"]] == [
        {"model", "confidence", "latency_s", "delay_s", "remaining_tokens", "verdict"}
    ] * 2
    assert wire.DECISION not in unasked


async def test_pinned_model_answers(stack: Stack) -> None:
    """A member's own name gets that member."""
    async with stack.http.post(CHAT, json={**ASK, "model": "small"}) as response:
        assert response.headers[wire.MODEL] == "small"
        assert (await response.json())["model"] == "small"


async def test_conversation_without_headers_is_one_workflow(stack: Stack) -> None:
    """A second stage is recognised by its messages and stays on its model."""
    before = stack.director.tally.recognised
    first = [{"role": "user", "content": "a task of two stages"}]
    async with stack.http.post(CHAT, json={**ASK, "messages": first}) as response:
        workflow, model = response.headers[wire.WORKFLOW_ID], response.headers[wire.MODEL]
        reply = (await response.json())["choices"][0]["message"]
    second = [*first, {"role": "assistant", "content": reply["content"]}, {"role": "user", "content": "observed"}]
    async with stack.http.post(CHAT, json={**ASK, "messages": second}) as response:
        assert (response.headers[wire.WORKFLOW_ID], response.headers[wire.MODEL]) == (workflow, model)

    assert stack.director.tally.recognised == before + 1


@pytest.mark.parametrize(
    ("method", "path", "data", "status", "code"),
    [
        pytest.param("POST", CHAT, json.dumps({**ASK, "model": "gpt-9"}), 404, "model_not_found", id="unknown model"),
        pytest.param("POST", CHAT, "no json", 400, "invalid_request", id="invalid JSON"),
        pytest.param("POST", CHAT, "x" * (9 * 1024 * 1024), 413, "request_too_large", id="too large"),
        pytest.param("POST", CHAT, None, 400, "invalid_request", id="no body"),
        pytest.param("GET", CHAT, None, 405, "method_not_allowed", id="wrong method"),
        pytest.param("POST", "/pause", "{}", 404, "unknown_url", id="an engine's own path"),
        pytest.param("GET", "/metrics", None, 404, "unknown_url", id="an engine's metrics"),
    ],
)
async def test_refusals_have_openais_shape(  # noqa: PLR0917 - one row of the table
    stack: Stack, method: str, path: str, data: str | None, status: int, code: str
) -> None:
    """What cannot be served is refused with the status and the error object that clients know."""
    sent = None if data is None else io.BytesIO(data.encode())
    async with stack.http.request(method, path, data=sent) as response:
        error = (await response.json())["error"]

    assert (response.status, error["code"], bool(error["message"])) == (status, code, True)


async def test_openai_client_raises_its_own_errors(stack: Stack) -> None:
    """The client library maps the refusals to its exception types."""
    with pytest.raises(openai.NotFoundError):
        await stack.client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "x"}])


async def test_client_that_leaves_frees_its_place(stack: Stack) -> None:
    """A client that hangs up in the middle of a stream leaves nothing in flight."""
    slow = [{"role": "user", "content": "long"}]
    async with stack.http.post(CHAT, json={**ASK, "messages": slow, "stream": True}) as response:
        await response.content.readany()
        assert stack.in_flight() == 1

    await eventually(stack.in_flight, 0)


async def test_client_cannot_choose_the_destination(stack: Stack) -> None:
    """A forged destination header is overwritten, wherever it points."""
    async with stack.http.post(CHAT, json=ASK, headers={wire.DESTINATION: "127.0.0.1:1"}) as response:
        assert response.status == 200


@pytest.mark.parametrize("size", [10, 70_000, 3_000_000])
async def test_body_reaches_the_engine_byte_for_byte(tmp_path: Path, size: int) -> None:
    """Whatever its size, a body arrives whole, with only the model rewritten and the priority set."""
    async with AsyncExitStack() as whole:
        address, bodies = await whole.enter_async_context(echo())
        url = await whole.enter_async_context(served(director(small="127.0.0.1:1", large=address), tmp_path))
        http = await whole.enter_async_context(ClientSession())
        messages = [{"role": "user", "content": "é\\" * (size // 3)}]

        asked = io.BytesIO(json.dumps({**ASK, "messages": messages, "priority": -5}).encode())
        async with http.post(f"{url}{CHAT}", data=asked) as response:
            assert response.status == 200

    (body,) = bodies
    sent = json.loads(body)
    assert (sent["messages"], sent["model"]) == (messages, "large")
    assert sent["priority"] > 0


async def test_dead_engine_is_left_and_all_dead_is_503(tmp_path: Path) -> None:
    """When an engine dies requests go to the other; when all have died the answer is 503, in OpenAI's shape."""
    async with AsyncExitStack() as whole:
        small, large = AsyncExitStack(), AsyncExitStack()
        await whole.enter_async_context(small)
        await whole.enter_async_context(large)
        addresses = {
            "small": await small.enter_async_context(engine("small")),
            "large": await large.enter_async_context(engine("large")),
        }
        made = director(**addresses)
        url = await whole.enter_async_context(served(made, tmp_path))
        http = await whole.enter_async_context(ClientSession())

        async def ask() -> tuple[int, str | None, str | None]:
            async with http.post(f"{url}{CHAT}", json=ASK) as response:
                body = await response.json()
                code = body.get("error", {}).get("type")
                return response.status, response.headers.get(wire.MODEL), code

        assert await ask() == (200, "large", None)
        await large.aclose()
        assert (await ask())[0] == 503
        assert await ask() == (200, "small", None)
        await small.aclose()
        assert (await ask())[0] == 503
        assert await ask() == (503, None, "server_error")
        await eventually(lambda: sum(state.load.requests for state in made.snapshot().endpoints), 0)


async def test_failure_that_is_not_json_is_put_into_openais_shape(tmp_path: Path) -> None:
    """A 5xx page of some proxy on the way becomes an error object; the page itself stays behind."""
    async with AsyncExitStack() as whole:
        address = await whole.enter_async_context(broken())
        made = director(small="127.0.0.1:1", large=address)
        url = await whole.enter_async_context(served(made, tmp_path))
        http = await whole.enter_async_context(ClientSession())

        async with http.post(f"{url}{CHAT}", json=ASK) as response:
            text = await response.text()

        assert (response.status, json.loads(text)["error"]["code"]) == (500, "engine_unreachable")
        assert "canary" not in text
        await eventually(lambda: sum(state.load.requests for state in made.snapshot().endpoints), 0)


async def test_engine_that_dies_in_the_middle_frees_its_place(tmp_path: Path) -> None:
    """A stream cut by kill -9 of its engine fails at the client at once, and nothing stays in flight."""
    port = free_port()
    async with AsyncExitStack() as whole:
        process = await whole.enter_async_context(engine_process("large", port))
        made = director(small="127.0.0.1:1", large=f"127.0.0.1:{port}")
        url = await whole.enter_async_context(served(made, tmp_path))
        http = await whole.enter_async_context(ClientSession())
        await listening(port)

        async with http.post(f"{url}{CHAT}", json={**ASK, "stream": True}) as response:
            await response.content.readany()
            process.kill()
            with pytest.raises(ClientPayloadError):
                await response.read()

        await eventually(lambda: sum(state.load.requests for state in made.snapshot().endpoints), 0)
