"""Several pickers over the same engines, in virtual time: each sees what the others have sent."""

from dataclasses import replace
from statistics import mean

import pytest
from directors import FakePredictor, director, settings
from pools import prediction
from virtual_pool import VirtualPool, configured

from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Request
from chimera_router.director import Director
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.protocol.events import Choose
from chimera_router.scheduling.latency import occupancy
from chimera_router.scheduling.policies import Marginal
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Coefficients, EngineMetrics

ENGINES = {
    "small": Coefficients(
        base_step=7.65e-3, per_sequence=30.2e-6, prefill_per_token=21.6e-6, max_num_seqs=16, kv_tokens=427_480
    ),
    "large": Coefficients(
        base_step=17.8e-3, per_sequence=63e-6, prefill_per_token=47.7e-6, max_num_seqs=16, kv_tokens=448_170
    ),
}
BODY = b'{"model": "auto", "messages": [{"role": "user", "content": "hi"}]}'
RATE = 24.0  # requests a second on three engines of each model: nearly all that they can serve


def occupied(made: Director) -> dict[str, int]:
    return {state.endpoint.model: occupancy(state) for state in made.snapshot().endpoints}


def scrape(engine: Engine, now: float, *pickers: Director) -> None:
    seen = EngineMetrics(running=len(engine.running), waiting=len(engine.waiting), kv_usage=0.1, scraped_at=now)
    for made in pickers:
        made.datastore.answered("127.0.0.1:2", seen)


@pytest.mark.anyio
async def test_a_picker_sees_the_requests_of_another() -> None:
    """In what the engine says of itself, beyond its own, each counted once by either picker."""
    engine = Engine(ENGINES["large"])
    one, other = (director(FakePredictor(small=prediction(0.4), large=prediction(0.9))) for _ in range(2))
    sent = []
    for number, made in enumerate([one] * 5 + [other] * 2):
        request = Choose(request=parse(Api.CHAT, BODY, Limits()), headers={}, pinned="large", subset=None)
        sent.append(await made.choose(request))
        engine.submit(Request(id=str(number), prompt_tokens=5, output_tokens=100), now=0.0)
    before = occupied(one), occupied(other)
    list(engine.advance(0.01))
    scrape(engine, 0.01, one, other)
    seen = occupied(one), occupied(other)
    for exchange in sent:
        exchange.close()

    assert [picker["large"] for picker in before] == [5, 2]
    assert [picker["large"] for picker in seen] == [7, 7]


def mean_seconds(pickers: int, *, scraped: bool = True) -> float:
    told = configured(replace(settings(), scheduler=Scheduler(policy=Marginal(0.03))), ENGINES)
    pool = VirtualPool(settings=told, engines=ENGINES, rate=RATE, replicas=3, pickers=pickers, scraped=scraped)
    pool.run(1000)
    return mean(seconds for seconds, _ in pool.answers)


def test_two_pickers_serve_nearly_as_one() -> None:
    """On nearly full engines the mean latency is within 8 % of one picker's; blind to each other it is far beyond."""
    alone = mean_seconds(1)

    assert mean_seconds(2) < 1.08 * alone
    assert mean_seconds(2, scraped=False) > 1.15 * alone
