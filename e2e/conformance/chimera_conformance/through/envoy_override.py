"""A gateway that follows the destination metadata among endpoints it knows, as Istio sets Envoy up."""

from chimera_conformance import sources, wire
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.gateway.bootstrap import Listener
from chimera_conformance.gateway.client import OK, Gateway
from chimera_conformance.verdicts import require

ROUNDS = 6  # requests; a gateway that spread them by itself would meet every choice by chance once in 64 for a pair


@case(Level.MUST, Profile.CORE, sources.GIE_DESTINATION)
async def metadata_is_followed(gateway: Gateway) -> None:
    """Every request reaches the first endpoint that the picker names: the gateway understands its metadata."""
    gateway.target.first(2)
    for _ in range(ROUNDS):
        visit = await gateway.visit(Listener.OVERRIDE, gateway.chat())
        require(visit.status == OK, f"the client got {visit.status}")
        named = ",".join(visit.arrival.values(wire.DESTINATION)).split(",")[0]
        require(named == str(visit.arrival.endpoint), f"{visit.arrival.endpoint} in place of {named}")


@case(Level.MUST, Profile.CONFORMANCE_HEADERS, sources.GIE_SERVED)
async def served_endpoint_is_told(gateway: Gateway) -> None:
    """The endpoint that the gateway reports to have served comes back in x-conformance-test-served-endpoint."""
    visit = await gateway.visit(Listener.OVERRIDE, gateway.chat())
    told = dict(visit.headers).get(wire.TEST_SERVED)
    require(told == str(visit.arrival.endpoint), f"{told} for {visit.arrival.endpoint}")


@case(Level.MUST, Profile.FALLBACK, sources.GIE_DESTINATION, alone=True)
async def first_endpoint_may_be_dead(gateway: Gateway) -> None:
    """With one engine dead, every request is served by the first of the endpoints named whose engine is not."""
    dead = gateway.target.first(2)[0]
    await gateway.engines.stop(dead)
    try:
        visits = [await gateway.visit(Listener.OVERRIDE, gateway.chat()) for _ in range(ROUNDS)]
    finally:
        await gateway.engines.start(dead)
    for visit in visits:
        require(visit.status == OK, f"a client got {visit.status}")
        named = [each.strip() for each in ",".join(visit.arrival.values(wire.DESTINATION)).split(",")]
        alive = [each for each in named if each != str(dead)]
        require(alive[:1] == [str(visit.arrival.endpoint)], f"{visit.arrival.endpoint} of {', '.join(named)}")
