"""What hostile and slow callers of the management interface get, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from access import open_gate
from aiohttp import ClientSession
from directors import FakePredictor, director
from pools import prediction

from chimera_router.management.limits import Limits
from chimera_router.management.pages import Management
from chimera_router.management.server import serve

pytestmark = pytest.mark.anyio

GET = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"


@asynccontextmanager
async def serving(limits: Limits | None = None, predictor: FakePredictor | None = None) -> AsyncIterator[int]:
    pages = Management(director(predictor), unready=lambda: "", gate=open_gate(), limits=limits)
    server = await serve(pages, host="127.0.0.1", port=0)
    yield server.port
    await server.stop()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def sent(port: int, data: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the error object that the bytes are answered with, once the connection is closed."""
    async with connected(port) as (reader, writer):
        writer.write(data)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: x", "connection: close", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.mark.parametrize(
    "data",
    [
        b"canary\r\n\r\n",
        b"\x16\x03\x01canary",
        b"GET /livez HTTP/1.1\r\ncanary\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost: x\r\nx: " + b"canary" * 2000 + b"\r\n\r\n",
        b"GET /" + b"canary" * 2000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost: x\r\n" + b"x: canary\r\n" * 65 + b"\r\n",
        b"GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: canary\r\n\r\n",
    ],
    ids=["no HTTP", "TLS", "no header", "large header", "long line", "many headers", "no length"],
)
async def test_bytes_that_are_no_request_are_refused(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be read gets 400 in OpenAI's shape; neither the answer nor the log repeats it."""
    async with serving() as port:
        status, error = await sent(port, data)

    assert (status, error["code"]) == (400, "invalid_request")
    assert "canary" not in json.dumps(error) + caplog.text


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"GET /canary HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 404, "unknown_url"),
        (b"DELETE /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 405, "method_not_allowed"),
        (b"HEAD /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 405, ""),
        (post("/chimera/v1/explain", b"canary" * 200_000), 413, "request_too_large"),
        (post("/chimera/v1/explain", b"\x1f\x8b", "content-encoding: gzip"), 400, "invalid_request"),
        (post("/chimera/v1/feedback", b"{}", "expect: canary"), 400, "invalid_request"),
        (post("/canary", b"{}", "expect: canary"), 400, "invalid_request"),
    ],
    ids=["page", "method", "head", "body", "compressed", "expectation", "expectation of no page"],
)
async def test_requests_for_what_is_not_served_are_refused(data: bytes, status: int, code: str) -> None:
    """Refusals by the HTTP library have OpenAI's shape as well, and repeat nothing."""
    async with serving() as port, connected(port) as (reader, writer):
        writer.write(data)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")

    assert int(head.split()[1]) == status
    assert b"canary" not in head + body
    assert not code or json.loads(body)["error"]["code"] == code


async def test_client_may_ask_before_it_sends_a_body() -> None:
    """`Expect: 100-continue` is answered, and then the request."""
    async with serving() as port, connected(port) as (reader, writer):
        writer.write(post("/chimera/v1/feedback", b"", "expect: 100-continue").replace(b"length: 0", b"length: 2"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")

        assert (await reader.read()).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("begun", [b"", b"GET /livez HTTP/1.1\r\nhost:", GET], ids=["silent", "slow", "answered"])
async def test_idle_connection_is_closed(begun: bytes) -> None:
    """Who sends no whole request head for a while is let go, from the start or after an answer."""
    async with serving(Limits(idle=0.2)) as port, connected(port) as (reader, writer):
        writer.write(begun)

        await asyncio.wait_for(reader.read(), 5)


async def test_body_that_does_not_come_is_given_up() -> None:
    """A slow body ends in 408, and the connection with it."""
    async with serving(Limits(request=0.2, linger=0.1)) as port:
        status, error = await asyncio.wait_for(
            sent(port, post("/chimera/v1/explain", b"{").replace(b": 1\r", b": 9\r")), 5
        )

    assert (status, error["code"]) == (408, "request_timeout")


async def test_client_that_leaves_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Who hangs up in the middle of a body is forgotten without a word in the log."""
    async with serving(Limits(connections=1)) as port:
        async with connected(port) as (_, writer):
            writer.write(post("/chimera/v1/explain", b"{").replace(b"length: 1", b"length: 9"))
            await writer.drain()
        async with ClientSession() as http, http.get(f"http://127.0.0.1:{port}/livez") as response:
            assert response.status == 200

    shown = capsys.readouterr()
    assert "failed" not in shown.out + shown.err


async def test_oldest_connection_makes_room() -> None:
    """Where the cap is reached by connections that are held open, probes are answered all the same."""
    async with serving(Limits(connections=3)) as port, AsyncExitStack() as held:
        readers = [(await held.enter_async_context(connected(port)))[0] for _ in range(10)]

        async with ClientSession() as http, http.get(f"http://127.0.0.1:{port}/livez") as response:
            assert response.status == 200
        closed = [await _is_closed(reader) for reader in readers]

    assert closed == [True] * 8 + [False] * 2


async def _is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return not await asyncio.wait_for(reader.read(1), 0.2)
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


async def test_client_that_does_not_read_makes_room_too() -> None:
    """A connection whose answers are not taken is the oldest one day, and goes with what it was not sent."""
    async with serving(Limits(connections=2)) as port, connected(port) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n" * 20)
        for _ in range(4):
            async with ClientSession() as http, http.get(f"http://127.0.0.1:{port}/livez") as response:
                assert response.status == 200


class Slow(FakePredictor):
    """Predicts when told to, and counts how many wait for it."""

    def __init__(self) -> None:
        super().__init__(small=prediction(0.4), large=prediction(0.9))
        self.waiting = self.most = 0
        self.go = asyncio.Event()

    async def predict(self, query):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - as the port has it
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.go.wait()
        self.waiting -= 1
        return await super().predict(query)


async def test_few_are_explained_at_once() -> None:
    """Explanations wait for each other rather than for the predictors that requests need."""
    predictor = Slow()
    ask = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}

    async with serving(predictor=predictor) as port, ClientSession(f"http://127.0.0.1:{port}") as http:

        async def explain() -> int:
            async with http.post("/chimera/v1/explain", json=ask) as response:
                return response.status

        asked = [asyncio.create_task(explain()) for _ in range(6)]
        await eventually(lambda: predictor.waiting == 2)
        predictor.go.set()
        assert await asyncio.gather(*asked) == [200] * 6

    assert predictor.most == 2


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def test_failure_inside_is_told_in_no_words(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a page fails with is neither answered nor logged; its kind is."""

    class Broken(FakePredictor):
        async def predict(self, query):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, ARG002 - same
            raise RuntimeError("canary")

    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode()
    async with serving(predictor=Broken()) as port:
        status, error = await sent(port, post("/chimera/v1/explain", body))

    shown = capsys.readouterr()
    assert (status, error["code"]) == (500, "internal_error")
    assert "RuntimeError" in shown.out + shown.err
    assert "canary" not in json.dumps(error) + caplog.text + shown.out + shown.err
