"""One leads, and another one only when that is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from fake_leases import LeaseServer
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_apis import VirtualTime, settled

from chimera_operator.cluster import election
from chimera_operator.cluster.election import DEADLINE, DURATION, RENEWAL
from chimera_operator.cluster.errors import LeaseLost
from chimera_operator.cluster.lease import Candidate, Lease

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Stand:
    """A candidate, and what became of it."""

    lease: Lease
    led: bool = False
    lost: bool = False
    tasks: list[asyncio.Future[None]] = field(default_factory=list)

    async def run(self) -> None:
        await self.lease.acquire()
        self.led = True
        try:
            await self.lease.keep()
        except LeaseLost:
            self.lost = True


@dataclass
class Election:
    """Several candidates for one lease, in one virtual time; their wall clocks may differ."""

    time: VirtualTime = field(default_factory=VirtualTime)
    stands: list[Stand] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = LeaseServer(self.time)

    def stand(self, identity: str, *, skew: float = 0.0) -> Stand:
        lease = Lease(
            api=self.server,
            candidate=Candidate(identity=identity, namespace="ns", name="operator"),
            clock=self.time.clock,
            now=lambda: START + timedelta(seconds=self.time.now + skew),
            sleep=self.time.sleep,
            chance=lambda: 1.0,
        )
        made = Stand(lease)
        made.tasks.append(asyncio.ensure_future(made.run()))
        self.stands.append(made)
        return made

    def holders(self) -> int:
        return sum(stand.lease.held for stand in self.stands)


@asynccontextmanager
async def election_of() -> AsyncIterator[Election]:
    made = Election()
    try:
        yield made
    finally:
        for stand in made.stands:
            for task in stand.tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def freeze(stand: Stand) -> None:
    """Stop a candidate's process, as SIGSTOP or a crash does: it makes no call any more."""
    for task in stand.tasks:
        task.cancel()


async def test_the_first_leads_and_the_second_waits() -> None:
    """A lease that nobody has is taken at once; whoever comes later asks every few seconds and writes nothing."""
    async with election_of() as found:
        first = found.stand("a")
        await settled()
        second = found.stand("b", skew=600.0)
        await found.time.passes(60.0)

        assert (first.led, second.led) == (True, False)
        assert found.server.holder == "a"
        assert found.server.lease is not None
        spec = found.server.lease["spec"]
        assert spec["leaseDurationSeconds"] == DURATION
        assert spec["leaseTransitions"] == 0
        assert spec["acquireTime"] < spec["renewTime"]
        assert found.server.writes == pytest.approx(60.0 / RENEWAL, abs=2)


