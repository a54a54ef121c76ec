"""Pump one stream: gRPC in, state machine, gRPC out."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc
import structlog

from chimera_router.director import Director
from chimera_router.errors import ProtocolViolation, RequestError
from chimera_router.extproc import codec
from chimera_router.protocol import events
from chimera_router.protocol.stream import StreamMachine

if TYPE_CHECKING:
    from chimera_router.exchange import Exchange

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"

_log = structlog.get_logger()


class Servicer:
    """Serves `Process`, one state machine a stream."""

    def __init__(self, director: Director) -> None:
        self._director = director

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service for grpc.aio, with the codec as its serializers."""
        process = grpc.stream_stream_rpc_method_handler(self.process, codec.decode, codec.encode)
        return grpc.method_handlers_generic_handler(SERVICE, {"Process": process})

    async def process(
        self, received: AsyncIterator[codec.Received], context: "grpc.aio.ServicerContext[codec.Received, events.Send]"
    ) -> AsyncIterator[events.Send]:
        """Answer one exchange, and release what it holds however it ends: streams mostly end by cancellation."""
        stream = _Stream(self._director)
        self._director.metrics.streams.inc()
        try:
            async for event in received:
                for sent in await stream.take(event):
                    yield sent
                if stream.machine.done:
                    return
        except ProtocolViolation:
            self._director.metrics.violations.inc()
            _log.warning("stream ended by a protocol violation")
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "out of order")
        finally:
            self._director.metrics.streams.dec()
            stream.close()


class _Stream:
    """One exchange between a gateway's stream, the state machine and the director."""

    def __init__(self, director: Director) -> None:
        settings = director.pool.settings
        self._director = director
        self._exchange: Exchange | None = None
        self.machine = StreamMachine(settings.catalog, settings.limits)

    async def take(self, event: codec.Received) -> list[events.Send]:
        if isinstance(event, codec.Undecodable):
            raise ProtocolViolation("the message cannot be decoded")
        sent: list[events.Send] = []
        for action in self.machine.feed(event):
            match action:
                case events.Choose():
                    sent += await self._choose(action)
                case events.AnswerStarted() | events.AnswerProgressed() | events.AnswerTold() | events.AnswerEnded():
                    self._account(action)
                case _:
                    sent.append(action)
        self._count(sent)
        return sent

    def close(self) -> None:
        if self._exchange:
            self._exchange.close()

    async def _choose(self, asked: events.Choose) -> list[events.Send]:
        try:
            self._exchange = await self._director.choose(asked)
        except RequestError as error:
            return self.machine.refuse(error)
        return self.machine.route(self._exchange.route)

    def _account(self, action: events.Account) -> None:
        if self._exchange is None:
            return
        match action:
            case events.AnswerProgressed(output_tokens):
                self._exchange.progressed(output_tokens)
            case events.AnswerStarted():
                self._exchange.started(action)
            case events.AnswerTold():
                self._exchange.told(action)
            case events.AnswerEnded():
                self._exchange.ended(action)

    def _count(self, sent: list[events.Send]) -> None:
        for action in sent:
            if isinstance(action, events.SendImmediate) and action.status >= 400:
                self._director.metrics.refused.labels(action.status).inc()
