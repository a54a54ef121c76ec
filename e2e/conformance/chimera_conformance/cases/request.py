"""The request phase in full duplex: the order of answers, and where the body ends."""

from chimera_conformance import answers as came
from chimera_conformance import sources, wire
from chimera_conformance.answers import Answers
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.messages import Call
from chimera_conformance.phases import require_no_empty, require_one_end, require_order, skip_unseen, to_the_response
from chimera_conformance.picker import ROUTE_ENDED, ROUTED, Picker
from chimera_conformance.verdicts import assume, require

REFERENCE_PIECE = 62_000  # bytes; where the reference cuts bodies
GATEWAY_MESSAGE = 64 * 1024  # bytes; what gateways take, GKE's among them

_TRAILERS_ANSWERED = came.answered(came.REQUEST_HEADERS, came.REQUEST_TRAILERS)


@case(Level.MUST, Profile.CORE, sources.ENVOY_ORDER)
async def headers_come_first(picker: Picker) -> None:
    """The request's headers are answered before its body where all of it arrives at once."""
    answers = await picker.ask(picker.chat().at_once(), ROUTE_ENDED)
    require_order(answers, came.REQUEST_HEADERS, came.REQUEST_BODY)


@case(Level.MUST, Profile.CORE, sources.ENVOY_ORDER)
async def headers_come_first_in_pieces(picker: Picker) -> None:
    """The request's headers are answered before its body where that arrives in pieces, after a pause."""
    call = picker.chat()
    async with picker.exchange() as exchange:
        await exchange.send(call.opening())
        await exchange.collect(ROUTED, within=0.05)
        await exchange.send(*call.pieces(20), call.end())
        require_order(await exchange.collect(ROUTE_ENDED), came.REQUEST_HEADERS, came.REQUEST_BODY)


@case(Level.MUST, Profile.CORE, sources.ENVOY_ORDER)
async def headers_come_first_before_trailers(picker: Picker) -> None:
    """The request's headers are answered before its body where trailers end it."""
    answers = await picker.ask(_with_trailers(picker.chat()), _TRAILERS_ANSWERED)
    require_order(answers, came.REQUEST_HEADERS, came.REQUEST_BODY)


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def body_is_streamed(picker: Picker) -> None:
    """The body is answered by streamed_response alone; body and clear_body belong to other modes."""
    answers = await picker.route(picker.chat(), ROUTE_ENDED)
    kinds = {part.response.body_mutation.WhichOneof("mutation") for part in answers.of(came.REQUEST_BODY)}
    assume(kinds, f"the body was not answered; came: {answers.outline()}")
    require(not kinds & {"body", "clear_body"}, f"{', '.join(sorted(kinds - {None}))} came")


