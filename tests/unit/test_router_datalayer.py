from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from pools import FAST, decision, endpoint, model

from chimera_router.datalayer import discovery, engines
from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.scraper import Scraper
from chimera_router.errors import ConfigError
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.types import Endpoint, EngineMetrics

PAGE = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 9.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
"""
HOME = endpoint("a-0", "a")


def test_page_is_read_by_exact_names() -> None:
    """Metrics whose names only begin alike are not mixed up."""
    expected = EngineMetrics(running=3, waiting=2, kv_usage=0.25, scraped_at=7.0)

    assert engines.parse(PAGE, engines.VLLM, now=7.0) == expected


def test_ranks_that_share_a_page_are_added_up() -> None:
    """Data-parallel ranks count together; the fullest cache speaks for all."""
    both = PAGE + PAGE.replace('engine="0"', 'engine="1"').replace("0.25", "0.75")

    assert engines.parse(both, engines.VLLM, now=0.0) == EngineMetrics(running=6, waiting=4, kv_usage=0.75)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param("", id="empty"),
        pytest.param(PAGE.replace("vllm:kv_cache_usage_perc", "vllm:gpu_cache"), id="a number missing"),
        pytest.param(PAGE.replace("3.0", "NaN"), id="not a number"),
        pytest.param(PAGE.replace("3.0", "-1"), id="negative"),
        pytest.param(PAGE.replace("3.0", "1e300"), id="huge"),
        pytest.param(PAGE.replace("3.0", "+Inf"), id="infinite"),
        pytest.param(PAGE.replace("0.25", "7"), id="a share above one"),
        pytest.param(PAGE.replace("3.0", "three"), id="a word"),
    ],
)
def test_absurd_page_is_unknown(page: str) -> None:
    """An engine that says nothing or nonsense is treated as unknown."""
    assert engines.parse(page, engines.VLLM, now=0.0) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"endpoints": [{"name": "a-0", "address": "10.0.0.1:8000", "model": "a"}]}', id="json"),
        pytest.param("endpoints:\n- {name: a-0, address: '10.0.0.1:8000', model: a}\n", id="yaml"),
    ],
)
def test_endpoints_are_read_from_json_and_yaml(text: str) -> None:
    """Both notations give the same endpoints."""
    assert discovery.parse(text, models={"a"}) == (HOME,)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("endpoints: 3", "not a list"),
        ("{", "not a list"),
        ("endpoints: [{name: a, address: '1.2.3.4:80', model: a, port: 3}]", "not a list"),
        ("endpoints: [{name: a, address: '1.2.3.4:80', model: b}]", r"endpoints\[0\].model"),
        ("endpoints: [{name: a, address: 'host:80', model: a}]", r"endpoints\[0\].address"),
        ("endpoints: [{name: a, address: '1.2.3.4:0', model: a}]", r"endpoints\[0\].address"),
        ("endpoints: [{name: a, address: '::1:80', model: a}]", r"endpoints\[0\].address"),
        (
            "endpoints: [{name: a, address: '1.2.3.4:80', model: a}, {name: a, address: '1.2.3.4:81', model: a}]",
            "every name must be unique",
        ),
        (
            "endpoints: [{name: a, address: '1.2.3.4:80', model: a}, {name: b, address: '1.2.3.4:80', model: a}]",
            "every address must be unique",
        ),
    ],
)
def test_broken_endpoints_are_named(text: str, rule: str) -> None:
    """A list that breaks a rule is refused with the place and the rule."""
    with pytest.raises(ConfigError, match=rule):
        discovery.parse(text, models={"a"})


def test_ipv6_needs_brackets() -> None:
    """An IPv6 address is written in brackets."""
    (found,) = discovery.parse("endpoints: [{name: a, address: '[::1]:80', model: a}]", models={"a"})

    assert found.address == "[::1]:80"


def test_missing_endpoints_file_is_named(tmp_path: Path) -> None:
    """The refusal names the file."""
    with pytest.raises(ConfigError, match=r"nothing\.json"):
        discovery.read(tmp_path / "nothing.json", models={"a"})


def test_endpoint_is_ready_once_it_has_answered() -> None:
    """A new endpoint gets nothing until it has answered, and nothing again once it fails."""
    store = Datastore(Ledger())
    store.replace([HOME])

    def ready() -> bool:
        return store.snapshot({"a": model("a", FAST)}).endpoints[0].ready

    before = ready()
    store.answered(HOME.address, None)
    between = ready()
    store.failed(HOME.address)

    assert (before, between, ready()) == (False, True, False)


def test_own_requests_are_counted_when_the_engine_is_asked() -> None:
    """Metrics keep how many of the requests they show were this picker's own at that moment."""
    ledger = Ledger()
    store = Datastore(ledger)
    store.replace([HOME])
    tickets = [ledger.open(decision(HOME), prompt_tokens=10) for _ in range(3)]

    store.answered(HOME.address, EngineMetrics(running=5, waiting=0, kv_usage=0.1))
    ledger.close(tickets[0])

    (found,) = store.snapshot({"a": model("a", FAST)}).endpoints
    assert found.metrics is not None
    assert (found.metrics.own, found.load.requests) == (3, 2)


