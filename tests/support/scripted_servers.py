"""An API server for the operator that answers from a script, in virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from scripted_apis import VirtualTime

from chimera_operator.cluster.errors import ApiServerError
from chimera_operator.cluster.port import Call
from chimera_operator.cluster.watcher import Watcher

Line = bytes | ApiServerError | float
"""What a watch does next: say something, break, wait for so many seconds."""
Answer = bytes | Sequence[Line] | ApiServerError


class ScriptedServer:
    """Answers each list and each watch by the next line of its script; then it is silent.

    Attributes:
        calls: What was asked: the verb and the query.
        over: Set when the script has been played.
    """

    def __init__(self, time: VirtualTime, *script: Answer) -> None:
        self.calls: list[tuple[str, Mapping[str, str]]] = []
        self.over = asyncio.Event()
        self._time = time
        self._script = list(script)

    async def call(self, call: Call) -> bytes:
        answer = await self._next(call.verb, call.query)
        assert isinstance(answer, bytes), "the script has no answer here"
        return answer

    @asynccontextmanager
    async def watch(self, path: str, query: Mapping[str, str], *, seconds: int) -> AsyncIterator[AsyncIterator[bytes]]:
        answer = await self._next("watch", {**query, "path": path, "seconds": str(seconds)})
        assert not isinstance(answer, bytes | ApiServerError), "the script has no watch here"
        yield self._lines(answer)

    async def _lines(self, script: Sequence[Line]) -> AsyncIterator[bytes]:
        for line in script:
            match line:
                case ApiServerError():
                    raise line
                case bytes():
                    yield line
                case seconds:
                    await self._time.pause(seconds)

    async def _next(self, verb: str, query: Mapping[str, str]) -> Answer:
        self.calls.append((verb, query))
        if not self._script:
            self.over.set()
            await asyncio.Event().wait()
        answer = self._script.pop(0)
        if isinstance(answer, ApiServerError):
            raise answer
        return answer


class Interruptions:
    """Remembers what a watcher's observer is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def interrupted(self, resource: str, failure: str) -> None:
        self.told.append((resource, failure))


def watcher(api: ScriptedServer, time: VirtualTime, interruptions: Interruptions) -> Watcher:
    """Return a watcher of a scripted server, in its time and with no chance in it."""
    return Watcher(api=api, observer=interruptions, clock=time.clock, sleep=time.sleep, chance=lambda: 1.0)


def page(*items: Mapping[str, Any], version: int, proceed: str = "") -> bytes:
    """Return a page of a list."""
    return json.dumps({"metadata": {"resourceVersion": str(version), "continue": proceed}, "items": items}).encode()


def event(kind: str, version: int, name: str = "", **fields: Any) -> bytes:
    """Return a line of a watch."""
    metadata = {"resourceVersion": str(version), **({"name": name, "namespace": "ns"} if name else {})}
    return json.dumps({"type": kind, "object": {"kind": "Pod", "metadata": metadata, **fields}}).encode()


def failure(code: int) -> bytes:
    """Return the line by which a watch says that it has failed."""
    return json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": code}}).encode()
