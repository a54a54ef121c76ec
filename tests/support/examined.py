"""The conformance kit, run against a picker of the tests."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatch
from pathlib import Path

from tiny_picker import served
from wrong_pickers import Fault, picker_with

from chimera_conformance import runner
from chimera_conformance.case import Profile
from chimera_conformance.cases import STREAM_CASES
from chimera_conformance.gateway import client, engine, envoy
from chimera_conformance.picker import connected
from chimera_conformance.processes import own_endpoints
from chimera_conformance.runner import Outcome
from chimera_conformance.target import Target, parse_endpoints
from chimera_conformance.through import GATEWAY_CASES
from chimera_conformance.verdicts import Verdict

ENDPOINTS = ("127.0.0.1:8000", "127.0.0.1:8001", "[::1]:8000")
CAP = 4 << 20  # bytes; small, so that passing it is quick
AT_ONCE = 16


def profiles(*, several: bool) -> frozenset[Profile]:
    """Return all that a picker of the tests is set up for."""
    return frozenset(Profile) - ({Profile.TLS} if several else {Profile.TLS, Profile.FALLBACK})


async def examined(
    fault: Fault | None, only: Sequence[str] = (), *, alone: bool = False, several: bool = False
) -> list[Outcome]:
    """Hold a picker with a fault against the cases on its stream.

    Args:
        fault: What is wrong with it; None for a correct one.
        only: Patterns of the cases to run; none runs all.
        alone: Whether to run those too that take long, one by one.
        several: Whether it names several endpoints.
    """
    cases = [
        case
        for case in STREAM_CASES
        if case.profile in profiles(several=several)
        and (alone or not case.alone)
        and (not only or any(fnmatch(case.name, each) for each in only))
    ]
    async with target(fault, several=several) as found, connected(found) as picker:
        return await runner.run(cases, picker, _settled, at_once=AT_ONCE)


async def examined_through_envoy(fault: Fault | None, folder: Path, *, several: bool = False) -> list[Outcome]:
    """Hold a picker with a fault against the cases through Envoy; with `several`, a gateway that takes a list."""
    endpoints = own_endpoints()
    wrong = picker_with(fault, list(map(str, endpoints)), cap=CAP, several=several)
    async with served(wrong) as address, engine.serving(endpoints) as engines:
        found = Target(
            address=address,
            endpoints=endpoints,
            model="m",
            plaintext=True,
            patience=1.0,
            profiles=profiles(several=several),
        )
        async with envoy.running(found, folder) as ports:
            cases = [case for case in GATEWAY_CASES if case.profile in found.profiles]
            before = client.Gateway(found, engines, ports)
            return await runner.run(cases, before, _settled, at_once=AT_ONCE)


@asynccontextmanager
async def target(fault: Fault | None, *, several: bool = False) -> AsyncIterator[Target]:
    """Serve a picker with a fault, and one without endpoints."""
    wrong = picker_with(fault, ENDPOINTS, cap=CAP, several=several)
    async with served(wrong) as address, served(picker_with(fault, ())) as empty:
        yield Target(
            address=address,
            empty=empty,
            endpoints=parse_endpoints(ENDPOINTS),
            model="m",
            plaintext=True,
            patience=1.0,
            body_cap=CAP,
            tiny_pieces=2000,
            profiles=profiles(several=several),
        )


def failed(outcomes: Sequence[Outcome]) -> set[str]:
    """Return the names of the cases that the picker failed."""
    return {outcome.case for outcome in outcomes if outcome.verdict is Verdict.FAILED}


async def _settled() -> None:
    """Return at once: a picker of the tests never takes an endpoint out."""
