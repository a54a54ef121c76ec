"""The engines of the conformance kit, asked without a gateway."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chimera_conformance import wire
from chimera_conformance.gateway import engine, http1
from chimera_conformance.gateway.engine import COMPLETION, EngineError, Engines, Reply
from chimera_conformance.processes import accepts, own_endpoints
from chimera_conformance.target import Endpoint

pytestmark = pytest.mark.anyio


@pytest.fixture
async def engines() -> AsyncIterator[tuple[Engines, Endpoint]]:
    endpoint = own_endpoints()[0]
    async with engine.serving([endpoint]) as serving:
        yield serving, endpoint


async def asked(endpoint: Endpoint, data: bytes) -> tuple[http1.Message, bytes]:
    reader, writer = await asyncio.open_connection(endpoint.ip, endpoint.port)
    writer.write(data)
    try:
        answer = await http1.read(reader)
        return answer, await answer.read()
    finally:
        writer.close()


def request(call: str, body: bytes = b"{}", path: str = "/v1/chat/completions") -> bytes:
    headers = [("Content-Length", str(len(body))), *([(wire.CALL, call)] if call else [])]
    return http1.head(f"POST {path} HTTP/1.1", headers) + body


async def test_arrival_is_kept_and_answered(engines: tuple[Engines, Endpoint]) -> None:
    """A call of the kit is kept as it arrived, and gets a completion unless told otherwise."""
    serving, endpoint = engines

    answer, body = await asked(endpoint, request("7", b'{"a":1}'))

    assert (answer.status, body) == (200, COMPLETION)
    (arrival,) = serving.arrivals["7"]
    assert (arrival.endpoint, arrival.body, arrival.values(wire.CALL)) == (endpoint, b'{"a":1}', ["7"])


async def test_reply_is_given_as_told(engines: tuple[Engines, Endpoint]) -> None:
    """Status, type, pieces and trailers are those that the case asked for."""
    serving, endpoint = engines
    serving.replies["8"] = Reply(status=500, content_type="text/plain", pieces=(b"a", b"b"), trailers={"x-t": "1"})

    answer, body = await asked(endpoint, request("8"))

    assert (answer.status, answer.header("content-type"), body) == (500, "text/plain", b"ab")
    assert answer.trailers == {"x-t": "1"}


async def test_pieces_are_paced(engines: tuple[Engines, Endpoint]) -> None:
    """A piece that is not due yet is not sent."""
    serving, endpoint = engines
    due = asyncio.Event()

    async def paced() -> AsyncIterator[bytes]:
        yield b"first"
        await due.wait()
        yield b"second"

    serving.replies["9"] = Reply(pieces=paced())
    reader, writer = await asyncio.open_connection(endpoint.ip, endpoint.port)
    writer.write(request("9"))
    pieces = (await http1.read(reader)).body()

    assert await anext(pieces) == b"first"
    due.set()
    assert [piece async for piece in pieces] == [b"second"]
    writer.close()


async def test_cut_answer_is_broken(engines: tuple[Engines, Endpoint]) -> None:
    """A reply that is cut ends before its body is complete."""
    serving, endpoint = engines
    serving.replies["10"] = Reply(pieces=(b"part",), cut=True)

    with pytest.raises(http1.Broken):
        await asked(endpoint, request("10"))


async def test_pickers_find_a_live_idle_engine(engines: tuple[Engines, Endpoint]) -> None:
    """What pickers scrape says that nothing runs and nothing waits; it is no arrival."""
    serving, endpoint = engines

    answer, body = await asked(endpoint, request("", path="/metrics"))

    assert (answer.status, answer.header("content-type")) == (200, "text/plain")
    assert b"vllm:num_requests_waiting" in body
    assert not serving.arrivals


async def test_stopped_engine_refuses_and_comes_back(engines: tuple[Engines, Endpoint]) -> None:
    """A stopped engine cuts its connections and takes none; started again it answers."""
    serving, endpoint = engines
    reader, writer = await asyncio.open_connection(endpoint.ip, endpoint.port)
    writer.write(request("11"))
    await (await http1.read(reader)).read()

    await serving.stop(endpoint)

    with pytest.raises(http1.Broken):
        await http1.read(reader)
    writer.close()
    assert not await accepts(endpoint.ip, endpoint.port)
    await serving.start(endpoint)
    answer, _ = await asked(endpoint, request("12"))
    assert answer.status == 200


async def test_endpoint_that_cannot_be_served_is_named(engines: tuple[Engines, Endpoint]) -> None:
    """An endpoint that somebody else has is named."""
    _, endpoint = engines

    with pytest.raises(EngineError, match=f"{endpoint}: cannot be served here"):
        await Engines().start(endpoint)
