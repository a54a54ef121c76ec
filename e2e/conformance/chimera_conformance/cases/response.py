"""The response phase in full duplex: the answer passes, at once and unchanged."""

import json

from chimera_conformance import answers as came
from chimera_conformance import sources, wire
from chimera_conformance.answers import Answers
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.messages import GATEWAY_CHUNK, response_body, response_headers, response_trailers
from chimera_conformance.phases import (
    require_no_empty,
    require_one_end,
    require_order,
    responded,
    skip_unseen,
    to_the_response,
)
from chimera_conformance.picker import Picker
from chimera_conformance.verdicts import assume, require

COMPLETION = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 10, "total_tokens": 17},
    }
).encode()
EVENTS = [
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Good"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":" day."}}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":10,"total_tokens":17}}\n\ndata: [DONE]\n\n',
]
NOT_JSON = b"no healthy upstream"
BINARY = bytes(range(256)) * 4

_ANSWERED = came.answered(came.RESPONSE_HEADERS)


@case(Level.MUST, Profile.CORE, sources.ENVOY_ORDER)
async def headers_are_answered(picker: Picker) -> None:
    """The head of the answer is answered before its body comes."""
    async with picker.routed() as exchange:
        answers = await to_the_response(exchange)
        skip_unseen(answers)
        require(came.RESPONSE_HEADERS in answers.kinds, f"came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.ENVOY_ORDER)
async def headers_come_first(picker: Picker) -> None:
    """The head of the answer is answered before its body where both arrive at once."""
    answers = await _json(picker, [COMPLETION])
    require_order(answers, came.RESPONSE_HEADERS, came.RESPONSE_BODY)


@case(Level.MUST, Profile.CORE, sources.GIE_STREAMING)
async def events_pass_at_once(picker: Picker) -> None:
    """Each piece of an event stream is answered before the next is sent, by one message."""
    async with picker.routed() as exchange:
        await exchange.send(response_headers(content_type=wire.EVENT_STREAM))
        await exchange.collect(_ANSWERED)
        for number, event in enumerate(EVENTS, start=1):
            await exchange.send(response_body(event))
            answers = await exchange.collect(came.streamed(came.RESPONSE_BODY, number))
            skip_unseen(answers)
            require(len(answers.streamed(came.RESPONSE_BODY)) >= number, f"none to piece {number} of {len(EVENTS)}")
        count = len(exchange.answers.of(came.RESPONSE_BODY))
        require(count == len(EVENTS), f"{count} answers to {len(EVENTS)} pieces")


@case(Level.MUST, Profile.CORE, sources.HTTP_SEMANTICS)
async def events_pass_unchanged(picker: Picker) -> None:
    """An event stream arrives byte for byte."""
    async with picker.routed() as exchange:
        answers = await responded(exchange, response_headers(content_type=wire.EVENT_STREAM), EVENTS)
        _require_bytes(answers, b"".join(EVENTS))


@case(Level.MUST, Profile.CORE, sources.LLM_D_TESTS)
async def json_in_pieces_passes_unchanged(picker: Picker) -> None:
    """A JSON answer in two pieces arrives byte for byte."""
    half = len(COMPLETION) // 2
    _require_bytes(await _json(picker, [COMPLETION[:half], COMPLETION[half:]]), COMPLETION)


@case(Level.MUST, Profile.CORE, sources.LLM_D_TESTS)
async def broken_json_passes_unchanged(picker: Picker) -> None:
    """An answer that says it is JSON and is not arrives byte for byte."""
    _require_bytes(await _json(picker, [NOT_JSON]), NOT_JSON)


@case(Level.MUST, Profile.CORE, sources.HTTP_SEMANTICS)
async def any_bytes_pass_unchanged(picker: Picker) -> None:
    """An answer of any other type, and of any bytes, arrives byte for byte."""
    async with picker.routed() as exchange:
        head = response_headers(content_type="application/octet-stream")
        _require_bytes(await responded(exchange, head, [BINARY]), BINARY)


@case(Level.MUST, Profile.CORE, sources.LLM_D_TESTS)
async def body_is_ended(picker: Picker) -> None:
    """An answer whose end comes in an empty piece ends with end_of_stream."""
    answers = await _json(picker, [COMPLETION])
    pieces = answers.streamed(came.RESPONSE_BODY)
    assume(pieces, f"the body was not streamed; came: {answers.outline()}")
    require(answers.end_marks(came.RESPONSE_BODY), f"{len(pieces)} pieces, none of which ends the body")


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def end_may_come_with_bytes(picker: Picker) -> None:
    """An answer whose last bytes come with end_of_stream ends with it."""
    async with picker.routed() as exchange:
        await exchange.send(response_headers(), response_body(COMPLETION, end_of_stream=True))
        answers = await exchange.collect(came.ended(came.RESPONSE_BODY))
        skip_unseen(answers)
        assume(answers.streamed(came.RESPONSE_BODY), f"the body was not streamed; came: {answers.outline()}")
        require(answers.end_marks(came.RESPONSE_BODY), f"came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def body_is_ended_once(picker: Picker) -> None:
    """The last piece of the answer, and no other, says end_of_stream."""
    async with picker.routed() as exchange:
        await responded(exchange, response_headers(), [COMPLETION])
        await exchange.half_close()
        await exchange.ending(within=0.5)
        require_one_end(exchange.answers, came.RESPONSE_BODY)


@case(Level.MUST, Profile.CORE, sources.GIE_SPURIOUS)
async def no_answer_is_empty(picker: Picker) -> None:
    """No piece of the answer is answered by an empty CommonResponse."""
    half = len(COMPLETION) // 2
    require_no_empty(await _json(picker, [COMPLETION[:half], COMPLETION[half:]]), came.RESPONSE_BODY)


@case(Level.MUST, Profile.CORE, sources.GIE_CHUNKS)
async def messages_fit_gateways(picker: Picker) -> None:
    """No answer is larger than 64 KiB, however the picker puts a JSON answer of 300 KB together."""
    body = json.dumps({"choices": [], "filler": "x" * 300_000}).encode()
    pieces = [body[start : start + GATEWAY_CHUNK] for start in range(0, len(body), GATEWAY_CHUNK)]
    answers = await _json(picker, pieces)
    assume(answers.streamed(came.RESPONSE_BODY), f"the body was not streamed; came: {answers.outline()}")
    largest = max(message.ByteSize() for message in answers.messages)
    require(largest <= 64 * 1024, f"{largest:,} bytes")


@case(Level.MUST, Profile.CORE, sources.ENVOY_ORDER)
async def trailers_are_answered_last(picker: Picker) -> None:
    """The trailers of an answer are answered, after its body."""
    answers = await _trailers(picker)
    require(answers.kinds[-1] == came.RESPONSE_TRAILERS, f"came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def trailers_end_the_body(picker: Picker) -> None:
    """Where trailers end the answer, no piece of its body says end_of_stream."""
    answers = await _trailers(picker)
    require(not answers.end_marks(came.RESPONSE_BODY), "a piece says end_of_stream")


@case(Level.MUST, Profile.CORE, sources.ENVOY_ORDER)
async def may_have_no_body(picker: Picker) -> None:
    """An answer without a body is answered by its head alone."""
    async with picker.routed() as exchange:
        await exchange.send(response_headers(204, end_of_stream=True))
        skip_unseen(await exchange.collect(_ANSWERED))
        await exchange.half_close()
        await exchange.ending(within=0.5)
        kinds = exchange.answers.kinds
        require(came.RESPONSE_HEADERS in kinds, f"came: {exchange.answers.outline()}")
        require(came.RESPONSE_BODY not in kinds, f"came: {exchange.answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.GIE_SERVED)
async def served_endpoint_is_taken_or_left(picker: Picker) -> None:
    """An answer that names the endpoint which served it passes as one that does not."""
    async with picker.routed() as exchange:
        head = response_headers(served=str(picker.target.endpoints[0]))
        _require_bytes(await responded(exchange, head, [COMPLETION]), COMPLETION)


@case(Level.MUST, Profile.CORE, sources.ENVOY_LOCAL_REPLY, alone=True)
async def gateways_own_answer_is_answered(picker: Picker) -> None:
    """A 503 that the gateway made itself, in plain text, is answered: passed, or put in better words."""
    async with picker.routed() as exchange:
        answers = await responded(exchange, response_headers(503, "text/plain"), [NOT_JSON])
        passed = {came.RESPONSE_HEADERS, came.RESPONSE_BODY} <= set(answers.kinds)
        require(passed or answers.refusal, f"came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.HTTP_SEMANTICS, alone=True)
async def engines_error_keeps_its_status(picker: Picker) -> None:
    """An engine's own 500 stays a 5xx, passed or put in better words."""
    async with picker.routed() as exchange:
        error = json.dumps({"error": {"message": "engine failed", "type": "server_error"}}).encode()
        answers = await responded(exchange, response_headers(500), [error])
        require(_ANSWERED(answers) or answers.refusal, f"came: {answers.outline()}")
        status = dict(answers.headers(came.RESPONSE_HEADERS)).get(wire.STATUS, "500")
        require((answers.refusal or int(status)) >= 500, f"it became {answers.refusal or status}")


async def _json(picker: Picker, pieces: list[bytes]) -> Answers:
    async with picker.routed() as exchange:
        return await responded(exchange, response_headers(), pieces)


async def _trailers(picker: Picker) -> Answers:
    async with picker.routed() as exchange:
        await exchange.send(response_headers(content_type=wire.EVENT_STREAM), *map(response_body, EVENTS))
        await exchange.send(response_trailers({"grpc-status": "0"}))
        answers = await exchange.collect(came.answered(came.RESPONSE_TRAILERS))
        skip_unseen(answers)
        assume(answers.streamed(came.RESPONSE_BODY), f"the body was not streamed; came: {answers.outline()}")
        return answers


def _require_bytes(answers: Answers, expected: bytes) -> None:
    assume(came.RESPONSE_HEADERS in answers.kinds, f"the answer did not pass; came: {answers.outline()}")
    body = answers.body(came.RESPONSE_BODY)
    require(body == expected, f"{len(body)} bytes in place of {len(expected)}, or others; came: {answers.outline()}")
