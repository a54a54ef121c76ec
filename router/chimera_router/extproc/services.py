"""What is served over the picker's own HTTP/2: the exchange with a gateway, its access log, and health."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

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

On = TypeVar("On")


class Process:
    """One `ExternalProcessor.Process`. While the choice is being made the gateway's next messages wait.

    Args:
        rpc: The call.
        call: What is made of its messages.
        choices: Makes the choices of a connection.
        ended: Told once it is over.

    Attributes:
        closed: Whether it is over.
    """

    __slots__ = ("_choices", "_ended", "_rpc", "_task", "call", "closed")

    def __init__(self, rpc: Rpc, call: Call, choices: "Choices", ended: Callable[["Process"], None]) -> None:
        self.call = call
        self._rpc = rpc
        self._choices = choices
        self._ended = ended
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    def message(self, data: bytes) -> bool:
        """Take a message; those after the one that a choice follows have to wait for it."""
        call = self.call
        self._answer(call.take, data)
        if self.closed:
            return True
        if call.asked is not None:
            self._choices.add(self)
            return False
        if call.done:
            self._close()
        return True

    def end(self) -> None:
        """The gateway has said its last."""
        self.call.end()
        self._close()

    def reset(self) -> None:
        """The gateway has given up, or is gone."""
        if self._task is not None:
            self._task.cancel()
        self._close()

    def expire(self) -> None:
        """End a request that takes too long to come."""
        answers = self.call.expire()
        if answers:
            self._rpc.send(answers)
            self._close()
            self._rpc.flush()

    def leave(self) -> None:
        """Let the exchange go on without the picker, which stops: an answer then passes to its client unseen."""
        self._close(Status.OK if self.call.routed else Status.UNAVAILABLE)
        self._rpc.flush()

    def chosen(self, outcome: Exchange | Exception) -> None:
        """Go on with what was chosen, or with why nothing was."""
        if isinstance(outcome, Exchange | RequestError):
            self._answer(self.call.chosen, outcome)
        else:
            self._broken(outcome)
        self._go_on()

    def choose_later(self) -> None:
        """Have the choice made by a task, which may have to wait for others."""
        self._task = asyncio.get_running_loop().create_task(self._choose())

    async def _choose(self) -> None:
        try:
            self._rpc.send(await self.call.choose())
        except Exception as fault:  # noqa: BLE001 - as below
            self._broken(fault)
        self._task = None
        self._go_on()
        self._rpc.flush()

    def _go_on(self) -> None:
        if self.call.done:
            self._close()
        else:
            self._rpc.resume()

    def _answer(self, step: Callable[[On], list[bytes]], on: On) -> None:
        """Send what a step of the exchange makes. A fault of ours ends this stream, and no other of the connection."""
        try:
            answers = step(on)
        except ProtocolViolation:
            self.call.violated()
            self._close(Status.INVALID_ARGUMENT)
        except Exception as fault:  # noqa: BLE001 - as said above
            self._broken(fault)
        else:
            if answers:
                self._rpc.send(answers)

    def _broken(self, fault: Exception) -> None:
        _log.error("a stream was ended by a fault", kind=type(fault).__name__)
        self._close(Status.INTERNAL)

    def _close(self, status: Status = Status.OK) -> None:
        if self.closed:
            return
        self.closed = True
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
            asking = [process for process in self._asking if not process.closed]  # one may be over in the same read
            self._asking.clear()
            if self._director.prompt:
                self._at_once(asking)
            else:
                for process in asking:
                    process.choose_later()

    def _at_once(self, asking: Iterable[Process]) -> None:
        choosing: list[tuple[Process, Choose]] = []
        for process in asking:
            asked = process.call.asked
            if isinstance(asked, Choose):
                choosing.append((process, asked))
            else:
                process.choose_later()
        outcomes = self._director.choose_all([asked for _, asked in choosing])
        for (process, _), outcome in zip(choosing, outcomes, strict=True):
            process.chosen(outcome)


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
    """One `Health.Check`: one question, one answer."""

    __slots__ = ("_health", "_name", "_questions", "_rpc")

    def __init__(self, rpc: Rpc, health: Health) -> None:
        self._rpc = rpc
        self._health = health
        self._name: str | None = None
        self._questions = 0

    def message(self, data: bytes) -> bool:
        """Take the question."""
        self._name = _service(data)
        self._questions += 1
        return True

    def end(self) -> None:
        """Answer for the service asked about."""
        if self._name is None or self._questions != 1:
            self._rpc.finish(Status.INVALID_ARGUMENT)
        elif not self._health.knows(self._name):
            self._rpc.finish(Status.NOT_FOUND)
        else:
            self._rpc.send((self._health.answer(self._name),))
            self._rpc.finish()

    def reset(self) -> None:
        """Nobody waits for the answer any more."""


class HealthWatch:
    """One `Health.Watch`: one question, and answers until the client ends it."""

    __slots__ = ("_asked", "_health", "_rpc")

    def __init__(self, rpc: Rpc, health: Health) -> None:
        self._rpc = rpc
        self._health = health
        self._asked = False

    def message(self, data: bytes) -> bool:
        """Watch the service asked about."""
        name = _service(data)
        if name is None or self._asked:
            self.reset()
            self._rpc.finish(Status.INVALID_ARGUMENT)
        else:
            self._asked = True
            self._health.watch(name, self._tell)
        return True

    def end(self) -> None:
        """A watcher says nothing after its question."""
        if not self._asked:
            self._rpc.finish(Status.INVALID_ARGUMENT)

    def reset(self) -> None:
        """Nobody watches any more."""
        self._health.forget(self._tell)

    def _tell(self, answer: bytes) -> None:
        self._rpc.send((answer,))
        self._rpc.flush()


def _service(data: bytes) -> str | None:
    try:
        name: str = health_pb2.HealthCheckRequest.FromString(data).service
    except DecodeError:
        return None
    return name
