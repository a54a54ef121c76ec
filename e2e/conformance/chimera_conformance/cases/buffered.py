"""Gateways that buffer: the body comes once, after the headers were answered, and goes on as one."""

import json

from chimera_conformance import answers as came
from chimera_conformance import sources, wire
from chimera_conformance.answers import Answers
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.cases.destination import FOREIGN, endpoints
from chimera_conformance.cases.response import COMPLETION, EVENTS
from chimera_conformance.cases.subset import ROUNDS
from chimera_conformance.exchange import Exchange
from chimera_conformance.messages import (
    BUFFERED,
    BUFFERED_THEN_NOTHING,
    BUFFERED_THEN_STREAMED,
    Call,
    Modes,
    response_body,
    response_headers,
)
from chimera_conformance.phases import skip_unseen
from chimera_conformance.picker import ROUTED, Picker
from chimera_conformance.verdicts import assume, require

_BODY_ANSWERED = came.answered(came.REQUEST_BODY)
_EDITS = (came.REQUEST_HEADERS, came.REQUEST_BODY)


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_BUFFERED)
async def headers_are_answered_at_once(picker: Picker) -> None:
    """The headers are answered before the body is there: the gateway sends none until then."""
    answers = await picker.ask([_call(picker).opening()], ROUTED)
    require(came.REQUEST_HEADERS in answers.kinds, f"came: {answers.outline()}")


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_BUFFERED)
async def body_is_answered_once(picker: Picker) -> None:
    """The body, which comes whole, is answered by one message."""
    async with picker.exchange() as exchange:
        await _routed(exchange, _call(picker))
        await exchange.send(response_headers())
        answers = await exchange.collect(came.answered(came.RESPONSE_HEADERS))
        require(answers.kinds.count(came.REQUEST_BODY) == 1, f"came: {answers.outline()}")


@case(Level.MUST, Profile.BUFFERED, sources.GIE_DESTINATION)
async def destination_is_set(picker: Picker) -> None:
    """The destination, a member of the pool, is set by the time the body was answered."""
    answers = await _route(picker)
    require(answers.destination, f"no destination header; came: {answers.outline()}")
    chosen = endpoints(answers)
    strangers = [str(each) for each in chosen if each not in picker.target.endpoints]
    require(not strangers, f"{', '.join(strangers)} is not of the pool")


@case(Level.MUST, Profile.BUFFERED, sources.GIE_DESTINATION)
async def metadata_equals_header(picker: Picker) -> None:
    """The destination stands in the dynamic metadata too, as the same string."""
    answers = await _route(picker)
    assume(answers.destination, "no destination header")
    require(answers.destination_metadata == answers.destination, f"metadata {answers.destination_metadata}")


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_BUFFERED)
async def body_is_not_streamed(picker: Picker) -> None:
    """The body is never answered by streamed_response, which belongs to full duplex: Envoy makes it a 500."""
    require(not (await _route(picker)).streamed(came.REQUEST_BODY), "a streamed_response came")


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_LENGTH)
async def length_is_right_or_removed(picker: Picker) -> None:
    """Where the body's length changes, content-length is set to the new one or removed."""
    call = _call(picker)
    answers = await _route(picker)
    length = len(_sent_on(call, answers))
    stated = dict(answers.headers(*_EDITS)).get(wire.CONTENT_LENGTH, str(len(call.body)))
    require(
        stated == str(length) or wire.CONTENT_LENGTH in answers.removed(*_EDITS),
        f"content-length {stated} for {length} bytes",
    )


@case(Level.MUST, Profile.BUFFERED, sources.GIE_STREAMING)
async def body_names_a_model(picker: Picker) -> None:
    """The body that goes on is JSON, names a model and holds what was asked."""
    call = _call(picker)
    try:
        sent = json.loads(_sent_on(call, await _route(picker)))
    except ValueError:
        sent = {}
    require(isinstance(sent.get("model"), str) and sent["model"], "model is missing or no text")
    require(sent.get("messages") == json.loads(call.body)["messages"], "what was asked has changed")


@case(Level.MUST, Profile.BUFFERED, sources.GIE_SUBSET)
async def subset_binds(picker: Picker) -> None:
    """The gateway's hint binds here too."""
    member = picker.target.endpoints[-1]
    for _ in range(ROUNDS):
        chosen = endpoints(await _route(picker, subset=[str(member)]))
        require(chosen == (member,), f"{', '.join(map(str, chosen))} for {member}")


