"""Pickers that are wrong with answers, with how streams end, or with gateways that buffer; each in one way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from tiny_picker import Answer, DisorderError, Stream, TinyPicker, streamed
from wrong_pickers import body_answer, edits, empty_answer, pieces, sets_no_metadata, without

_END = b"\x10\x01"  # HttpBody.end_of_stream, true


# --- the response phase ---


class SwallowsASecondPiece(Stream):
    seen = 0

    def response_body(self, message: Any) -> list[Answer]:
        self.seen += 1
        return [] if self.seen == 2 else super().response_body(message)


class HoldsTheAnswer(Stream):
    held = b""

    def response_body(self, message: Any) -> list[Answer]:
        if self.modes[1] in {1, 2}:
            return super().response_body(message)
        self.held += message.response_body.body
        return [body_answer("response_body", self.held)] if message.response_body.end_of_stream else []


def changes_the_answer(answers: list[Answer]) -> list[Answer]:
    for piece in pieces(answers, "response_body"):
        piece.body = piece.body[1:]
    return answers


def leaves_the_head_unanswered(answers: list[Answer]) -> list[Answer]:
    return without(answers, "response_headers")


class AnswersTheHeadLate(Stream):
    late: list[Answer]

    def response_headers(self, message: Any) -> list[Answer]:
        self.late = super().response_headers(message)
        return self.late if message.response_headers.end_of_stream else []

    def response_body(self, message: Any) -> list[Answer]:
        late, self.late = self.late, []
        return [*super().response_body(message), *late]


def never_ends_the_answer(answers: list[Answer]) -> list[Answer]:
    for piece in pieces(answers, "response_body"):
        piece.end_of_stream = False
    return answers


def ends_the_answer_twice(answers: list[Answer]) -> list[Answer]:
    ended = any(piece.end_of_stream for piece in pieces(answers, "response_body"))
    return [*answers, body_answer("response_body")] if ended else answers


def answers_response_pieces_empty_too(answers: list[Answer]) -> list[Answer]:
    return [*answers, empty_answer("response_body")] if pieces(answers, "response_body") else answers


class PutsTheAnswerTogether(HoldsTheAnswer):
    """Holds JSON, as pickers that read it do, and sends it in one message whatever its size."""

    events = False

    def response_headers(self, message: Any) -> list[Answer]:
        self.events = b"json" not in message.SerializeToString()
        return super().response_headers(message)

    def response_body(self, message: Any) -> list[Answer]:
        return Stream.response_body(self, message) if self.events else super().response_body(message)


class EndsTheAnswerBeforeTrailers(Stream):
    def response_trailers(self, message: Any) -> list[Answer]:
        return [body_answer("response_body"), *super().response_trailers(message)]


def leaves_response_trailers_unanswered(answers: list[Answer]) -> list[Answer]:
    return without(answers, "response_trailers")


class AnswersABodyThatIsNone(Stream):
    def response_headers(self, message: Any) -> list[Answer]:
        answers = super().response_headers(message)
        return [*answers, body_answer("response_body")] if message.response_headers.end_of_stream else answers


class LooksAtNoAnswers(Stream):
    """Ends the stream once the request is routed. Right by itself: the answer then passes as it is."""

    def take(self, message: Any) -> list[Answer]:
        answers = super().take(message)
        self.refused = self.refused or self.routed
        return answers


class LooksAtTheHeadsOfAnswers(Stream):
    """Ends the stream with the head of the answer. In full duplex the gateway has lost the body by then."""

    def response_headers(self, message: Any) -> list[Answer]:
        self.refused = True
        return super().response_headers(message)


def status_of(message: Any) -> int:
    headers = {each.key: each.raw_value for each in message.response_headers.headers.headers}
    return int(headers[":status"])


class DiesOfErrors(Stream):
    def response_headers(self, message: Any) -> list[Answer]:
        if status_of(message) >= 500:
            raise DisorderError
        return super().response_headers(message)


class HidesErrors(Stream):
    def response_headers(self, message: Any) -> list[Answer]:
        failed = status_of(message) == 500
        return self.refuse(200, "all is well") if failed else super().response_headers(message)


# --- how streams end ---


class IgnoresHalfClose(TinyPicker):
    async def process(self, received: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for answer in super().process(received, context):
            yield answer
        await asyncio.Event().wait()


class FailsAtHalfClose(TinyPicker):
    async def process(self, received: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for answer in super().process(received, context):
            yield answer
        await context.abort(grpc.StatusCode.INTERNAL, "closed")


class DropsWhatIsHalfClosed(TinyPicker):
    """Takes a moment over the end of a body, and gives up where the gateway has half-closed meanwhile."""

    async def process(self, received: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        closed = asyncio.Event()

        async def read() -> None:
            async for data in received:
                await queue.put(data)
            closed.set()
            await queue.put(b"")

        async def until_closed() -> AsyncIterator[bytes]:
            while data := await queue.get():
                if data.endswith(_END):
                    await asyncio.sleep(0.05)
                if closed.is_set():
                    return
                yield data

        reading = asyncio.create_task(read())
        try:
            async for answer in super().process(until_closed(), context):
                yield answer
        finally:
            reading.cancel()


class OneAtATime(TinyPicker):
    def __init__(self, endpoints: Sequence[str], **options: Any) -> None:
        super().__init__(endpoints, **options)
        self.lock = asyncio.Lock()

    async def process(self, received: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async with self.lock:
            async for answer in super().process(received, context):
                yield answer


class DiesOfHalfARequest(TinyPicker):
    dead = False

    async def process(self, received: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        if self.dead:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "dead")
        answered = False
        async for answer in super().process(received, context):
            answered = True
            yield answer
        self.dead = not answered


# --- gateways that buffer ---


class DefersTheHead(Stream):
    def request_headers(self, message: Any) -> list[Answer]:
        answers = super().request_headers(message)
        return answers if self.routed or self.refused else []


class StreamsWhatIsBuffered(Stream):
    def buffered(self, told: dict[str, str], body: bytes | None) -> list[Answer]:
        answers = super().buffered(told, body)
        if body is not None:
            mutation = answers[0].request_body.response.body_mutation
            mutation.streamed_response.body = body
            mutation.streamed_response.end_of_stream = True
        return answers


class KeepsTheOldLength(Stream):
    def buffered(self, told: dict[str, str], body: bytes | None) -> list[Answer]:
        told.pop("content-length", None)
        return super().buffered(told, body)


class AnswersTwice(Stream):
    def buffered(self, told: dict[str, str], body: bytes | None) -> list[Answer]:
        answers = super().buffered(told, body)
        return answers if body is None else [*answers, empty_answer("request_body")]


class NamesNobodyWhereBuffered(Stream):
    def buffered(self, told: dict[str, str], body: bytes | None) -> list[Answer]:
        answers = super().buffered(told, body)
        for edit in edits(answers):
            edit.header.key = "x-other"
        return answers


class SetsNoMetadataWhereBuffered(Stream):
    def buffered(self, told: dict[str, str], body: bytes | None) -> list[Answer]:
        return sets_no_metadata(super().buffered(told, body))


class LosesTheBodyWhereBuffered(Stream):
    def buffered(self, told: dict[str, str], body: bytes | None) -> list[Answer]:
        cut = body and body[:-1]
        return super().buffered({**told, "content-length": str(len(cut or b""))}, cut)


class StreamsBufferedAnswers(Stream):
    def response_body(self, message: Any) -> list[Answer]:
        part = message.response_body
        return [ext_proc.ProcessingResponse(response_body=streamed(part.body, part.end_of_stream))]


class ChangesBufferedAnswers(Stream):
    def response_body(self, message: Any) -> list[Answer]:
        answers = super().response_body(message)
        if self.modes[1] == 2:
            answers[0].response_body.response.body_mutation.body = b"{}"
        return answers
