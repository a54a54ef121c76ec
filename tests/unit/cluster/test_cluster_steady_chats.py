"""What the suites on a cluster take for a whole answer."""

import json

import httpx2
import openai
import pytest
from steady_chats import DONE, chat

pytestmark = pytest.mark.anyio

HEADERS = {"x-chimera-model": "small", "x-chimera-decision": '{"endpoint": "small-0"}'}


def stream(*events: object) -> bytes:
    said = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return "".join(f"data: {each}\n\n" for each in said).encode()


def ended(reason: str | None) -> object:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


WHOLE = stream(ended(None), ended("length"), DONE)


async def failure(body: bytes) -> str:
    answer = httpx2.Response(200, headers={**HEADERS, "content-type": "text/event-stream"}, content=body)
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: answer))
    async with openai.AsyncOpenAI(base_url="http://engine/v1", api_key="none", http_client=http) as client:
        return (await chat(client, "small", "What?", 2, streamed=True)).failure


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (WHOLE, ""),
        (stream(ended(None), ended("length")), "cut: no [DONE]"),
        (stream(ended(None), ended("abort"), DONE), "cut: abort"),
        (stream(ended(None)), "cut: None"),
        (stream({"error": {"message": "gone"}}, DONE), "cut: None"),
    ],
)
async def test_stream_is_whole_with_its_reason_and_its_last_event(body: bytes, said: str) -> None:
    """A stream is cut without a reason to end, with `abort` for one, or without its last event."""
    assert await failure(body) == said
