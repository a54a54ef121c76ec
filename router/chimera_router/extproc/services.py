"""What is served over the picker's own HTTP/2: the exchange with a gateway, and health."""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from chimera_router.errors import ProtocolViolation
from chimera_router.extproc.call import Call
from chimera_router.extproc.health import Health
from chimera_router.extproc.rpc import Rpc, Status

_log = structlog.get_logger()


class Process:
    """One `ExternalProcessor.Process`. While the choice is being made the gateway's next messages wait here.

    Args:
        rpc: The call.
        call: What is made of its messages.
        ended: Told once it is over.
    """

    __slots__ = ("_call", "_choosing", "_closed", "_ended", "_held", "_rpc", "_said_last")

    def __init__(self, rpc: Rpc, call: Call, ended: Callable[["Process"], None]) -> None:
        self._rpc = rpc
        self._call = call
        self._ended = ended
        self._held: deque[bytes] = deque()
        self._choosing: asyncio.Task[None] | None = None
        self._said_last = False
        self._closed = False

    def message(self, data: bytes) -> bool:
        """Take a message, at once or when the choice has been made."""
        if self._choosing is not None:
            self._held.append(data)
            return False
        self._take(data)
        return True

    def end(self) -> None:
        """The gateway has said its last."""
        self._said_last = True
        if self._choosing is None and not self._closed:
            self._call.end()
            self._close(Status.OK)

    def reset(self) -> None:
        """The gateway has given up, or is gone."""
        if self._choosing is not None:
            self._choosing.cancel()
        self._close(Status.OK)

    def expire(self) -> None:
        """End a request whose body takes too long to come."""
        answers = self._call.expire()
        if answers:
            self._rpc.send(answers)
            self._close(Status.OK)
            self._rpc.flush()

    def _take(self, data: bytes) -> None:
        call = self._call
        try:
            answers = call.take(data)
        except ProtocolViolation:
            call.violated()
            self._close(Status.INVALID_ARGUMENT)
            return
        except Exception as fault:  # noqa: BLE001 - a fault of ours ends this stream, and no other of the connection
            self._broken(fault)
            return
        if answers:
            self._rpc.send(answers)
        if call.asked is not None:
            self._choosing = asyncio.get_running_loop().create_task(self._choose())
        elif call.done:
            self._close(Status.OK)

    async def _choose(self) -> None:
        try:
            answers = await self._call.choose()
        except Exception as fault:  # noqa: BLE001 - as above
            self._broken(fault)
        else:
            self._rpc.send(answers)
            if self._call.done:
                self._close(Status.OK)
        self._choosing = None
        self._go_on()
        self._rpc.release()
        self._rpc.flush()

    def _go_on(self) -> None:
        """Take what came meanwhile."""
        while self._held and self._choosing is None and not self._closed:
            self._take(self._held.popleft())
        if self._said_last and self._choosing is None:
            self.end()

    def _broken(self, fault: Exception) -> None:
        _log.error("a stream was ended by a fault", kind=type(fault).__name__)
        self._close(Status.INTERNAL)

    def _close(self, status: Status) -> None:
        if self._closed:
            return
        self._closed = True
        self._held.clear()
        self._call.close()
        self._rpc.finish(status)
        self._ended(self)


class HealthCheck:
    """One `Health.Check`, or `Health.Watch`, which goes on until the client ends it."""

    __slots__ = ("_health", "_rpc", "_watch", "_watched")

    def __init__(self, rpc: Rpc, health: Health, *, watch: bool) -> None:
        self._rpc = rpc
        self._health = health
        self._watch = watch
        self._watched: str | None = None

    def message(self, data: bytes) -> bool:
        """Answer for the service asked about."""
        name = _service(data)
        if name is None:
            self._rpc.finish(Status.INVALID_ARGUMENT)
        elif self._watch:
            self._watched = name
            self._health.watch(name, self.tell)
        elif not self._health.knows(name):
            self._rpc.finish(Status.NOT_FOUND)
        else:
            self._rpc.send((self._health.answer(name),))
            self._rpc.finish()
        return True

    def tell(self, answer: bytes) -> None:
        """Tell the client of a change."""
        self._rpc.send((answer,))
        self._rpc.flush()

    def end(self) -> None:
        """A watcher says nothing after its question."""
        if not self._watch:
            self._rpc.finish(Status.INVALID_ARGUMENT)

    def reset(self) -> None:
        """Nobody watches any more."""
        if self._watched is not None:
            self._health.forget(self._watched, self.tell)


def _service(data: bytes) -> str | None:
    try:
        name: str = health_pb2.HealthCheckRequest.FromString(data).service
    except DecodeError:
        return None
    return name
