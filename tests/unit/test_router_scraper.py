import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import ClientSession
from directors import Clock
from metrics_pages import StandIn, stand_in, until, vllm_page
from pools import FAST, model

from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.engine_client import MAX_PAGE, open_session
from chimera_router.datalayer.scraper import AT_ONCE, Scraper
from chimera_router.engines.pacing import DEFAULT_PACE, SLOW, Pace
from chimera_router.engines.profiles import TRTLLM, VLLM, EngineProfile
from chimera_router.engines.types import Outcome
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.types import Endpoint, EndpointState, EngineMetrics

pytestmark = pytest.mark.anyio

LOADED = vllm_page(3, 2, 0.25, made=1)
MOVED = vllm_page(3, 2, 0.25, made=2)
NOBODY = "127.0.0.1:1"


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with open_session() as made:
        yield made


class Pool:
    """A datastore of one model's endpoints and what scrapes them; time passes when told to."""

    def __init__(self, session: ClientSession, *addresses: str, pace: Pace = DEFAULT_PACE) -> None:
        self.clock = Clock()
        self.profile: EngineProfile = VLLM
        self.outcomes: list[Outcome] = []
        self.store = Datastore(Ledger())
        self.list(*addresses)
        self.scraper = Scraper(
            self.store,
            session,
            clock=self.clock,
            profile_of=lambda _: self.profile,
            on_scrape=lambda outcome, _: self.outcomes.append(outcome),
            pace=pace,
        )

    def list(self, *addresses: str) -> None:
        self.store.replace([Endpoint(name=each, address=each, model="a") for each in addresses])

    def state(self, address: str) -> EndpointState:
        states = self.store.snapshot({"a": model("a", FAST)}).endpoints
        return next(state for state in states if state.endpoint.address == address)

    def is_ready(self, address: str) -> bool:
        return self.state(address).ready

    def passes(self, seconds: float) -> None:
        """Let time pass, and whoever waits for it look at the clock."""
        self.clock.now += seconds
        self.store.listed()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.scraper.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_living_are_told_from_the_dead(session: ClientSession) -> None:
    """An engine that answers is ready with its numbers, one that refuses the connection is not."""
    async with stand_in() as engine:
        pool = Pool(session, engine.address, NOBODY)

        await pool.scraper.scrape()

        assert pool.state(engine.address).metrics == EngineMetrics(running=0, waiting=0, kv_usage=0.0, scraped_at=100.0)
        assert (pool.is_ready(engine.address), pool.is_ready(NOBODY)) == (True, False)


async def test_load_is_believed_once_it_moves(session: ClientSession) -> None:
    """The first page that claims load leaves it unknown, the next one tells."""
    async with stand_in(StandIn(page=LOADED)) as engine:
        pool = Pool(session, engine.address)
        await pool.scraper.scrape()
        first = pool.state(engine.address)

        engine.page = MOVED
        pool.clock.now += 0.5
        await pool.scraper.scrape()

        second = pool.state(engine.address)
        assert (first.ready, first.metrics) == (True, None)
        assert second.metrics == EngineMetrics(running=3, waiting=2, kv_usage=0.25, scraped_at=100.5)
        assert pool.outcomes == [Outcome.FROZEN, Outcome.BELIEVED]


async def test_page_of_many_packets_is_read_to_its_end(session: ClientSession) -> None:
    """A page comes in parts, and the numbers may be in the last one."""
    async with stand_in(StandIn(page=b"x 1\n" * 200_000 + vllm_page(0, 0, 0.0))) as engine:
        pool = Pool(session, engine.address)

        await pool.scraper.scrape()

        assert pool.outcomes == [Outcome.BELIEVED]


@pytest.mark.parametrize(
    ("engine", "outcome"),
    [
        pytest.param(StandIn(status=404), Outcome.MISSING, id="no such page"),
        pytest.param(StandIn(page=vllm_page(0, 0, 0), status=500), Outcome.MISSING, id="an exporter in trouble"),
        pytest.param(StandIn(page=b"[]"), Outcome.MISSING, id="another page"),
        pytest.param(StandIn(page=vllm_page(0, 0, 0) + b"x" * MAX_PAGE), Outcome.MISSING, id="an endless page"),
        pytest.param(StandIn(page=vllm_page("NaN", 0, 0)), Outcome.ABSURD, id="nonsense"),
    ],
)
async def test_engine_without_a_good_page_is_there_but_unknown(
    session: ClientSession, engine: StandIn, outcome: Outcome
) -> None:
    """An engine that says nothing good of its load still serves requests."""
    async with stand_in(engine):
        pool = Pool(session, engine.address)

        await pool.scraper.scrape()

        state = pool.state(engine.address)
        assert (state.ready, state.metrics, pool.outcomes) == (True, None, [outcome])


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_proxy_that_finds_nobody_is_believed(session: ClientSession, status: int) -> None:
    """A status that says that nobody is there takes the engine out of rotation."""
    async with stand_in() as engine:
        pool = Pool(session, engine.address)
        await pool.scraper.scrape()

        engine.status = status
        pool.clock.now += 1.0
        await pool.scraper.scrape()

        assert not pool.is_ready(engine.address)


async def test_garbage_is_nobody(session: ClientSession) -> None:
    """Whoever listens there is no engine."""

    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xffSSH-2.0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        pool = Pool(session, address)

        await pool.scraper.scrape()

    assert pool.outcomes == [Outcome.UNREACHABLE]


