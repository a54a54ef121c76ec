"""Bounds: on one body, on one message, on streams at once."""

import asyncio

from chimera_conformance import answers as came
from chimera_conformance import sources
from chimera_conformance.answers import Answers
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.picker import ROUTE_ENDED, ROUTED, Picker
from chimera_conformance.verdicts import require

PIECE = 1 << 20  # bytes
OVER_GRPC = 5 << 20  # bytes; gRPC takes 4 MiB a message unless told otherwise
TOO_LARGE = 413
EXHAUSTED = "RESOURCE_EXHAUSTED"
STREAMS = 500
BEHIND = 4  # times the patience: with so many messages or streams at once a picker may be behind


@case(Level.SHOULD, Profile.LIMITS, sources.BODY_CAP, alone=True)
async def body_over_the_cap(picker: Picker) -> None:
    """A body over the cap ends with 413 or RESOURCE_EXHAUSTED, and the picker serves on."""
    call = picker.chat()
    piece = call.piece(b"x" * PIECE)
    async with picker.exchange() as exchange:
        await exchange.send(picker.chat(body=b"x" * 7).opening())
        for _ in range(picker.target.body_cap // PIECE + 1):
            await exchange.send(piece)
        _require_too_large(await exchange.collect(came.never))
    await picker.require_service()


@case(Level.SHOULD, Profile.LIMITS, sources.BODY_CAP)
async def declared_length_over_the_cap(picker: Picker) -> None:
    """A body that says itself that it is over the cap is refused before it comes."""
    call = picker.chat()
    opening = call.opening()
    for header in opening.request_headers.headers.headers:
        if header.key == "content-length":
            header.raw_value = str(picker.target.body_cap * 1000).encode()
    _require_too_large(await picker.ask([opening], came.never))


@case(Level.MUST, Profile.LIMITS, sources.BODY_CAP, alone=True)
async def message_over_grpcs_limit(picker: Picker) -> None:
    """A message of 5 MB is routed, refused or ends its stream, and the picker serves on."""
    call = picker.chat_of(OVER_GRPC)
    answers = await picker.ask(call.whole(size=len(call.body)), ROUTE_ENDED)
    require(answers.done, f"neither routed nor refused; came: {answers.outline()}")
    await picker.require_service()


@case(Level.MUST, Profile.LIMITS, sources.ENVOY_DUPLEX, alone=True)
async def tiny_pieces(picker: Picker) -> None:
    """A body in pieces of one byte, 100,000 unless told otherwise, is routed or refused, and the picker serves on."""
    call = picker.chat_of(picker.target.tiny_pieces)
    piece = {byte: call.piece(bytes([byte])).SerializeToString() for byte in set(call.body)}
    async with picker.exchange() as exchange:
        await exchange.send(call.opening(), *(piece[byte] for byte in call.body), call.end())
        answers = await exchange.collect(ROUTED, within=BEHIND * picker.target.patience)
    require(answers.done, f"neither routed nor refused; came: {answers.outline()}")
    await picker.require_service()


@case(Level.SHOULD, Profile.LIMITS, sources.GRPC_PENDING, alone=True)
async def streams_opened_at_once(picker: Picker) -> None:
    """500 streams that open at the same moment are all answered."""
    call = picker.chat()
    asked = (picker.ask(call.whole(), ROUTED, within=BEHIND * picker.target.patience) for _ in range(STREAMS))
    all_answers = await asyncio.gather(*asked)
    done = sum(answers.routed or answers.refusal is not None for answers in all_answers)
    require(done == STREAMS, f"{done} of {STREAMS}")


def _require_too_large(answers: Answers) -> None:
    exhausted = answers.ending is not None and answers.ending.code == EXHAUSTED
    require(exhausted or answers.refusal == TOO_LARGE, f"came: {answers.outline()}")
