"""Clients that mean harm, or have bad luck: odd headers and odd JSON are refused or passed, and nobody else notices."""

from typing import Any

from chimera_conformance import answers as came
from chimera_conformance import sources
from chimera_conformance.answers import Answers
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.cases.malformed import require_discretion
from chimera_conformance.messages import Call, Header
from chimera_conformance.picker import ROUTED, Picker
from chimera_conformance.verdicts import assume, require

MANY = 10_000  # headers
LONG = 1 << 20  # bytes of one header
DEEP = 100_000  # brackets; beyond every recursive parser
_CONTROL: tuple[Header, ...] = (("x-request-id", b"a\x00b\r\nx-forged: 1"),)


@case(Level.MUST, Profile.ROBUSTNESS, sources.HOSTILE_HEADERS)
async def many_headers(picker: Picker) -> None:
    """A request with 10,000 headers is routed or refused."""
    await _require_answered(picker, picker.chat(headers=tuple((f"x-{number}", "1") for number in range(MANY))))


@case(Level.MUST, Profile.ROBUSTNESS, sources.HOSTILE_HEADERS)
async def long_header(picker: Picker) -> None:
    """A request with a header of 1 MiB is routed or refused."""
    await _require_answered(picker, picker.chat(headers=(("x-long", "a" * LONG),)))


@case(Level.MUST, Profile.ROBUSTNESS, sources.HOSTILE_HEADERS)
async def repeated_headers(picker: Picker) -> None:
    """A request whose headers come twice, the content length among them, is routed or refused."""
    twice: tuple[Header, ...] = (("content-length", "7"), ("x-request-id", "a"), ("x-request-id", "b"))
    await _require_answered(picker, picker.chat(headers=twice))


@case(Level.MUST, Profile.ROBUSTNESS, sources.HOSTILE_HEADERS)
async def control_characters(picker: Picker) -> None:
    """A request whose header holds NUL, CR and LF is routed or refused."""
    await _require_answered(picker, picker.chat(headers=_CONTROL))


@case(Level.SHOULD, Profile.ROBUSTNESS, sources.HOSTILE_HEADERS)
async def control_characters_are_not_repeated(picker: Picker) -> None:
    """A header that holds NUL, CR or LF is never set again by the picker."""
    answers = await picker.ask(picker.chat(headers=_CONTROL).whole(), ROUTED)
    assume(answers.done, "neither routed nor refused")
    repeated = [name for name, value in answers.headers(came.REQUEST_HEADERS) if not {*"\0\r\n"}.isdisjoint(value)]
    require(not repeated, f"set with control characters: {', '.join(repeated)}")


@case(Level.MUST, Profile.ROBUSTNESS, sources.HOSTILE_HEADERS)
async def bytes_that_are_no_text(picker: Picker) -> None:
    """A header whose raw_value is not UTF-8 is opaque or refused."""
    await _require_answered(picker, picker.chat(headers=(("x-request-id", b"\xff\xfe\x80"), ("x-session-id", b"\xc3"))))


@case(Level.MUST, Profile.ROBUSTNESS, sources.HOSTILE_HEADERS)
async def value_and_raw_value(picker: Picker) -> None:
    """A header with both fields, or neither, is opaque or refused."""
    opening = picker.chat(headers=(("x-request-id", "raw"), ("x-session-id", ""))).opening()
    opening.request_headers.headers.headers[-2].value = "text"
    await _require_messages_answered(picker, [opening, *picker.chat().pieces(), picker.chat().end()])


@case(Level.MUST, Profile.ROBUSTNESS, sources.HOSTILE_BODIES)
async def deep_json(picker: Picker) -> None:
    """A body that nests 100,000 levels is refused or routed, and no parser's stack ends."""
    deep = b"[" * DEEP + b"]" * DEEP
    await _require_answered(picker, _with(picker, b'"metadata":%s' % deep))


@case(Level.MUST, Profile.ROBUSTNESS, sources.HOSTILE_BODIES)
async def numbers_that_are_none(picker: Picker) -> None:
    """A body with NaN, Infinity or 1e999 is refused or routed."""
    for number in (b"NaN", b"-Infinity", b"1e999"):
        await _require_answered(picker, _with(picker, b'"temperature":%s' % number))


@case(Level.MUST, Profile.ROBUSTNESS, sources.HOSTILE_BODIES)
async def repeated_fields(picker: Picker) -> None:
    """A body that names two models is refused or routed."""
    await _require_answered(picker, _with(picker, b'"model":"another"'))


@case(Level.MUST, Profile.ROBUSTNESS, sources.HOSTILE_BODIES)
async def other_encodings(picker: Picker) -> None:
    """A body in UTF-16, with a byte order mark, with half a surrogate, packed or cut off is refused or routed."""
    body = picker.chat().body
    packed = b"\x1f\x8b\x08\x00" + body  # the head of gzip
    surrogate = body.replace(b"Say", rb"\ud800")
    for odd in (body.decode().encode("utf-16"), b"\xef\xbb\xbf" + body, surrogate, packed, body[:-5], b"\xff" + body):
        await _require_answered(picker, picker.chat(body=odd))


@case(Level.MUST, Profile.ROBUSTNESS, sources.HOSTILE_BODIES)
async def odd_values(picker: Picker) -> None:
    """A body with fields of types that make no sense is refused or routed."""
    for fields in ({"messages": "hi"}, {"messages": [None]}, {"n": -1}, {"max_tokens": 10**30}, {"stream": "yes"}):
        await _require_answered(picker, picker.chat().with_json(**fields))
    for whole in (b"null", b"[]", b"7", b'"text"'):
        await _require_answered(picker, picker.chat(body=whole))


def _with(picker: Picker, field: bytes) -> Call:
    return picker.chat(body=picker.chat().body[:-1] + b"," + field + b"}")


async def _require_answered(picker: Picker, call: Call) -> Answers:
    return await _require_messages_answered(picker, call.whole())


async def _require_messages_answered(picker: Picker, messages: list[Any]) -> Answers:
    answers = await picker.ask(messages, ROUTED)
    require(answers.done, f"neither routed nor refused; came: {answers.outline()}")
    require_discretion(answers)
    await picker.require_service()
    return answers
