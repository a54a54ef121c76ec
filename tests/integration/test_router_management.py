"""The management pages over real HTTP."""

import json
from collections.abc import AsyncIterator

import pytest
from access import open_gate
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer
from directors import director
from holdings import full, item
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from chimera_router.errors import ConfigError
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.management import server as management
from chimera_router.management.pages import Management
from chimera_router.telemetry.metrics import ApplicationCollector

pytestmark = pytest.mark.anyio

ASK = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def client() -> AsyncIterator[TestClient]:
    pages = Management(director(), unready=lambda: "", gate=open_gate())
    async with TestClient(TestServer(pages.app())) as opened:
        yield opened


async def test_explain_shows_the_decision(client: TestClient) -> None:
    """A chat body posted to explain gets the decision, with a verdict for each model."""
    async with client.post("/chimera/v1/explain", json=ASK) as response:
        decision = await response.json()

    assert (decision["model"], [each["verdict"] for each in decision["models"]]) == (
        "large",
        ["less-confident", "chosen"],
    )


@pytest.mark.parametrize(("data", "status"), [("no json", 400), (json.dumps({**ASK, "model": "x"}), 404)])
async def test_explain_refuses_as_the_picker_would(client: TestClient, data: str, status: int) -> None:
    """A body that the picker would refuse is refused here in the same shape."""
    async with client.post("/chimera/v1/explain", data=data) as response:
        assert (response.status, set((await response.json())["error"])) == (
            status,
            {"message", "type", "param", "code"},
        )


async def test_status_counts_models_and_workflows(client: TestClient) -> None:
    """The status page has what the live table shows."""
    async with client.get("/chimera/v1/status") as response:
        status = await response.json()

    assert (status["pool"], status["policy"], status["predictor"]) == ("assistants", "slack", "bundle")
    assert (status["held"], status["uptime_seconds"]) == ({}, 0.0)
    assert status["workflows"] == {"open": 0, "stages": 0, "later_stages": 0, "recognised": 0, "kept": 0}
    assert status["price"] is None
    assert status["models"][0] == {
        "model": "small",
        "endpoints": 1,
        "ready": 1,
        "running": 0,
        "waiting": 0,
        "in_flight": 0,
        "in_flight_tokens": 0,
        "held": 0,
        "held_tokens": 0,
        "idle_seconds": 0.0,
        "requests": 0,
        "base_step_ms": 10.0,
        "step_per_sequence_us": 0.0,
        "prefill_us_per_token": 0.0,
    }


async def test_queue_is_told() -> None:
    """Status counts what waits by class, the highest first; explain says how many there are."""
    made = director(flow_control=HoldLimits(objectives={"urgent": 5}))
    for priority, count in ((0, 2), (5, 1)):
        for _ in range(count):
            made.holding.queue.offer(item(priority=priority), full(), 100.0)
    async with TestClient(TestServer(Management(made, unready=lambda: "", gate=open_gate()).app())) as client:
        async with client.get("/chimera/v1/status") as response:
            status = await response.json()
        async with client.post("/chimera/v1/explain", json=ASK) as response:
            decision = await response.json()

    assert (list(status["held"].items()), decision["held"]) == ([("5", 1), ("0", 2)], 3)


async def test_metrics_page_is_prometheus(client: TestClient) -> None:
    """The page parses, and every name carries the project's prefix."""
    async with client.get("/metrics") as response:
        families = list(text_string_to_metric_families(await response.text()))

    assert families
    assert all(family.name.startswith("chimera_") for family in families)


def test_learned_applications_are_numbers_only() -> None:
    """How many there are and how many were forgotten, read when somebody looks."""
    registry = CollectorRegistry()
    registry.register(ApplicationCollector(lambda: (3, 2)))

    found = [registry.get_sample_value(f"chimera_applications_{name}") for name in ("learned", "forgotten_total")]

    assert found == [3, 2]


@pytest.mark.parametrize(("unready", "answer"), [("", (200, "ok")), ("starting", (503, "starting"))])
async def test_probes_follow_the_picker(unready: str, answer: tuple[int, str]) -> None:
    """The readiness page says in a word why no requests can be served; the process lives either way."""
    pages = Management(director(), unready=lambda: unready, gate=open_gate())
    async with TestClient(TestServer(pages.app())) as client:
        async with client.get("/readyz") as response:
            assert (response.status, await response.text()) == answer
        async with client.get("/livez") as response:
            assert (response.status, await response.text()) == (200, "ok")


async def test_taken_port_is_named() -> None:
    """A management port that somebody else has is refused by name."""
    pages = Management(director(), unready=lambda: "", gate=open_gate())
    server = await management.serve(pages, host="127.0.0.1", port=0)
    port = server.port

    with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"):
        await management.serve(pages, host="127.0.0.1", port=port)

    async with ClientSession() as http, http.get(f"http://127.0.0.1:{port}/readyz") as response:
        assert response.status == 200
    await server.stop()
