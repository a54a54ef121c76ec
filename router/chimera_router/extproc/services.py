"""What is served over the picker's own HTTP/2: the exchange with a gateway, its access log, and health."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

import structlog
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from chimera_router.director import Director
from chimera_router.errors import ProtocolViolation, RequestError
from chimera_router.exchange import Exchange
from chimera_router.extproc import access_log
from chimera_router.extproc.call import Call
from chimera_router.extproc.health import Health
from chimera_router.extproc.rpc import Rpc, Status
from chimera_router.protocol.events import Choose

_log = structlog.get_logger()

Outcome = Exchange | RequestError


class Process:
    """One `ExternalProcessor.Process`. While the choice is being made the gateway's next messages wait here.

    Args:
        rpc: The call.
        call: What is made of its messages.
        choices: Makes the choices of a connection.
        ended: Told once it is over.
    """

    __slots__ = ("_asking", "_choices", "_closed", "_ended", "_held", "_rpc", "_said_last", "_task", "call")

    def __init__(self, rpc: Rpc, call: Call, choices: "Choices", ended: Callable[["Process"], None]) -> None:
        self.call = call
        self._rpc = rpc
        self._choices = choices
        self._ended = ended
        self._held: deque[bytes] = deque()
        self._asking = False
        self._task: asyncio.Task[None] | None = None
        self._said_last = False
        self._closed = False

    def message(self, data: bytes) -> bool:
        """Take a message, at once or when the choice has been made."""
        if self._asking:
            self._held.append(data)
            return False
        self._take(data)
        return True

    def end(self) -> None:
        """The gateway has said its last."""
        self._said_last = True
        if not self._asking and not self._closed:
            self.call.end()
            self._close(Status.OK)

    def reset(self) -> None:
        """The gateway has given up, or is gone."""
        if self._task is not None:
            self._task.cancel()
        self._close(Status.OK)

    def expire(self) -> None:
        """End a request whose body takes too long to come."""
        answers = self.call.expire()
        if answers:
            self._rpc.send(answers)
            self._close(Status.OK)
            self._rpc.flush()

    def _take(self, data: bytes) -> None:
        call = self.call
        try:
            answers = call.take(data)
        except ProtocolViolation:
            call.violated()
            self._close(Status.INVALID_ARGUMENT)
            return
        except Exception as fault:  # noqa: BLE001 - a fault of ours ends this stream, and no other of the connection
            self.broken(fault)
            return
        if answers:
            self._rpc.send(answers)
        if call.asked is not None:
            self._asking = True
            self._choices.add(self)
        elif call.done:
            self._close(Status.OK)

    def chosen(self, outcome: Outcome) -> None:
        """Go on with what was chosen."""
        self._asking = False
        if self._closed:
            return
        try:
            self._rpc.send(self.call.chosen(outcome))
        except Exception as fault:  # noqa: BLE001 - as above
            self.broken(fault)
        self._go_on()

    def choose_later(self) -> None:
        """Have the choice made by a task, which may have to wait for others."""
        self._task = asyncio.get_running_loop().create_task(self._choose())

    async def _choose(self) -> None:
        try:
            answers = await self.call.choose()
        except Exception as fault:  # noqa: BLE001 - as above
            self.broken(fault)
        else:
            self._rpc.send(answers)
        self._asking, self._task = False, None
        self._go_on()
        self._rpc.flush()

    def _go_on(self) -> None:
        """Take what came meanwhile."""
        if self.call.done:
            self._close(Status.OK)
        while self._held and not self._asking and not self._closed:
            self._take(self._held.popleft())
        if self._said_last and not self._asking:
            self.end()
        self._rpc.release()

    def broken(self, fault: Exception) -> None:
        """End the stream for a fault of ours."""
        _log.error("a stream was ended by a fault", kind=type(fault).__name__)
        self._close(Status.INTERNAL)

    def _close(self, status: Status) -> None:
        if self._closed:
            return
        self._closed = True
        self._held.clear()
        self.call.close()
        self._rpc.finish(status)
        self._ended(self)


class Choices:
    """The choices that the requests of one read ask for: made together, so that they are predicted together."""

    def __init__(self, director: Director) -> None:
        self._director = director
        self._asking: list[Process] = []

    def add(self, process: Process) -> None:
        """Take one more."""
        self._asking.append(process)

    def make(self) -> None:
        """Make them, at once where nobody has to be waited for."""
        while self._asking:
            asking, self._asking = self._asking, []
            if self._director.prompt:
                self._at_once(asking)
            else:
                for process in asking:
                    process.choose_later()

    def _at_once(self, asking: Iterable[Process]) -> None:
        full = [(process, process.call.asked) for process in asking]
        choosing = [(process, asked) for process, asked in full if isinstance(asked, Choose)]
        try:
            outcomes = self._director.choose_all([asked for _, asked in choosing])
        except Exception as fault:  # noqa: BLE001 - it ends the streams that it concerns, and no others
            for process, _ in choosing:
                process.broken(fault)
        else:
            for (process, _), outcome in zip(choosing, outcomes, strict=True):
                process.chosen(outcome)
        for process, asked in full:
            if not isinstance(asked, Choose):
                process.choose_later()


class AccessLog:
    """One `AccessLogService.StreamAccessLogs`: a gateway keeps one open, and logs many requests in a message."""

    __slots__ = ("_director", "_rpc")

    def __init__(self, rpc: Rpc, director: Director) -> None:
        self._rpc = rpc
        self._director = director

    def message(self, data: bytes) -> bool:
        """Take what was logged."""
        try:
            access_log.take(data, self._director)
        except ProtocolViolation:
            self._rpc.finish(Status.INVALID_ARGUMENT)
        return True

    def end(self) -> None:
        """The gateway has no more to log."""
        self._rpc.send((access_log.ANSWER,))
        self._rpc.finish()

    def reset(self) -> None:
        """Nothing is held."""


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