async def test_slow_page_kills_no_serving_engine(session: ClientSession) -> None:
    """Where the page hangs, health tells an engine that serves from a frozen process."""
    async with stand_in(StandIn(hangs=True)) as slow, stand_in(StandIn(hangs=True, healthy=False)) as frozen:
        pool = Pool(session, slow.address, frozen.address)
        pool.store.answered(slow.address, None)
        pool.store.answered(frozen.address, None)

        await pool.scraper.scrape()

        assert (pool.is_ready(slow.address), pool.is_ready(frozen.address)) == (True, False)
        assert pool.state(slow.address).metrics is None
        assert sorted(pool.outcomes) == [Outcome.SILENT, Outcome.SLOW]


async def test_picker_to_whom_all_fall_silent_doubts_itself(session: ClientSession) -> None:
    """Two engines that hang at once go on serving, their load unknown, until one of them answers."""
    async with stand_in() as one, stand_in() as other:
        pool = Pool(session, one.address, other.address)
        await pool.scraper.scrape()
        one.hangs = other.hangs = True
        one.healthy = other.healthy = False
        pool.clock.now += SLOW
        await pool.scraper.scrape()
        hung = [pool.state(each.address) for each in (one, other)]

        one.hangs = False
        pool.clock.now += SLOW
        await pool.scraper.scrape()

        assert [(state.ready, state.metrics) for state in hung] == [(True, None)] * 2
        assert (pool.is_ready(one.address), pool.is_ready(other.address)) == (True, False)


async def test_idle_engine_is_asked_at_once_when_a_request_goes_there(session: ClientSession) -> None:
    """Long before its turn, and only once."""
    async with stand_in() as engine:
        pool = Pool(session, engine.address)
        async with pool.running():
            for ordinal in range(1, 6):
                await until(lambda count=ordinal: len(pool.outcomes) == count)  # type: ignore[misc]
                pool.passes(SLOW)
            await until(lambda: len(pool.outcomes) == 6)
            pool.clock.now += SLOW / 2
            for _ in range(100):
                pool.store.sent(engine.address)

            await until(lambda: len(pool.outcomes) == 7)

        assert engine.asked["/metrics"] == 7


async def test_gateways_word_is_checked_at_once(session: ClientSession) -> None:
    """An engine that the gateway could not reach comes back as soon as it answers a question of its own."""
    async with stand_in() as engine:
        pool = Pool(session, engine.address)
        async with pool.running():
            await until(lambda: pool.is_ready(engine.address))
            pool.clock.now += 0.5

            pool.store.missed(engine.address)

            assert not pool.is_ready(engine.address)
            await until(lambda: pool.is_ready(engine.address))


async def test_list_is_followed(session: ClientSession) -> None:
    """A new endpoint is asked at once; one that left is not asked again."""
    async with stand_in() as first, stand_in() as second:
        pool = Pool(session, first.address)
        async with pool.running():
            await until(lambda: pool.is_ready(first.address))

            pool.list(second.address)
            await until(lambda: pool.is_ready(second.address))
            pool.passes(SLOW)
            await until(lambda: second.asked["/metrics"] == 2)

        assert first.asked["/metrics"] == 1


async def test_answer_of_one_that_left_is_not_recorded_for_its_successor(session: ClientSession) -> None:
    """An address that changes hands under a question is asked anew, and only the second answer counts."""
    async with stand_in(StandIn(page=vllm_page(0, 0, 0), hangs=True)) as engine:
        pool = Pool(session, engine.address)
        first = asyncio.create_task(pool.scraper.scrape())
        await until(lambda: engine.asked["/metrics"] == 1)
        pool.store.replace([Endpoint(name="other", address=engine.address, model="a")])
        second = asyncio.create_task(pool.scraper.scrape())
        await until(lambda: engine.asked["/metrics"] == 2)

        engine.released.set()
        await asyncio.gather(first, second)

        assert pool.outcomes == [Outcome.BELIEVED]


async def test_engine_is_asked_where_its_profile_says(session: ClientSession) -> None:
    """A profile that changes with the configuration makes the endpoint another one for who asks it."""
    async with stand_in() as engine:
        pool = Pool(session, engine.address)
        await pool.scraper.scrape()

        pool.profile = TRTLLM
        pool.list(engine.address)
        await pool.scraper.scrape()

        assert engine.asked == {"/metrics": 1, "/prometheus/metrics": 1}
        assert pool.outcomes == [Outcome.BELIEVED, Outcome.MISSING]


async def test_silent_engines_never_keep_the_picker_from_the_living(session: ClientSession) -> None:
    """However many hang, one that answered last time is asked when its turn comes."""
    async with AsyncExitStack() as stack:
        good = await stack.enter_async_context(stand_in())
        pool = Pool(session, good.address)
        await pool.scraper.scrape()
        hanging = [await stack.enter_async_context(_silent_server()) for _ in range(AT_ONCE + 10)]

        pool.list(*hanging, good.address)
        async with pool.running():
            for ordinal in range(2, 6):
                pool.passes(SLOW)
                await until(lambda count=ordinal: good.asked["/metrics"] == count)  # type: ignore[misc]

        assert pool.outcomes == [Outcome.BELIEVED] * 5


@asynccontextmanager
async def _silent_server() -> AsyncIterator[str]:
    """Accept connections and say nothing."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # to the end of the connection
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_stopping_waits_for_nobody(session: ClientSession) -> None:
    """A question under way ends with the scraper."""
    async with stand_in(StandIn(hangs=True)) as engine:
        pool = Pool(session, engine.address)
        before = len(asyncio.all_tasks())
        async with pool.running():
            await until(lambda: engine.asked["/metrics"] == 1)

        await until(_only(before))


def _only(count: int) -> Callable[[], bool]:
    return lambda: len(asyncio.all_tasks()) <= count