def test_snapshot_makes_only_what_has_changed() -> None:
    """An endpoint that nothing has happened to is the same value in the next snapshot."""
    ledger = Ledger()
    store = Datastore(ledger)
    store.replace([HOME, endpoint("a-1", "a", 8001)])
    models = {"a": model("a", FAST)}
    before = store.snapshot(models).endpoints

    ledger.open(decision(HOME), prompt_tokens=10)

    after = store.snapshot(models).endpoints
    assert [new is old for new, old in zip(after, before, strict=True)] == [False, True]


def test_new_list_keeps_what_is_known_of_those_that_stay() -> None:
    """A reload forgets neither readiness nor metrics of endpoints that are still listed."""
    store = Datastore(Ledger())
    other = endpoint("a-1", "a", 8001)
    store.replace([HOME])
    store.answered(HOME.address, EngineMetrics(running=1, waiting=0, kv_usage=0.0))

    store.replace([HOME, other])

    first, second = store.snapshot({"a": model("a", FAST)}).endpoints
    assert (first.ready, first.metrics is not None, second.ready) == (True, True, False)


def test_address_that_changes_model_starts_anew() -> None:
    """A port reused by another model is another endpoint."""
    store = Datastore(Ledger())
    store.replace([HOME])
    store.answered(HOME.address, None)

    store.replace([endpoint("b-0", "b")])

    assert not store.snapshot({"b": model("b", FAST)}).endpoints[0].ready


def test_models_that_left_the_pool_have_no_endpoints() -> None:
    """A snapshot lists only endpoints of models it knows."""
    store = Datastore(Ledger())
    store.replace([HOME])

    assert store.snapshot({"b": model("b", FAST)}).endpoints == ()


def test_strangers_are_ignored() -> None:
    """News of an address that is not listed changes nothing."""
    store = Datastore(Ledger())

    store.answered("10.0.0.9:1", None)

    assert (store.failed("10.0.0.9:1"), store.endpoints) == (False, ())


@pytest.mark.anyio
async def test_scraper_tells_the_living_from_the_dead() -> None:
    """An engine that answers is ready with its numbers, one that refuses the connection is not."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=PAGE)

    app = web.Application()
    app.router.add_get("/metrics", page)
    async with TestServer(app) as server, ClientSession() as session:
        store = Datastore(Ledger())
        alive = Endpoint(name="alive", address=f"127.0.0.1:{server.port}", model="a")
        dead = Endpoint(name="dead", address="127.0.0.1:1", model="a")
        store.replace([alive, dead])

        await Scraper(store, session, clock=lambda: 7.0).scrape()

        first, second = store.snapshot({"a": model("a", FAST)}).endpoints
    assert (first.ready, first.metrics) == (
        True,
        EngineMetrics(running=3, waiting=2, kv_usage=0.25, scraped_at=7.0),
    )
    assert not second.ready


@pytest.mark.anyio
async def test_engine_without_metrics_is_there_but_unknown() -> None:
    """An engine that serves no such page still serves requests."""
    async with TestServer(web.Application()) as server, ClientSession() as session:
        store = Datastore(Ledger())
        store.replace([Endpoint(name="a-0", address=f"127.0.0.1:{server.port}", model="a")])

        await Scraper(store, session, clock=lambda: 7.0).scrape()

        (found,) = store.snapshot({"a": model("a", FAST)}).endpoints
    assert (found.ready, found.metrics) == (True, None)
