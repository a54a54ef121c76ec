"""Ask every engine for its load, again and again, each when its turn comes."""

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import aiohttp

from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.engine_client import EngineClient
from chimera_router.engines.belief import Witness
from chimera_router.engines.pacing import DEFAULT_PACE, Pace, Timetable, activity
from chimera_router.engines.profiles import EngineProfile
from chimera_router.engines.types import UNANSWERED, Outcome
from chimera_router.scheduling.types import Endpoint, EngineMetrics

AT_ONCE = 64
"""Questions under way to engines that answered the last one, and as many to those that did not: a dead rack never keeps
the picker from asking the living. More would only hold more pages at once, as one takes about a millisecond."""


@dataclass(slots=True)
class _Subject:
    endpoint: Endpoint
    witness: Witness
    answers: bool = False

    def is_as(self, other: "_Subject") -> bool:
        return self.endpoint == other.endpoint and self.witness.profile == other.witness.profile


class Scraper:
    """Asks all endpoints of a datastore, and tells it what they say.

    Args:
        datastore: Knows the endpoints, and says when one of them is worth asking sooner.
        session: Asks them; see `engine_client.open_session`.
        clock: Seconds on a monotonic clock.
        profile_of: Returns how a model's engine names its metrics.
        on_scrape: Called with what came of each question, and the seconds it took.
        pace: How often engines are asked.
    """

    def __init__(  # noqa: PLR0913 - everything that it touches
        self,
        datastore: Datastore,
        session: aiohttp.ClientSession,
        *,
        clock: Callable[[], float],
        profile_of: Callable[[str], EngineProfile],
        on_scrape: Callable[[Outcome, float], None] = lambda _outcome, _seconds: None,
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        self._datastore = datastore
        self._client = EngineClient(session, clock)
        self._clock = clock
        self._profile_of = profile_of
        self._on_scrape = on_scrape
        self._subjects: dict[str, _Subject] = {}
        self._timetable = Timetable(pace, draw=random.random)
        self._woken = asyncio.Event()
        self._answering, self._silent = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)
        datastore.listed, datastore.outdated = self._list, self._hurry
        self._list()

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as asking:
            while True:
                for subject in self._due():
                    asking.create_task(self._ask(subject))
                await self._next_turn()

    async def scrape(self) -> None:
        """Ask everybody whose turn has come, and return once all have answered or failed to."""
        async with asyncio.TaskGroup() as asking:
            for subject in self._due():
                asking.create_task(self._ask(subject))

    def _due(self) -> Iterator[_Subject]:
        return (self._subjects[address] for address in self._timetable.take(self._clock()))

    async def _next_turn(self) -> None:
        """Wait until somebody's turn comes, or turns have changed."""
        self._woken.clear()
        due = self._timetable.due()
        later = None if due is None else max(0.0, due - self._clock())
        timer = None if later is None else asyncio.get_running_loop().call_later(later, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            if timer is not None:
                timer.cancel()

    async def _ask(self, subject: _Subject) -> None:
        address = subject.endpoint.address
        async with self._answering if subject.answers else self._silent:
            began = self._clock()
            outcome, metrics = await self._client.ask(address, subject.witness)
        if self._subjects.get(address) is not subject:
            return  # it has left the list meanwhile
        self._on_scrape(outcome, self._clock() - began)
        self._record(address, outcome, metrics)
        subject.answers = outcome not in UNANSWERED
        seems = activity(outcome, metrics, own=self._datastore.own(address))
        self._timetable.settle(address, seems, self._clock())
        self._woken.set()

    def _record(self, address: str, outcome: Outcome, metrics: EngineMetrics | None) -> None:
        if outcome in {Outcome.SILENT, Outcome.UNREACHABLE}:
            self._datastore.failed(address, silent=outcome is Outcome.SILENT)
        else:
            self._datastore.answered(address, metrics)

    def _hurry(self, address: str) -> None:
        if self._timetable.hurry(address, self._clock()):
            self._woken.set()

    def _list(self) -> None:
        """Follow the datastore's list; an endpoint whose model or profile has changed is another one."""
        new = {endpoint.address: self._subject(endpoint) for endpoint in self._datastore.endpoints}
        kept = {address: old for address, old in self._subjects.items() if address in new and old.is_as(new[address])}
        self._subjects = new | kept
        self._timetable.keep(kept)
        self._timetable.add(new, self._clock())
        self._woken.set()

    def _subject(self, endpoint: Endpoint) -> _Subject:
        return _Subject(endpoint, Witness(self._profile_of(endpoint.model)))
