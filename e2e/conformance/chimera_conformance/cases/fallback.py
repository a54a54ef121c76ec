"""Pickers set up to name several endpoints, in the order in which the gateway shall try them."""

from chimera_conformance import sources
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.cases.destination import endpoints
from chimera_conformance.picker import ROUTE_ENDED, Picker
from chimera_conformance.verdicts import require


@case(Level.MUST, Profile.FALLBACK, sources.GIE_DESTINATION)
async def several_are_named(picker: Picker) -> None:
    """Several different members of the pool are named, parted by commas, the same in header and metadata."""
    picker.target.first(2)
    answers = await picker.route(picker.chat(), ROUTE_ENDED)
    chosen = endpoints(answers)
    require(len(chosen) > 1, f"only {answers.destination}")
    require(len(set(chosen)) == len(chosen), f"an endpoint stands twice in {answers.destination}")
    require(set(chosen) <= set(picker.target.endpoints), f"{answers.destination} is not all of the pool")
    require(answers.destination_metadata == answers.destination, f"metadata {answers.destination_metadata}")


@case(Level.MUST, Profile.FALLBACK, sources.GIE_SUBSET)
async def all_are_of_the_subset(picker: Picker) -> None:
    """Every endpoint named is one that the gateway's hint allows."""
    allowed = picker.target.first(2)
    answers = await picker.route(picker.chat(subset=list(map(str, allowed))))
    require(set(endpoints(answers)) <= set(allowed), f"{answers.destination}")


@case(Level.MUST, Profile.FALLBACK, sources.GIE_DESTINATION)
async def one_is_enough(picker: Picker) -> None:
    """Where only one endpoint may be chosen it is named alone."""
    only = picker.target.endpoints[0]
    answers = await picker.route(picker.chat(subset=[str(only)]))
    require(endpoints(answers) == (only,), f"{answers.destination}")
