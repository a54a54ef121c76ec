"""What is asked of models is told by their pickers, or by nobody."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from envoys import free_port
from pool_documents import pool_document

from chimera_operator.api.parse import parse_pool
from chimera_operator.cluster.demand import PAGE, Demands
from chimera_operator.planning.observed import Demand

pytestmark = pytest.mark.anyio

Handler = Callable[[web.Request], web.Response]


def told(**models: tuple[float, int, float]) -> Handler:
    """Return a picker's page: of each model the tokens in flight, the requests that wait, and for how long it idled."""
    page = [
        {"model": name, "in_flight_tokens": tokens, "held": held, "held_tokens": held * 100, "idle_seconds": idle}
        for name, (tokens, held, idle) in models.items()
    ]
    return lambda _request: web.json_response({"pool": "pool", "uptime_seconds": 9.0, "models": page})


def pod(ip: str, *, component: str = "picker", ready: str = "True", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": ip, "labels": {"app.kubernetes.io/component": component}, **metadata},
        "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": ready}]},
    }


class Asked:
    """Pickers at addresses of this machine, and what they were asked with."""

    def __init__(self, demands: Demands, tokens: list[str | None]) -> None:
        self.tokens = tokens
        self._demands = demands

    async def ask(self, *pods: dict[str, Any], auth: str = "Kubernetes") -> Any:
        pool = parse_pool(pool_document(picker={"management": {"auth": auth}}))
        return await self._demands.ask(pool, pods)


@asynccontextmanager
async def pickers(**pages: Handler) -> AsyncIterator[Asked]:
    """Serve pages at addresses; an underline stands for 127.0.0."""
    port, tokens = free_port(), list[str | None]()

    async def token() -> str:
        return "canary"

    async with AsyncExitStack() as stack:
        for last, handler in pages.items():
            await stack.enter_async_context(_served(f"127.0.0.{last[1:]}", port, handler, tokens))
        session = await stack.enter_async_context(ClientSession())
        yield Asked(Demands(session, token, port=port), tokens)


@asynccontextmanager
async def _served(host: str, port: int, handler: Handler, tokens: list[str | None]) -> AsyncIterator[None]:
    async def page(request: web.Request) -> web.Response:
        tokens.append(request.headers.get("Authorization"))
        return handler(request)

    app = web.Application()
    app.router.add_get(PAGE, page)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()


async def test_what_pickers_tell_is_summed() -> None:
    """Each knows its own requests: tokens and waiting requests add up, and the last request counts."""
    async with pickers(_1=told(small=(500.0, 2, 30.0)), _2=told(small=(250.0, 1, 4.0), large=(10.0, 0, 60.0))) as found:
        answer = await found.ask(pod("127.0.0.1"), pod("127.0.0.2"))

    assert answer == {
        "small": Demand(backlog_tokens=1050, waiting=3, idle_seconds=4.0),
        "large": Demand(backlog_tokens=10, waiting=0, idle_seconds=60.0),
    }


async def test_only_pickers_that_decide_are_asked() -> None:
    """Not engines, not pickers that are not ready or about to end."""
    async with pickers(_1=told(small=(1.0, 0, 1.0))) as found:
        answer = await found.ask(
            pod("127.0.0.1"),
            pod("127.0.0.3", component="engine"),
            pod("127.0.0.4", ready="False"),
            pod("127.0.0.5", deletionTimestamp="2026-01-01T00:00:00Z"),
        )

    assert set(answer) == {"small"}
    assert found.tokens == ["Bearer canary"]


@pytest.mark.parametrize(
    "bad",
    [
        lambda _request: web.Response(status=401),
        lambda _request: web.Response(text="canary"),
        lambda _request: web.json_response({"models": [{"model": "small"}]}),
        lambda request: web.HTTPFound(str(request.url)),
    ],
    ids=["refused", "garbage", "incomplete", "redirected"],
)
async def test_a_part_of_the_load_is_no_load(bad: Handler, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one picker does not tell, nothing is known; the log does not repeat what it said."""
    async with pickers(_1=told(small=(1.0, 0, 1.0)), _2=bad) as found:
        assert await found.ask(pod("127.0.0.1"), pod("127.0.0.2")) is None

    logged = "".join(capsys.readouterr())
    assert "does not tell" in logged
    assert "canary" not in logged


async def test_nobody_to_ask_knows_nothing() -> None:
    """Without a picker, or with one that is not there any more, nothing is known."""
    async with pickers() as found:
        assert await found.ask() is None
        assert await found.ask(pod("127.0.0.1")) is None


async def test_the_token_goes_only_where_it_is_wanted() -> None:
    """Pickers that ask for none get none."""
    async with pickers(_1=told(small=(1.0, 0, 1.0))) as found:
        await found.ask(pod("127.0.0.1"), auth="None")

    assert found.tokens == [None]


async def test_a_page_without_end_is_not_read() -> None:
    """What is longer than any page can be tells nothing."""
    page = json.dumps({"models": [], "more": "x" * 2_000_000})
    async with pickers(_1=lambda _request: web.Response(text=page)) as found:
        assert await found.ask(pod("127.0.0.1")) is None
