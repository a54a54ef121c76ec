"""Model servers of the kit's own: they keep what arrives and answer as the case under way wants it."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chimera_conformance import wire
from chimera_conformance.gateway import http1
from chimera_conformance.target import Endpoint

# What pickers scrape to know that an engine is alive and idle, under the names of vLLM.
METRICS = b"""# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0"} 0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0"} 0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0"} 0
"""
COMPLETION = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 10, "total_tokens": 17},
    }
).encode()


class EngineError(Exception):
    """An endpoint cannot be served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request as it came to an engine."""

    endpoint: Endpoint
    start: str
    headers: http1.Headers
    body: bytes
    trailers: Mapping[str, str]

    def values(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for key, value in self.headers if key == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an engine answers.

    Attributes:
        pieces: Of the body; waited for one by one where they are paced.
        trailers: With any, or with paced pieces, the body is chunked.
        cut: Whether the connection ends after the pieces, before the body is complete.
    """

    status: int = 200
    content_type: str = wire.JSON
    pieces: Sequence[bytes] | AsyncIterator[bytes] = (COMPLETION,)
    trailers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


class Engines:
    """The pool's model servers, by endpoint; each may be stopped and started again."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.arrivals: defaultdict[str, list[Arrival]] = defaultdict(list)
        self._servers: dict[Endpoint, asyncio.Server] = {}
        self._connections: defaultdict[Endpoint, set[asyncio.Task[None]]] = defaultdict(set)

    async def start(self, endpoint: Endpoint) -> None:
        """Serve an endpoint of this machine.

        Raises:
            EngineError: It cannot be bound.
        """

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._keep(endpoint, reader, writer)

        try:
            self._servers[endpoint] = await asyncio.start_server(connected, endpoint.ip, endpoint.port)
        except OSError as error:
            raise EngineError(f"{endpoint}: cannot be served here, {error.strerror}") from error

    async def stop(self, endpoint: Endpoint) -> None:
        """Refuse connections to an endpoint, and cut those that are open."""
        self._servers.pop(endpoint).close()
        open_now = list(self._connections.pop(endpoint, ()))
        for connection in open_now:
            connection.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)

    async def stop_all(self) -> None:
        """Stop every engine that runs."""
        for endpoint in list(self._servers):
            await self.stop(endpoint)

    async def _keep(self, endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until either side ends it."""
        connection = asyncio.current_task()
        if connection is not None:
            self._connections[endpoint].add(connection)
            connection.add_done_callback(self._connections[endpoint].discard)
        try:
            while await self._exchange(endpoint, reader, writer):
                pass
        except (http1.Broken, OSError, asyncio.CancelledError):
            writer.transport.abort()  # the gateway has gone, or the engine is stopped
        finally:
            writer.close()

    async def _exchange(self, endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection is good for another."""
        request = await http1.read(reader)
        body = await request.read()
        call = request.header(wire.CALL)
        if not call:
            await _send(writer, _page(request.start))
            return True
        self.arrivals[call].append(
            Arrival(
                endpoint=endpoint, start=request.start, headers=request.headers, body=body, trailers=request.trailers
            )
        )
        reply = self.replies.get(call, Reply())
        await _send(writer, reply)
        return not reply.cut


@asynccontextmanager
async def serving(endpoints: Sequence[Endpoint]) -> AsyncIterator[Engines]:
    """Run an engine on every endpoint.

    Raises:
        EngineError: One cannot be bound.
    """
    engines = Engines()
    try:
        for endpoint in endpoints:
            await engines.start(endpoint)
        yield engines
    finally:
        await engines.stop_all()


def _page(start: str) -> Reply:
    """Return what pickers and probes ask an engine for between requests."""
    if "/metrics" in start:
        return Reply(content_type="text/plain", pieces=(METRICS,))
    return Reply(pieces=(b'{"object":"list","data":[]}',))


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    headers = [(wire.CONTENT_TYPE, reply.content_type)]
    start = f"HTTP/1.1 {reply.status} Engine"
    if isinstance(reply.pieces, Sequence) and not reply.trailers and not reply.cut:
        body = b"".join(reply.pieces)
        writer.write(http1.head(start, [*headers, (wire.CONTENT_LENGTH, str(len(body)))]) + body)
        await writer.drain()
        return
    writer.write(http1.head(start, [*headers, ("transfer-encoding", "chunked")]))
    async for piece in _paced(reply.pieces):
        writer.write(http1.chunk(piece))
        await writer.drain()
    if not reply.cut:
        writer.write(http1.last_chunk(reply.trailers))
    await writer.drain()


async def _paced(pieces: Sequence[bytes] | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(pieces, Sequence):
        for piece in pieces:
            yield piece
    else:
        async for piece in pieces:
            yield piece