async def test_what_others_have_set_stays() -> None:
    """Helm finds the lease of its release by labels and annotations; whoever takes, renews or returns it keeps them."""
    async with election_of() as found:
        marks = {"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "c"}}
        found.server.lease = {"metadata": {**marks, "resourceVersion": "7"}, "spec": {}}
        stand = found.stand("a")
        await settled()
        await found.time.passes(3 * RENEWAL)
        freeze(stand)
        await stand.lease.release()

        assert found.server.writes > 2
        assert found.server.holder == ""
        assert found.server.lease["metadata"].items() >= marks.items()


async def test_a_leader_that_dies_is_followed() -> None:
    """The next one leads within the lease's duration and a question's interval."""
    async with election_of() as found:
        first = found.stand("a")
        await settled()
        second = found.stand("b", skew=-600.0)
        await found.time.passes(7.0)
        freeze(first)
        await found.time.passes(DURATION - RENEWAL - 1.0)
        assert not second.led
        await found.time.passes(2 * RENEWAL + 1.0)
        assert second.led
        assert found.server.lease is not None
        assert found.server.lease["spec"]["leaseTransitions"] == 1
        assert not first.lease.held


async def test_a_leader_that_stops_gives_the_lease_back() -> None:
    """After an orderly stop the next one leads as soon as it asks."""
    async with election_of() as found:
        first = found.stand("a")
        await settled()
        second = found.stand("b")
        await found.time.passes(5.0)
        freeze(first)
        await first.lease.release()
        assert found.server.holder == ""
        await found.time.passes(RENEWAL)
        assert second.led


async def test_the_same_identity_leads_on_at_once() -> None:
    """A container that restarts in its pod need not wait for its own lease to run out."""
    async with election_of() as found:
        first = found.stand("a")
        await found.time.passes(5.0)
        freeze(first)
        again = found.stand("a")
        await settled()
        assert again.led


async def test_a_leader_without_a_server_stops_before_another_can_begin() -> None:
    """It may write up to the deadline after its last renewal, which is sooner than the lease runs out."""
    async with election_of() as found:
        first = found.stand("a")
        await found.time.passes(RENEWAL)
        found.server.away = True
        await found.time.passes(DEADLINE - 0.5)
        assert first.lease.held
        await found.time.passes(1.0)
        assert not first.lease.held
        await found.time.passes(2.0)
        assert first.lost


async def test_a_short_absence_of_the_server_is_survived() -> None:
    """Renewals that fail are tried again every second."""
    async with election_of() as found:
        first = found.stand("a")
        await found.time.passes(RENEWAL)
        found.server.away = True
        await found.time.passes(8.0)
        found.server.away = False
        await found.time.passes(30.0)
        assert first.lease.held
        assert not first.lost


async def test_an_answer_that_got_lost_is_no_loss() -> None:
    """What was written without an answer is looked up, and is one's own."""
    async with election_of() as found:
        first = found.stand("a")
        await found.time.passes(RENEWAL)
        found.server.lost = True
        await found.time.passes(RENEWAL)
        found.server.lost = False
        await found.time.passes(30.0)
        assert first.lease.held


async def test_a_stolen_lease_is_lost() -> None:
    """A leader that finds somebody else's name there stops at once."""
    async with election_of() as found:
        first = found.stand("a")
        await found.time.passes(5.0)
        assert found.server.lease is not None
        spec = found.server.lease["spec"]
        found.server.lease = {"metadata": {"resourceVersion": "99"}, "spec": {**spec, "holderIdentity": "thief"}}
        await found.time.passes(RENEWAL + 2.0)
        assert first.lost
        assert found.server.holder == "thief"


async def test_a_lease_that_is_not_held_is_not_given_back() -> None:
    """Who does not lead leaves the lease alone when it stops."""
    async with election_of() as found:
        found.stand("a")
        await settled()
        second = found.stand("b")
        await found.time.passes(5.0)
        await second.lease.release()
        assert found.server.holder == "a"


EVENTS = st.lists(
    st.tuples(st.floats(0.5, 25.0), st.sampled_from(("away", "back", "slow", "quick", "lost", "found"))), max_size=12
)


@given(EVENTS, st.floats(-600.0, 600.0), st.floats(-600.0, 600.0))
@settings(max_examples=60, deadline=None)
def test_never_two_lead(events: list[tuple[float, str]], skew: float, other: float) -> None:
    """Whatever becomes of the server, and however wrong the clocks of the wall are, at most one is sure to lead."""

    async def play() -> None:
        async with election_of() as found:
            for identity, own in (("a", skew), ("b", other), ("c", 0.0)):
                found.stand(identity, skew=own)
            for seconds, what in events:
                _befall(found.server, what)
                for _ in range(int(seconds * 4)):
                    await found.time.passes(0.25)
                    assert found.holders() <= 1
            _befall(found.server, "back")
            _befall(found.server, "quick")
            _befall(found.server, "found")
            if any(not stand.lost for stand in found.stands):
                await found.time.passes(2 * DURATION + DEADLINE)
                assert found.holders() == 1

    asyncio.run(play())


def _befall(server: LeaseServer, what: str) -> None:
    server.away = {"away": True, "back": False}.get(what, server.away)
    server.delay = {"slow": 3.0, "quick": 0.0}.get(what, server.delay)
    server.lost = {"lost": True, "found": False}.get(what, server.lost)


def test_a_record_without_fields_is_free() -> None:
    """A lease that somebody emptied, or made by hand, is nobody's."""
    found = election.sighted({"metadata": {"resourceVersion": "1"}}, None, 5.0)

    assert found.free("a", 5.0)
    assert found.duration == DURATION
