"""Pickers set up for GIE's conformance suite of gateways: the test names the endpoints, and is told who served."""

from itertools import pairwise

from chimera_conformance import answers as came
from chimera_conformance import sources, wire
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.cases.destination import endpoints
from chimera_conformance.messages import response_headers
from chimera_conformance.phases import skip_unseen
from chimera_conformance.picker import ROUTED, Picker
from chimera_conformance.verdicts import assume, require


@case(Level.MUST, Profile.CONFORMANCE_HEADERS, sources.GIE_CONFORMANCE)
async def by_address_and_port(picker: Picker) -> None:
    """test-epp-endpoint-selection with ip:port gets that endpoint."""
    for member in picker.target.endpoints:
        await _require_selected(picker, str(member), {str(member)})


@case(Level.MUST, Profile.CONFORMANCE_HEADERS, sources.GIE_CONFORMANCE)
async def by_address(picker: Picker) -> None:
    """test-epp-endpoint-selection with an address alone gets an endpoint of that address."""
    for ip in sorted({member.ip for member in picker.target.endpoints}):
        of_address = {str(member) for member in picker.target.endpoints if member.ip == ip}
        await _require_selected(picker, ip, of_address)


@case(Level.MUST, Profile.CONFORMANCE_HEADERS, sources.GIE_CONFORMANCE)
async def by_list(picker: Picker) -> None:
    """test-epp-endpoint-selection with a comma list gets endpoints of that list only."""
    members = list(map(str, picker.target.endpoints))
    picker.target.first(2)
    for pair in pairwise(members):
        await _require_selected(picker, ", ".join(pair), set(pair))


@case(Level.MUST, Profile.CONFORMANCE_HEADERS, sources.GIE_CONFORMANCE)
async def served_endpoint_is_told(picker: Picker) -> None:
    """The endpoint that the gateway says it used comes back in x-conformance-test-served-endpoint."""
    served = str(picker.target.endpoints[0])
    call = picker.chat(headers=((wire.TEST_SELECTION, served),))
    async with picker.routed(call) as exchange:
        await exchange.send(response_headers(served=served))
        answers = await exchange.collect(came.answered(came.RESPONSE_HEADERS))
        skip_unseen(answers)
        assume(came.RESPONSE_HEADERS in answers.kinds, f"the answer did not pass; came: {answers.outline()}")
        told = dict(answers.headers(came.RESPONSE_HEADERS)).get(wire.TEST_SERVED)
        require(told == served, f"{told} for {served}")


@case(Level.SHOULD, Profile.CONFORMANCE_HEADERS, sources.GIE_CONFORMANCE)
async def of_nobody_is_refused(picker: Picker) -> None:
    """A selection that names no member of the pool is refused, and nobody else is chosen."""
    answers = await picker.ask(picker.chat(headers=((wire.TEST_SELECTION, "192.0.2.1"),)).whole(), ROUTED)
    require(answers.refusal, f"{answers.destination} was chosen")


async def _require_selected(picker: Picker, selection: str, allowed: set[str]) -> None:
    answers = await picker.ask(picker.chat(headers=((wire.TEST_SELECTION, selection),)).whole(), ROUTED)
    strangers = {str(each) for each in endpoints(answers)} - allowed
    require(not strangers, f"{', '.join(sorted(strangers))} for {selection}")
