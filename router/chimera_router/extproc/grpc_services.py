"""What is served over grpc.aio: the exchange with a gateway, and health."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import structlog
from grpc_health.v1 import health_pb2

from chimera_router.director import Director
from chimera_router.errors import ProtocolViolation
from chimera_router.extproc import access_log, paths
from chimera_router.extproc.call import Call
from chimera_router.extproc.health import Health

_log = structlog.get_logger()

# Seconds in which a stream whose messages have ended is cancelled, where it was reset: grpc.aio does the two one after
# the other, and only the second tells a reset from a gateway that has said its last.
_CANCELLING = 0.02

_Context = grpc.aio.ServicerContext[bytes, bytes]


def handlers(director: Director, health: Health) -> tuple[grpc.GenericRpcHandler, ...]:
    """Return the services. Messages stay bytes here: gRPC would send a decoder's fault to the peer, input and all."""
    exchange, checks = _Processor(director), _Health(health)
    return (
        grpc.method_handlers_generic_handler(
            paths.PROCESSOR, {"Process": grpc.stream_stream_rpc_method_handler(exchange.process)}
        ),
        grpc.method_handlers_generic_handler(
            paths.HEALTH,
            {
                "Check": grpc.unary_unary_rpc_method_handler(checks.check),
                "Watch": grpc.unary_stream_rpc_method_handler(checks.watch),
            },
        ),
        grpc.method_handlers_generic_handler(
            paths.ACCESS_LOG, {"StreamAccessLogs": grpc.stream_unary_rpc_method_handler(exchange.log)}
        ),
    )


class _Processor:
    def __init__(self, director: Director) -> None:
        self._director = director

    async def process(self, received: AsyncIterator[bytes], context: "_Context") -> AsyncIterator[bytes]:
        """Answer one exchange, and release what it holds however it ends."""
        call = Call(self._director)
        try:
            async for answer in _answers(call, received):
                yield answer
            if not call.done:
                await asyncio.sleep(_CANCELLING)
                call.end()
        except ProtocolViolation:
            call.violated()
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "out of order")
        except Exception as fault:  # noqa: BLE001 - gRPC would send its text to the peer
            _log.error("a stream was ended by a fault", kind=type(fault).__name__)
            await context.abort(grpc.StatusCode.INTERNAL, "internal")
        finally:
            call.close()

    async def log(self, received: AsyncIterator[bytes], context: "_Context") -> bytes:
        """Take what a gateway logs, until it has no more to log."""
        try:
            async for message in received:
                access_log.take(message, self._director)
        except ProtocolViolation:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "invalid argument")
        return access_log.ANSWER


async def _answers(call: Call, received: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    messages = aiter(received)
    while not call.done:
        try:
            async with asyncio.timeout(call.patience()):
                message = await anext(messages)
        except StopAsyncIteration:
            return
        except TimeoutError:
            for answer in call.expire():
                yield answer
            continue
        for answer in call.take(message):
            yield answer
        for answer in await call.choose():
            yield answer


class _Health:
    def __init__(self, health: Health) -> None:
        self._health = health

    async def check(self, request: bytes, context: "_Context") -> bytes:
        name = _service(request)
        if not self._health.knows(name):
            await context.abort(grpc.StatusCode.NOT_FOUND, "not found")
        return self._health.answer(name)

    async def watch(self, request: bytes, _context: "_Context") -> AsyncIterator[bytes]:
        answers: asyncio.Queue[bytes] = asyncio.Queue()
        name = _service(request)
        self._health.watch(name, answers.put_nowait)
        try:
            while True:
                yield await answers.get()
        finally:
            self._health.forget(answers.put_nowait)


def _service(request: bytes) -> str:
    name: str = health_pb2.HealthCheckRequest.FromString(request).service
    return name
