import json

import pytest
from rich.console import Console

from chimera_bench import idle_cost
from chimera_bench.metrics_stand_in import PAGE_BYTES, page
from chimera_router.engines.belief import Witness
from chimera_router.engines.profiles import VLLM
from chimera_router.engines.types import Outcome


def test_stand_in_page_is_an_idle_engines() -> None:
    """It is as large as a real one, and says what an idle engine would."""
    body = page()
    outcome, metrics = Witness(VLLM).hear(body, 0.0)

    assert PAGE_BYTES <= len(body) < 1.1 * PAGE_BYTES
    assert outcome is Outcome.BELIEVED
    assert metrics is not None
    assert metrics.running + metrics.waiting == 0


@pytest.mark.anyio
async def test_idle_cost_is_measured_on_real_processes() -> None:
    """A picker and two scrapers ask stand-ins over sockets; the one that asks every 50 ms does so, and costs most."""
    picker, own, fast = await idle_cost.measure(5, 1.5, settling=3.0)

    assert [cost.name for cost in (picker, own, fast)] == ["whole picker", "scraper", "scraper, every 50 ms"]
    assert 0.0 < picker.scrapes < 15.0
    assert 0.0 < own.scrapes < 15.0
    assert 50.0 < fast.scrapes < 120.0
    assert own.cores < fast.cores


def test_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """As a table with the ratio of processor time, or as JSON."""
    costs = [idle_cost.Cost(name="a", cores=0.02, scrapes=25.0), idle_cost.Cost(name="b", cores=0.4, scrapes=2000.0)]

    Console(width=100).print(idle_cost.table(costs, 100, reading=17.0))
    shown = capsys.readouterr().out
    idle_cost.print_json(costs, reading=17.0)

    assert "0.050" in shown
    assert "800" in shown  # µs a scrape
    assert json.loads(capsys.readouterr().out)["costs"][0]["scrapes"] == 25.0
