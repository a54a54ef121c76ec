"""A light stand-in for model servers, many in one process: `python -m chimera_bench.load.engine PORT...`.

It computes nothing: what it answers, and how fast, a request says in its headers (`prompts`). So it costs little of the
machine that also runs what is measured; the step model of real engines is in `chimera_bench.engine`.
"""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import cast

import uvloop

from chimera_bench.load import answers, http1
from chimera_bench.load.prompts import CHUNKS, GAP_US
from chimera_operator.rendering.envoy import LOOPBACK

BACKLOG = 4096  # connections that may wait to be accepted: a burst opens thousands at once
_HEALTHY = http1.answer(b"", content_type="text/plain")


class Engine:
    """One engine.

    Args:
        port: Where it listens.

    Attributes:
        running: Answers under way.
        served: Requests so far, of any kind of answer.
        page: Returns its page of metrics; None never answers.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.running = 0
        self.served = 0
        self.generated = 0
        self.page: Callable[[], bytes | None] = self.honest_page
        self.whole, self.stream_head = answers.whole(port), answers.stream_head(port)
        self.event = answers.event()

    def honest_page(self) -> bytes:
        """Return the truth."""
        return answers.metrics(running=self.running, generated=self.generated)


class _Serving(asyncio.Protocol):
    """One connection to an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._message = http1.Message()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None  # of an answer's next event

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # what a stream is made of

    def data_received(self, data: bytes) -> None:
        if self._message.feed(data):
            message, self._message = self._message, http1.Message()
            self._answer(message)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._engine.running -= 1

    def _answer(self, message: http1.Message) -> None:
        if message.head.startswith(b"get "):
            self._get(message)
            return
        self._engine.served += 1
        chunks = int(message.header(CHUNKS) or 0)
        if chunks:
            self._begin(chunks, int(message.header(GAP_US)) / 1e6)
        else:
            self._write(self._engine.whole)

    def _get(self, message: http1.Message) -> None:
        if b" /metrics " not in message.head:
            self._write(_HEALTHY)
            return
        page = self._engine.page()
        if page is not None:
            self._write(http1.answer(page, content_type="text/plain; version=0.0.4; charset=utf-8"))

    def _begin(self, chunks: int, gap: float) -> None:
        self._engine.running += 1
        self._write(self._engine.stream_head)
        self._go_on(asyncio.get_running_loop().time(), chunks, 0, gap)

    def _go_on(self, began: float, chunks: int, sent: int, gap: float) -> None:
        """Send the event whose time has come, and those that should have been sent before."""
        loop = asyncio.get_running_loop()
        due = min(chunks, 1 + int((loop.time() - began) / gap)) if gap else chunks
        self._engine.generated += due - sent
        if due < chunks:
            self._write(self._engine.event * (due - sent))
            self._timer = loop.call_at(began + due * gap, partial(self._go_on, began, chunks, due, gap))
            return
        self._timer = None
        self._write(self._engine.event * (due - sent) + answers.stream_end(chunks))
        self._engine.running -= 1

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def serve(stack: AsyncExitStack, ports: Sequence[int]) -> list[Engine]:
    """Serve an engine on every port until the stack is closed."""
    loop, engines = asyncio.get_running_loop(), [Engine(port) for port in ports]
    for engine in engines:
        server = await loop.create_server(partial(_Serving, engine), LOOPBACK, engine.port, backlog=BACKLOG)
        stack.callback(server.close)
    return engines


async def _serve_for_ever(ports: Sequence[int]) -> None:
    async with AsyncExitStack() as stack:
        await serve(stack, ports)
        await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.load.engine", description=__doc__)
    parser.add_argument("ports", type=int, nargs="+", help="ports to listen on, an engine each")
    uvloop.run(_serve_for_ever(parser.parse_args().ports))


if __name__ == "__main__":
    main()
