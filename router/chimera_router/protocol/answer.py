"""An answer on its way through the picker: what it says, how far it is, when it has ended."""

from collections.abc import Mapping

from chimera_router import wire
from chimera_router.parsing.replies import ReplyReader
from chimera_router.parsing.usage import UsageScanner
from chimera_router.protocol.events import (
    Action,
    AnswerEnded,
    AnswerProgressed,
    AnswerStarted,
    AnswerTold,
    ContinueResponseBody,
    ResponseBody,
    ResponseHeaders,
    SendResponseBody,
    SendResponseTrailers,
)

_EIGHTH = 8
_LET_GO = ContinueResponseBody()


class AnswerPassage:
    """Reads the pieces of one answer.

    Args:
        streamed: Whether pieces are answered by pieces of the picker's own, or let go on as they are.
    """

    def __init__(self, *, streamed: bool) -> None:
        self._streamed = streamed
        self._scanner = UsageScanner()
        self._reader = ReplyReader()
        self._told = False
        self._next_report = 1

    def start(self, event: ResponseHeaders) -> AnswerStarted:
        """Return what the headers say. An error says nothing that a conversation goes on from."""
        status = status_of(event.headers)
        self._told = status >= 400
        return AnswerStarted(status, event.served, wire.EVENT_STREAM in event.headers.get(wire.CONTENT_TYPE, ""))

    def take(self, event: ResponseBody) -> list[Action]:
        """Return the answer to a piece, and what it tells."""
        data, end = event.data, event.end_of_stream
        self._scanner.feed(data)
        if not self._told:
            self._reader.feed(data)
        passed = SendResponseBody(data, end) if self._streamed else _LET_GO
        if end or (self._reader.complete and not self._told):
            return [*self._tell(), passed, self._ended()] if end else [*self._tell(), passed, *self._progress()]
        return [passed, *self._progress()]

    def end(self) -> list[Action]:
        """Return the answer to trailers, which end an answer."""
        return [*self._tell(), SendResponseTrailers(), self._ended()]

    def _progress(self) -> tuple[Action, ...]:
        tokens = self._scanner.output_tokens
        if tokens < self._next_report:
            return ()
        self._next_report = tokens + max(1, tokens // _EIGHTH)
        return (AnswerProgressed(tokens),)

    def _tell(self) -> tuple[Action, ...]:
        if self._told:
            return ()
        self._told = True
        answer = self._reader.answer()
        return (AnswerTold(self._scanner.output_tokens, answer),) if answer.replies or answer.id else ()

    def _ended(self) -> AnswerEnded:
        return AnswerEnded(self._scanner.output_tokens, self._scanner.usage)


def status_of(headers: Mapping[str, str]) -> int:
    """Return the status of an answer; one that cannot be read is the engine's failure."""
    status = headers.get(wire.STATUS, "")
    return int(status) if status.isascii() and status.isdigit() else 500