@case(Level.MUST, Profile.CORE, sources.GIE_SPURIOUS)
async def no_answer_is_empty(picker: Picker) -> None:
    """No piece of the body is answered by an empty CommonResponse, not even one that is not the last."""
    call = picker.chat()
    answers = await picker.ask([call.opening(), *call.pieces(20), call.end()], ROUTE_ENDED)
    require_no_empty(answers, came.REQUEST_BODY)


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def body_is_ended(picker: Picker) -> None:
    """The body that goes on ends with end_of_stream."""
    answers = await picker.route(picker.chat(), ROUTE_ENDED)
    pieces = answers.streamed(came.REQUEST_BODY)
    assume(pieces, f"the body was not streamed; came: {answers.outline()}")
    require(answers.end_marks(came.REQUEST_BODY), f"{len(pieces)} pieces, none of which ends the body")


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def body_is_ended_once(picker: Picker) -> None:
    """The last piece of the body, and no other, says end_of_stream."""
    async with picker.routed() as exchange:
        require_one_end(await to_the_response(exchange), came.REQUEST_BODY)


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def end_may_come_with_bytes(picker: Picker) -> None:
    """A body whose last bytes come with end_of_stream, as HTTP/2 has it, is routed."""
    answers = await picker.ask(picker.chat().at_once(), ROUTE_ENDED)
    require(answers.routed, f"came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def end_may_come_alone(picker: Picker) -> None:
    """A body whose end comes in an empty piece of its own, as HTTP/1.1 has it, is routed."""
    answers = await picker.ask(picker.chat().whole(), ROUTE_ENDED)
    require(answers.routed, f"came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.HTTP_SEMANTICS)
async def length_may_be_unknown(picker: Picker) -> None:
    """A request without content-length, as chunked clients send it, is routed."""
    answers = await picker.ask(picker.chat(sized=False).whole(), ROUTE_ENDED)
    require(answers.routed, f"came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.GIE_DUPLICATE_END)
async def second_end_is_ignored(picker: Picker) -> None:
    """A second, empty end of the body is not answered and does no harm: some Envoys send it after large bodies."""
    async with picker.routed() as exchange:
        before = len(exchange.answers.of(came.REQUEST_BODY))
        await exchange.send(picker.chat().end())
        answers = await to_the_response(exchange)
        require(answers.routed, f"the route was taken back; came: {answers.outline()}")
        require(len(answers.of(came.REQUEST_BODY)) == before, "it was answered")
        skip_unseen(answers)
        assume(came.RESPONSE_HEADERS in answers.kinds, f"the response is not answered; came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.GIE_CHUNKS)
async def messages_fit_gateways(picker: Picker) -> None:
    """No answer is larger than 64 KiB, also where the gateway sent 200 KB in one message."""
    answers = await _large(picker)
    largest = max(message.ByteSize() for message in answers.messages)
    require(largest <= GATEWAY_MESSAGE, f"{largest:,} bytes")


@case(Level.SHOULD, Profile.CORE, sources.GIE_CHUNKS)
async def pieces_are_of_62000_bytes(picker: Picker) -> None:
    """The body is cut into pieces of at most 62,000 bytes, which leaves room for the rest of the message."""
    answers = await _large(picker)
    largest = max(len(piece.body) for piece in answers.streamed(came.REQUEST_BODY))
    require(largest <= REFERENCE_PIECE, f"{largest:,} bytes")


@case(Level.MUST, Profile.CORE, sources.ENVOY_ORDER)
async def trailers_are_answered_last(picker: Picker) -> None:
    """A request that trailers end is routed, and its trailers are answered after its body."""
    async with picker.exchange() as exchange:
        await exchange.send(*_with_trailers(picker.chat()))
        answers = await exchange.collect(_TRAILERS_ANSWERED)
        require(came.REQUEST_TRAILERS in answers.kinds, f"came: {answers.outline()}")
        require_order(await to_the_response(exchange), came.REQUEST_BODY, came.REQUEST_TRAILERS)


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def trailers_end_the_body(picker: Picker) -> None:
    """Where trailers end the request, no piece of its body says end_of_stream."""
    answers = await picker.ask(_with_trailers(picker.chat()), _TRAILERS_ANSWERED)
    assume(answers.streamed(came.REQUEST_BODY), f"the body was not streamed; came: {answers.outline()}")
    require(not answers.end_marks(came.REQUEST_BODY), "a piece says end_of_stream")


@case(Level.MUST, Profile.CORE, sources.LLM_D_TESTS)
async def get_is_answered_at_once(picker: Picker) -> None:
    """A request without a body is answered when its headers are in: with a route, or in the engine's place."""
    answers = await picker.ask(_get(picker).bare(), ROUTED)
    require(came.REQUEST_HEADERS in answers.kinds or answers.refusal is not None, f"came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def get_has_no_body(picker: Picker) -> None:
    """A request without a body gets no answer to a body."""
    async with picker.exchange() as exchange:
        await exchange.send(*_get(picker).bare())
        answers = await exchange.collect(ROUTED)
        if came.REQUEST_HEADERS in answers.kinds:
            answers = await to_the_response(exchange)
        require(came.REQUEST_BODY not in answers.kinds, f"came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.ENVOY_PROTOCOL_CONFIG)
async def unset_modes_mean_full_duplex(picker: Picker) -> None:
    """A gateway that does not say how it treats bodies gets the answers of full duplex."""
    answers = await picker.route(picker.chat(modes=None), ROUTE_ENDED)
    require(answers.streamed(came.REQUEST_BODY), f"no streamed_response; came: {answers.outline()}")


def _with_trailers(call: Call) -> list[object]:
    return [call.opening(), *call.pieces(), call.trailers(checksum="1")]


def _get(picker: Picker) -> Call:
    return picker.chat(body=b"", method="GET", path=wire.MODELS)


async def _large(picker: Picker) -> Answers:
    """Return the answers to 200 KB in one message."""
    call = picker.chat_of(200_000)
    answers = await picker.ask(call.whole(size=len(call.body)), ROUTE_ENDED)
    assume(answers.streamed(came.REQUEST_BODY), f"the body was not streamed; came: {answers.outline()}")
    return answers