@case(Level.MUST, Profile.BUFFERED, sources.GIE_SUBSET)
async def subset_of_nobody_is_503(picker: Picker) -> None:
    """A hint that allows no member of the pool is answered with 503 here too."""
    answers = await _route(picker, subset=[FOREIGN])
    require(answers.refusal == 503, f"came: {answers.outline()}")


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_BUFFERED)
async def get_is_answered_at_once(picker: Picker) -> None:
    """A request without a body is answered when its headers are in."""
    call = picker.chat(body=b"", method="GET", path=wire.MODELS, modes=BUFFERED)
    answers = await picker.ask(call.bare(), ROUTED)
    require(came.REQUEST_HEADERS in answers.kinds or answers.refusal is not None, f"came: {answers.outline()}")


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_BUFFERED)
async def response_is_answered_once(picker: Picker) -> None:
    """The answer's head and its body, which comes whole, are each answered by one message, not streamed."""
    answers = await _responded(picker, BUFFERED, [COMPLETION], ends=True)
    require(answers.kinds.count(came.RESPONSE_BODY) == 1, f"came: {answers.outline()}")
    require(not answers.streamed(came.RESPONSE_BODY), "a streamed_response came")


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_LENGTH)
async def response_is_unchanged(picker: Picker) -> None:
    """The answer passes byte for byte, or with a content-length to match."""
    answers = await _responded(picker, BUFFERED, [COMPLETION], ends=True)
    mutations = [part.response.body_mutation for part in answers.of(came.RESPONSE_BODY)]
    bodies = [each.body for each in mutations if each.WhichOneof("mutation") == "body"]
    require(all(body == COMPLETION for body in bodies), "the body was changed")


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_STREAMED)
async def response_may_be_streamed(picker: Picker) -> None:
    """Where the answer is STREAMED, each piece gets one CommonResponse at once, not a streamed_response."""
    answers = await _responded(picker, BUFFERED_THEN_STREAMED, EVENTS, ends=False)
    require(answers.kinds.count(came.RESPONSE_BODY) == len(EVENTS), f"came: {answers.outline()}")
    require(not answers.streamed(came.RESPONSE_BODY), "a streamed_response came")


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_PROTOCOL_CONFIG)
async def response_may_stay_away(picker: Picker) -> None:
    """Where the gateway keeps the answer's body to itself, the head is answered and the stream ends with OK."""
    async with picker.exchange() as exchange:
        await _routed(exchange, _call(picker, BUFFERED_THEN_NOTHING))
        await exchange.pause()
        await exchange.send(response_headers())
        answers = await exchange.collect(came.answered(came.RESPONSE_HEADERS))
        skip_unseen(answers)
        require(came.RESPONSE_HEADERS in answers.kinds, f"came: {answers.outline()}")
        await exchange.half_close()
        ending = await exchange.ending()
        require(ending and ending.code == came.OK, f"the ending: {ending and ending.code}")


def _call(picker: Picker, modes: Modes = BUFFERED) -> Call:
    return picker.chat(modes=modes)


async def _routed(exchange: Exchange, call: Call) -> Answers:
    """Drive the request as a gateway that buffers does: no body until the headers were answered."""
    await exchange.send(call.opening())
    answers = await exchange.collect(ROUTED)
    assume(answers.kinds, "the headers were not answered, so no body was sent")
    await exchange.send(call.piece(call.body, end_of_stream=True))
    return await exchange.collect(_BODY_ANSWERED)


async def _route(picker: Picker, **changes: object) -> Answers:
    async with picker.exchange() as exchange:
        return await _routed(exchange, picker.chat(modes=BUFFERED, **changes))


async def _responded(picker: Picker, modes: Modes, pieces: list[bytes], *, ends: bool) -> Answers:
    async with picker.exchange() as exchange:
        answers = await _routed(exchange, _call(picker, modes))
        assume(came.REQUEST_BODY in answers.kinds, f"the request was not routed; came: {answers.outline()}")
        await exchange.pause()
        await exchange.send(response_headers())
        answers = await exchange.collect(came.answered(came.RESPONSE_HEADERS))
        skip_unseen(answers)
        await exchange.pause()
        assume(came.RESPONSE_HEADERS in answers.kinds, f"the answer did not pass; came: {answers.outline()}")
        for number, piece in enumerate(pieces, start=1):
            await exchange.send(response_body(piece, end_of_stream=ends and number == len(pieces)))
            answers = await exchange.collect(came.counted(came.RESPONSE_BODY, number))
            skip_unseen(answers, came.RESPONSE_BODY)
        return answers


def _sent_on(call: Call, answers: Answers) -> bytes:
    """Return the body that goes on: the picker's, or the client's where it is left alone."""
    assume(came.REQUEST_BODY in answers.kinds, f"the body was not answered; came: {answers.outline()}")
    mutations = [part.response.body_mutation for part in answers.of(came.REQUEST_BODY)]
    assume(not answers.streamed(came.REQUEST_BODY), "the body was streamed")
    replaced: list[bytes] = [each.body for each in mutations if each.WhichOneof("mutation") == "body"]
    return replaced[-1] if replaced else call.body
