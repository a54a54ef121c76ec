"""Where a request goes, and how the gateway is told."""

from typing import Any

from envoy.config.core.v3.base_pb2 import HeaderValueOption

from chimera_conformance import answers as came
from chimera_conformance import sources, wire
from chimera_conformance.answers import Answers
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.picker import ROUTE_ENDED, Picker
from chimera_conformance.target import Endpoint, parse_endpoints
from chimera_conformance.verdicts import Unproved, assume, require, skip

FOREIGN = "192.0.2.1:9"  # an address of RFC 5737: nobody's

_NO_BRACKETS = str.maketrans("", "", "[]")
_ROUTE = (came.REQUEST_HEADERS, came.REQUEST_BODY)
_OVERWRITE = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD


@case(Level.MUST, Profile.CORE, sources.GIE_DESTINATION)
async def request_is_routed(picker: Picker) -> None:
    """A well-formed request to a pool with ready endpoints gets a destination header, not a refusal."""
    answers = await picker.ask(picker.chat().whole(), ROUTE_ENDED)
    require(answers.destination is not None, f"no destination header; came: {answers.outline()}")


@case(Level.MUST, Profile.CORE, sources.GIE_DESTINATION)
async def is_of_the_pool(picker: Picker) -> None:
    """Every endpoint named is a member of the pool, written ip:port, several parted by commas."""
    answers = await picker.route(picker.chat())
    assume(answers.destination, "no destination header")
    members = set(map(str, picker.target.endpoints))
    strangers = {each.strip() for each in (answers.destination or "").split(",")} - members
    require(not strangers, f"{', '.join(sorted(strangers))} is not of the pool")


@case(Level.SHOULD, Profile.CORE, sources.AGENTGATEWAY_LIST)
async def is_one_endpoint(picker: Picker) -> None:
    """One endpoint is named unless the picker was set up to name several: some gateways take no list."""
    if Profile.FALLBACK in picker.target.profiles:
        skip("the picker was set up to name several")
    chosen = endpoints(await picker.route(picker.chat()))
    require(len(chosen) == 1, f"{len(chosen)} endpoints")


@case(Level.MUST, Profile.CORE, sources.GIE_DESTINATION)
async def metadata_is_set(picker: Picker) -> None:
    """The destination also stands in the dynamic metadata, under envoy.lb."""
    answers = await picker.route(picker.chat(), ROUTE_ENDED)
    require(answers.destination_metadata, "no destination in the dynamic metadata")


@case(Level.MUST, Profile.CORE, sources.GIE_DESTINATION)
async def metadata_equals_header(picker: Picker) -> None:
    """Header and metadata carry the same string: it is not defined which of two would count."""
    answers = await picker.route(picker.chat(), ROUTE_ENDED)
    header, metadata = answers.destination, answers.destination_metadata
    assume(header and metadata, "the destination does not stand in both places")
    require(header == metadata, f"header {header}, metadata {metadata}")


@case(Level.MUST, Profile.CORE, sources.ENVOY_RAW_VALUE)
async def headers_are_raw(picker: Picker) -> None:
    """Headers are set by raw_value: Envoy reads nothing else, a header with only value arrives empty."""
    answers = await picker.route(picker.chat(), ROUTE_ENDED)
    others = {edit.header.key for edit in answers.edits(*_ROUTE) if edit.header.value and not edit.header.raw_value}
    require(not others, f"only value is set in {', '.join(sorted(others))}")


@case(Level.MUST, Profile.CORE, sources.ENVOY_ONE_VALUE)
async def headers_have_one_value(picker: Picker) -> None:
    """No header is set by both value and raw_value."""
    answers = await picker.route(picker.chat(), ROUTE_ENDED)
    double = {edit.header.key for edit in answers.edits(*_ROUTE) if edit.header.value and edit.header.raw_value}
    require(not double, f"both are set in {', '.join(sorted(double))}")


@case(Level.MUST, Profile.CORE, sources.ENVOY_APPEND)
async def header_is_not_appended(picker: Picker) -> None:
    """The destination is set whether or not the client brought such a header, and never appended to it."""
    for edit in await _destination_edits(picker):
        added = edit.HasField("append") and edit.append.value
        require(not added, "append is set: a client's own header would come first")
        defensible = {HeaderValueOption.APPEND_IF_EXISTS_OR_ADD, _OVERWRITE}
        require(edit.append_action in defensible, f"append_action is {_action(edit)}")


@case(Level.SHOULD, Profile.CORE, sources.ENVOY_APPEND)
async def header_overwrites(picker: Picker) -> None:
    """The destination says OVERWRITE_IF_EXISTS_OR_ADD itself: what the field's default means differs by gateway."""
    for edit in await _destination_edits(picker):
        require(edit.append_action == _OVERWRITE or edit.HasField("append"), f"append_action is {_action(edit)}")


@case(Level.MUST, Profile.CORE, sources.FORGED_DESTINATION)
async def forged_header_is_replaced(picker: Picker) -> None:
    """A destination header that the client brings changes nothing: the picker sets its own, once."""
    forged = ((wire.DESTINATION, FOREIGN), (wire.DESTINATION, FOREIGN))
    answers = await picker.route(picker.chat(headers=forged), ROUTE_ENDED)
    values = [value for name, value in answers.headers(*_ROUTE) if name == wire.DESTINATION]
    assume(values, "no destination header")
    require(len(values) == 1, f"the destination header was set {len(values)} times")
    require(FOREIGN not in values[0], "the client's own destination was taken")


@case(Level.MUST, Profile.CORE, sources.GIE_DESTINATION)
async def ipv6_stands_in_brackets(picker: Picker) -> None:
    """An endpoint of IPv6 is written [ip]:port."""
    members = [each for each in picker.target.endpoints if each.is_ipv6]
    if not members:
        skip("no endpoint of the pool has an IPv6 address")
    answers = await picker.route(picker.chat(subset=[str(members[0])]))
    written = answers.destination or ""
    bare = str(members[0]).translate(_NO_BRACKETS)
    assume(written.translate(_NO_BRACKETS) == bare, f"{answers.destination} was chosen")
    require(written == str(members[0]), f"{written} for {members[0]}")


@case(Level.MAY, Profile.CORE, sources.LLM_D_TESTS)
async def route_cache_is_cleared(picker: Picker) -> None:
    """The answer clears the route cache, so that routes may match on headers which the picker set."""
    answers = await picker.route(picker.chat())
    require(any(part.response.clear_route_cache for part in answers.of(came.REQUEST_HEADERS)), "it does not")


def endpoints(answers: Answers) -> tuple[Endpoint, ...]:
    """Return the endpoints in the destination header."""
    assume(answers.destination, f"no destination header; came: {answers.outline()}")
    try:
        return parse_endpoints([answers.destination or ""])
    except ValueError:
        raise Unproved(f"{answers.destination!r} is not ip:port") from None


async def _destination_edits(picker: Picker) -> list[Any]:
    answers = await picker.route(picker.chat(), ROUTE_ENDED)
    edits = [edit for edit in answers.edits(*_ROUTE) if edit.header.key.lower() == wire.DESTINATION]
    assume(edits, "no destination header")
    return edits


def _action(edit: Any) -> str:
    return str(HeaderValueOption.HeaderAppendAction.Name(edit.append_action))
