"""What becomes of the request's body on its way to the engine."""

import json
from typing import Any

from chimera_conformance import answers as came
from chimera_conformance import sources, wire
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.messages import GATEWAY_CHUNK, Call
from chimera_conformance.picker import ROUTE_ENDED, Picker
from chimera_conformance.verdicts import assume, require

KEPT = {
    "messages": [{"role": "user", "content": 'é "quoted" \\ \n 漢字 \u2028 😀'}],
    "temperature": 0.25,
    "stop": ["\n\n", ""],
    "metadata": {"nested": {"empty": {}, "list": [1, -2.5, True, None]}},
    "user": "someone",
}
LONG = "12345678901234567890123"  # digits; more than a float or 64 bits hold


@case(Level.MUST, Profile.OPENAI, sources.GIE_STREAMING)
async def names_a_model(picker: Picker) -> None:
    """The body that goes to the engine is JSON and names a model."""
    sent = await _sent_on(picker, picker.chat())
    require(isinstance(sent.get("model"), str) and sent["model"], "model is missing or no text")


@case(Level.MUST, Profile.OPENAI, sources.HTTP_SEMANTICS)
async def keeps_its_fields(picker: Picker) -> None:
    """The client's other fields arrive with their values."""
    sent = await _sent_on(picker, picker.chat().with_json(**KEPT))
    changed = sorted(name for name, value in KEPT.items() if sent.get(name) != value)
    require(not changed, f"lost or changed: {', '.join(changed)}")


@case(Level.SHOULD, Profile.OPENAI, sources.HTTP_SEMANTICS)
async def keeps_the_digits_of_numbers(picker: Picker) -> None:
    """A number that no machine word holds arrives with all its digits."""
    call = picker.chat().with_json(seed="@")
    call = picker.chat(body=call.body.replace(b'"@"', LONG.encode()))
    sent = await _sent_on(picker, call)
    require(sent.get("seed") == int(LONG), "it was rounded or lost")


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def arrives_whole_from_two_pieces(picker: Picker) -> None:
    """A body in two pieces goes on as one."""
    call = picker.chat()
    await _require_whole(picker, call, size=len(call.body) // 2 + 1)


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def arrives_whole_from_single_bytes(picker: Picker) -> None:
    """A body in pieces of one byte goes on whole."""
    await _require_whole(picker, picker.chat(), size=1)


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def arrives_whole_from_one_large_piece(picker: Picker) -> None:
    """A body of 200 KB in one piece goes on whole."""
    await _require_whole(picker, picker.chat_of(200_000), size=300_000)


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX, alone=True)
async def arrives_whole_with_3_mb(picker: Picker) -> None:
    """A body of 3 MB in pieces as Envoy cuts them goes on whole."""
    await _require_whole(picker, picker.chat_of(3_000_000), size=GATEWAY_CHUNK)


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def arrives_whole_before_trailers(picker: Picker) -> None:
    """A body that trailers end goes on whole."""
    call = picker.chat()
    messages = [call.opening(), *call.pieces(20), call.trailers(checksum="1")]
    answers = await picker.ask(messages, came.answered(came.REQUEST_HEADERS, came.REQUEST_TRAILERS))
    _require_same(call, answers.body(came.REQUEST_BODY), answers.outline())


@case(Level.SHOULD, Profile.CORE, sources.ENVOY_LENGTH)
async def length_is_right_or_absent(picker: Picker) -> None:
    """A content-length that the picker sets is that of the body it sends on."""
    answers = await picker.route(picker.chat(), ROUTE_ENDED)
    stated = dict(answers.headers(came.REQUEST_HEADERS, came.REQUEST_BODY)).get(wire.CONTENT_LENGTH)
    assume(answers.streamed(came.REQUEST_BODY), f"the body was not streamed; came: {answers.outline()}")
    length = len(answers.body(came.REQUEST_BODY))
    require(stated in {None, str(length)}, f"{stated} for {length} bytes")


async def _sent_on(picker: Picker, call: Call) -> dict[str, Any]:
    answers = await picker.route(call, ROUTE_ENDED)
    body = answers.body(came.REQUEST_BODY)
    assume(body, f"the body was not streamed; came: {answers.outline()}")
    try:
        sent = json.loads(body)
    except ValueError:
        sent = None
    require(isinstance(sent, dict), "the body that goes on is no JSON object")
    return dict(sent)


async def _require_whole(picker: Picker, call: Call, *, size: int) -> None:
    answers = await picker.ask(call.whole(size), ROUTE_ENDED)
    _require_same(call, answers.body(came.REQUEST_BODY), answers.outline())


def _require_same(call: Call, body: bytes, outline: str) -> None:
    """Hold the messages against each other; the model is the picker's to name."""
    assume(body, f"the body was not streamed; came: {outline}")
    try:
        sent = json.loads(body)["messages"]
    except (ValueError, KeyError, TypeError):
        sent = None
    require(sent == json.loads(call.body)["messages"], f"{len(body):,} bytes that do not hold what was sent")
