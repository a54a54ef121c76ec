"""How an exchange ends: by either side, at any point."""

import asyncio

from chimera_conformance import answers as came
from chimera_conformance import sources, wire
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.exchange import Exchange
from chimera_conformance.messages import response_body, response_headers
from chimera_conformance.phases import skip_unseen
from chimera_conformance.picker import ROUTE_ENDED, Picker
from chimera_conformance.verdicts import assume, require

AT_ONCE = 50  # streams; one gateway's worth of a busy second
_MOMENT = 0.1  # seconds in which a picker has taken up a stream, and let go of one that was cancelled


@case(Level.MUST, Profile.CORE, sources.NGINX_SHIM)
async def may_end_after_the_request(picker: Picker) -> None:
    """A gateway without a response phase half-closes once it has the route; the picker then ends the stream with OK."""
    async with picker.routed() as exchange:
        await _require_ok(exchange)


@case(Level.MUST, Profile.CORE, sources.NGINX_SHIM)
async def half_close_may_come_early(picker: Picker) -> None:
    """A half-close right behind the request, before any answer, loses nothing: the route still comes."""
    async with picker.exchange() as exchange:
        await exchange.send(*picker.chat().at_once())
        await exchange.half_close()
        answers = await exchange.collect(ROUTE_ENDED)
        require(answers.routed, f"no route; came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.ENVOY_HALF_CLOSE)
async def ends_after_the_response(picker: Picker) -> None:
    """Once the answer has passed, a half-close ends the stream with OK."""
    async with picker.routed() as exchange:
        await exchange.send(response_headers(), response_body(b"{}", end_of_stream=True))
        answers = await exchange.collect(came.counted(came.RESPONSE_BODY, 1))
        skip_unseen(answers)
        assume(came.RESPONSE_HEADERS in answers.kinds, f"the answer did not pass; came: {answers.outline()}")
        await _require_ok(exchange)


@case(Level.MUST, Profile.CORE, sources.ENVOY_HALF_CLOSE)
async def half_close_before_the_body_ends(picker: Picker) -> None:
    """A gateway that half-closes in the middle of the request is not waited for: the stream ends."""
    call = picker.chat()
    async with picker.exchange() as exchange:
        await exchange.send(call.opening(), *call.pieces()[:1])
        await exchange.half_close()
        require(await exchange.ending(), "it is still open")


@case(Level.MUST, Profile.CORE, sources.ENVOY_HALF_CLOSE)
async def half_close_before_anything(picker: Picker) -> None:
    """A stream on which nothing is sent ends when the gateway half-closes it."""
    async with picker.exchange() as exchange:
        await exchange.half_close()
        require(await exchange.ending(), "it is still open")


@case(Level.MUST, Profile.CORE, sources.ENVOY_HALF_CLOSE)
async def cancel_harms_nobody_else(picker: Picker) -> None:
    """A client that leaves in the middle of its request or its answer takes nothing from those after it."""
    call = picker.chat()
    async with picker.exchange() as exchange:
        await exchange.send(call.opening(), *call.pieces(20)[:1])
        await exchange.collect(came.never, within=_MOMENT)
    await picker.require_service()
    async with picker.exchange() as exchange:
        await exchange.send(*call.whole())
        answers = await exchange.collect(ROUTE_ENDED)
        require(answers.routed, f"afterwards a well-formed request is not routed any more; came: {answers.outline()}")
        await exchange.send(response_headers(content_type=wire.EVENT_STREAM), response_body(b"data: {}\n\n"))
        await exchange.collect(came.counted(came.RESPONSE_BODY, 1))
    await picker.require_service()


@case(Level.MUST, Profile.CORE, sources.GIE_STREAMING, alone=True)
async def streams_are_independent(picker: Picker) -> None:
    """Streams that are open at once, some of them stuck, are each answered."""
    call = picker.chat()
    async with picker.exchange() as stuck:
        await stuck.send(call.opening())
        asked = [picker.ask(call.whole(), ROUTE_ENDED) for _ in range(AT_ONCE)]
        routed = sum(answers.routed for answers in await asyncio.gather(*asked))
    require(routed == AT_ONCE, f"{routed} of {AT_ONCE} were routed")


async def _require_ok(exchange: Exchange) -> None:
    await exchange.half_close()
    ending = await exchange.ending()
    require(ending, "it is still open")
    require(ending and ending.code == came.OK, f"it ended with {ending and ending.code}")
