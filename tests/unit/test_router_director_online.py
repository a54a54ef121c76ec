"""What answers teach the director: how fast engines are, and what time should cost."""

import json
from dataclasses import replace

import pytest
from directors import Clock, director

from chimera_router.director import Director
from chimera_router.exchange import Exchange
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.parsing.usage import Usage
from chimera_router.protocol.events import AnswerEnded, AnswerStarted, Choose
from chimera_router.scheduling.policies import Marginal
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.targets import LatencyTarget, ScoreTarget, Target
from chimera_router.scheduling.types import EngineMetrics
from chimera_router.telemetry.metrics import FitCollector, PriceCollector

pytestmark = pytest.mark.anyio

TOKENS = 100


def asked(ordinal: int, *, pinned: str | None = None, **more: object) -> Choose:
    messages = [{"role": "user", "content": f"task {ordinal}"}]
    body = json.dumps({"model": "auto", "messages": messages, **more}).encode()
    return Choose(request=parse(Api.CHAT, body, Limits()), headers={}, pinned=pinned, subset=None)


def passed(made: Director, seconds: float) -> None:
    assert isinstance(made.clock, Clock)
    made.clock.now += seconds


async def answered(made: Director, ordinal: int, **more: object) -> Exchange:
    """Let an engine take the time it is configured for, or that of `slower` times as much."""
    slower = more.pop("slower", 1.0)
    exchange = await made.choose(asked(ordinal, **more))
    exchange.started(AnswerStarted(200))
    passed(made, slower * TOKENS * exchange.configured.coefficients.base_step)
    exchange.ended(AnswerEnded(TOKENS, Usage(5, TOKENS, 0)))
    exchange.close()
    return exchange


async def taught(made: Director, *, slower: float, **more: object) -> None:
    """Let sixty answers of the large model take so many times what is configured."""
    for ordinal in range(60):
        await answered(made, ordinal, pinned="large", slower=slower, **more)


def base_step(made: Director, model: str = "large") -> float:
    return made.snapshot().models[model].coefficients.base_step


def metric(made: Director, name: str, **labels: str) -> float | None:
    return made.metrics.registry.get_sample_value(name, labels)


def steered(target: Target) -> Director:
    made = director()
    scheduler = Scheduler(policy=Marginal(0.01))
    made.pool = replace(made.pool, settings=replace(made.pool.settings, scheduler=scheduler, target=target))
    return made


async def test_slow_answers_slow_the_estimate() -> None:
    """The model that took twice its configured time is expected to from then on, and the decision says so."""
    made = director()
    first = await made.choose(asked(-1))
    first.close()
    await taught(made, slower=2.0)
    later = await made.choose(asked(-2, pinned="large"))

    assert base_step(made) == pytest.approx(0.04, rel=0.02)
    assert base_step(made, "small") == 0.01
    assert later.decision.verdicts[1].latency == pytest.approx(2 * first.decision.latency, rel=0.02)


async def test_error_is_counted_before_and_after_the_fit() -> None:
    """The same answers are off by two as configured, and by little as fitted."""
    made = director()
    made.metrics.watch(FitCollector(made.fits))
    await taught(made, slower=2.0)
    sums = [metric(made, "chimera_step_time_error_factor_sum", model="large", fit=fit) for fit in ("before", "after")]

    assert sums == [pytest.approx(2 * 60), pytest.approx(60 + 16, abs=4)]  # the first 16 find nothing fitted
    assert metric(made, "chimera_base_step_seconds", model="large") == pytest.approx(0.04, rel=0.02)


async def test_several_choices_tell_no_pace() -> None:
    """Their tokens come from sequences side by side."""
    made = director()
    await taught(made, slower=0.5, n=2)

    assert base_step(made) == 0.02


async def test_broken_answers_teach_nothing() -> None:
    """An error has no tokens, and an exchange that breaks off has no end; both leave the engine's batch."""
    made = director()
    for ordinal in range(60):
        exchange = await made.choose(asked(ordinal))
        passed(made, 10.0)
        if ordinal % 2:
            exchange.ended(AnswerEnded(0))
        exchange.close()
    await taught(made, slower=2.0)

    assert base_step(made) == pytest.approx(0.04, rel=0.02)


async def test_queue_seen_by_the_scrape_leaves_streams_their_pace() -> None:
    """What waited in the engine is measured from its first tokens."""
    made = director()
    for ordinal in range(60):
        exchange = await made.choose(asked(ordinal))
        made.datastore.answered("127.0.0.1:2", EngineMetrics(running=4, waiting=3, kv_usage=0.1, scraped_at=ordinal))
        passed(made, 30.0)
        exchange.progressed(1)
        exchange.progressed(2)
        passed(made, (TOKENS - 2) * 0.02)
        exchange.ended(AnswerEnded(TOKENS))
        exchange.close()

    assert base_step(made) == pytest.approx(0.02, rel=0.02)


async def test_new_configuration_begins_anew_and_old_answers_do_not_count() -> None:
    """An exchange of the old configuration ends under the new one without touching its fit."""
    made = director()
    await taught(made, slower=2.0)
    straggler = await made.choose(asked(-1))
    models = dict(made.pool.settings.models)
    models["large"] = replace(models["large"], coefficients=replace(models["large"].coefficients, base_step=0.04))
    made.pool = replace(made.pool, settings=replace(made.pool.settings, models=models))
    made.snapshot()
    passed(made, 8.0)
    straggler.ended(AnswerEnded(TOKENS))
    straggler.close()

    assert base_step(made) == 0.04


async def test_latency_above_its_target_raises_the_price() -> None:
    """Answers of the large model take 2 s and those of the small one 1 s; half of each make 1.5."""
    made = steered(LatencyTarget(1.5))
    made.metrics.watch(PriceCollector(made.steering))
    models = [(await answered(made, ordinal)).decision.model for ordinal in range(1200)]

    assert set(models[:10]) == {"large"}
    assert models[600:].count("large") / 600 == pytest.approx(0.5, abs=0.1)
    assert metric(made, "chimera_price") == pytest.approx(0.5, rel=0.3)  # what the large one's half point costs
    assert metric(made, "chimera_price_target", mean="latency_seconds") == 1.5
    assert metric(made, "chimera_price_held", mean="latency_seconds") == pytest.approx(1.5, abs=0.35)


async def test_confidence_to_spare_raises_the_price() -> None:
    """A score target below what the large model gives is held by sending part of the requests to the small one."""
    made = steered(ScoreTarget(0.6))
    models = [(await answered(made, ordinal)).decision.model for ordinal in range(1200)]

    assert set(models[:10]) == {"large"}
    assert models[600:].count("large") / 600 == pytest.approx(0.4, abs=0.1)  # .4 of .9 and .6 of .4 make .6


async def test_without_a_target_there_is_no_price_to_show() -> None:
    """The gauges are empty where nothing is steered."""
    made = director()
    made.metrics.watch(PriceCollector(made.steering))
    await answered(made, 0)

    assert metric(made, "chimera_price") is None
