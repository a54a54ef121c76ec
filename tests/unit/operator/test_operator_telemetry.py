"""What those who run the operator see."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from aiohttp import ClientSession

from chimera_operator.api.conditions import ConditionType, Finding, conditions
from chimera_operator.api.status import ModelStatus, PoolStatus
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.result import Plan
from chimera_operator.telemetry.census import Census
from chimera_operator.telemetry.gauges import State
from chimera_operator.telemetry.metrics import Metrics
from chimera_operator.telemetry.pages import LIVE, METRICS, READY, Pages, served

SCRIPT = """
import logging
import structlog
from chimera_operator.telemetry import logs
logs.configure("info")
try:
    raise ValueError("canary")
except ValueError as error:
    logging.getLogger("kopf.objects").exception("it failed for %s", "canary")
    structlog.get_logger().error("stopped", at=logs.origin(error))
logging.getLogger("kopf.objects").warning("canary")
logging.getLogger("asyncio").warning("canary")
structlog.get_logger().debug("nobody hears this")
"""


def plan(ready: str, *phases: str) -> Plan:
    found = Finding(type=ConditionType.READY, status=ready, reason="Serving")  # type: ignore[arg-type]
    models = tuple(ModelStatus(name=f"m{at}", phase=phase) for at, phase in enumerate(phases))  # type: ignore[arg-type]
    told = conditions((), [found], generation=1, now=datetime(2026, 1, 1, tzinfo=UTC))
    return Plan(objects=(), untouched=frozenset(), status=PoolStatus(conditions=told, models=models), memory=Memory())


def test_pools_and_models_are_counted_as_they_were_last_seen() -> None:
    """A pool counts once, and not at all once it is gone."""
    census = Census()
    census.planned("a", plan("False", "Starting", "Ready"))
    census.planned("a", plan("True", "Ready", "Ready"))
    census.planned("b", plan("False", "Failed"))
    census.gone("c")
    assert (census.pools(), census.models()) == ({"True": 1, "False": 1}, {"Ready": 2, "Failed": 1})

    census.gone("b")
    assert (census.pools(), census.models()) == ({"True": 1}, {"Ready": 2})


@pytest.mark.anyio
async def test_pages_say_what_is_wrong() -> None:
    """Probes answer 503 with the reason where there is one; the metrics page has every number."""
    troubles = iter(("no word of pods", ""))
    metrics = Metrics()
    census = Census()
    census.planned("a", plan("True", "Ready"))
    metrics.watch(State(leads=lambda: True, due=lambda: 3, silence=lambda: {"pods": 4.0}, census=census))
    metrics.wrote("Deployment", "created")
    pages = Pages(stuck=lambda: next(troubles), unready=lambda: "", metrics=metrics.page)
    async with served(pages, host="127.0.0.1", port=0) as port, ClientSession(f"http://127.0.0.1:{port}") as http:

        async def get(path: str) -> tuple[int, str]:
            async with http.get(path) as response:
                return response.status, await response.text()

        assert await get(LIVE) == (503, "no word of pods")
        assert await get(LIVE) == (200, "ok")
        assert await get(READY) == (200, "ok")
        _, page = await get(METRICS)

    for line in (
        "chimera_operator_leader 1.0",
        "chimera_operator_queue_depth 3.0",
        'chimera_operator_watch_age_seconds{resource="pods"} 4.0',
        'chimera_operator_writes_total{change="created",kind="Deployment"} 1.0',
        'chimera_pools{ready="True"} 1.0',
        'chimera_models{phase="Ready"} 1.0',
    ):
        assert line in page.splitlines()


def test_logs_are_json_and_repeat_nothing() -> None:
    """Of libraries only place and kind are kept; of kopf only errors; of an exception only where it was raised."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line.get("library"), line["level"]) for line in lines] == [
        ("a library reports", "kopf.objects", "error"),
        ("stopped", None, "error"),
        ("a library reports", "asyncio", "warning"),
    ]
    assert lines[1]["at"] == "<string>:7"
    assert "canary" not in done.stderr
