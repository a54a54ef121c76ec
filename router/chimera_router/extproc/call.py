"""One exchange between a gateway's stream, the state machine and the director, whatever carries the stream.

Messages go in and come out as bytes. All of it happens at once, but for the choice: while it is being made the
transport keeps back what else the gateway says.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog

from chimera_router.director import Director
from chimera_router.errors import ProtocolViolation, RequestError
from chimera_router.extproc import codec
from chimera_router.protocol import events
from chimera_router.protocol.stream import StreamMachine

if TYPE_CHECKING:
    from chimera_router.exchange import Exchange
    from chimera_router.forwarding import Forwarding

_log = structlog.get_logger()

_PROGRESS = events.AnswerProgressed
_ACCOUNTS = (events.AnswerStarted, events.AnswerTold, events.AnswerEnded)
_ASKS = (events.Choose, events.ChooseAny)


class Call:
    """One stream, from its first message to `close`, which must always be called: streams mostly end by cancellation.

    Attributes:
        asked: The question to be answered by `choose` before the next message may be taken; None while there is none.
        opened: Seconds on the director's clock when it began.
    """

    __slots__ = ("_director", "_exchange", "_half_closed", "_machine", "asked", "opened")

    def __init__(self, director: Director) -> None:
        self.asked: events.Ask | None = None
        self.opened = director.clock()
        self._director = director
        self._exchange: Exchange | Forwarding | None = None
        self._machine = StreamMachine(director.rules)
        self._half_closed = False
        director.metrics.streams.inc()

    @property
    def done(self) -> bool:
        """Whether the picker has said its last: the stream is to be closed."""
        return self._machine.done

    @property
    def routed(self) -> bool:
        """Whether the request has its destination, so that the gateway can do without the picker."""
        return self._exchange is not None

    def take(self, message: bytes) -> list[bytes]:
        """Return the answers to a message, in order.

        Raises:
            ProtocolViolation: It is none, or cannot come now.
        """
        event = codec.decode(message)
        if isinstance(event, codec.Undecodable):
            raise ProtocolViolation("the message cannot be decoded")
        return self._sent(self._machine.feed(event))

    async def choose(self) -> list[bytes]:
        """Return the answers that the choice makes possible, once it is made; never raises but when cancelled."""
        asked = self.asked
        if asked is None:
            return []
        try:
            if isinstance(asked, events.ChooseAny):
                return self.chosen(self._director.forward(asked))
            return self.chosen(await self._director.choose(asked))
        except RequestError as error:
            return self.chosen(error)

    def chosen(self, outcome: "Exchange | Forwarding | RequestError") -> list[bytes]:
        """Return the answers that a choice makes possible."""
        self.asked = None
        machine = self._machine
        if isinstance(outcome, RequestError):
            return self._sent(machine.refuse(outcome))
        if machine.done:  # the stream has ended meanwhile
            outcome.close()
            return []
        self._exchange = outcome
        return self._sent(machine.route(outcome.route))

    def patience(self) -> float | None:
        """Return the seconds within which more of the request has to come; None where nothing is waited for."""
        machine = self._machine
        if not machine.reading:
            return None
        limits = self._director.pool.settings.limits
        limit = limits.body_seconds if machine.begun else limits.first_byte_seconds
        return max(0.0, self.opened + limit - self._director.clock())

    def expire(self) -> list[bytes]:
        """Return the answer to a request that takes too long to come; nothing in all other cases."""
        return self._sent(self._machine.expire()) if self.patience() == 0.0 else []

    def violated(self) -> None:
        """The gateway has broken the protocol."""
        self._director.metrics.violations.inc()
        _log.warning("stream ended by a protocol violation")

    def end(self) -> None:
        """The gateway has said its last, in good order; `close` follows."""
        self._half_closed = True

    def close(self) -> None:
        """The stream has ended, however it did: release what the request holds."""
        machine, exchange = self._machine, self._exchange
        self._director.metrics.streams.dec()
        if exchange is not None:
            exchange.end(on_purpose=machine.left, shown=machine.shown, half_closed=self._half_closed)
        machine.close()

    def _sent(self, actions: Iterable[events.Action]) -> list[bytes]:
        sent = []
        for action in actions:
            kind = type(action)
            if kind is _PROGRESS or kind in _ACCOUNTS:
                self._account(action)  # type: ignore[arg-type]
            elif kind in _ASKS:
                self.asked = action  # type: ignore[assignment]
            else:
                sent.append(codec.encode(action))  # type: ignore[arg-type]
                if kind is events.SendImmediate:
                    self._refused(action)  # type: ignore[arg-type]
        return sent

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

    def _refused(self, action: events.SendImmediate) -> None:
        if action.status >= 400:
            self._director.metrics.refused.labels(action.status).inc()
