"""Engines that lie about their load cannot draw or repel the traffic: replays through the real scheduler.

Fair shares of four engines are .25. What is counted of the picker's own bounds every lie that is not told apart.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lying_engines import Habit, LyingPool, always, frozen_from, honest
from metrics_pages import vllm_page

from chimera_bench.engine.model import Engine
from chimera_router.engines.types import Outcome

REQUESTS = 1500
LOADS = pytest.mark.parametrize("load", [0.3, 0.7])

LIES = {
    "always idle": vllm_page(0, 0, 0.0),
    "always busy": vllm_page(32, 90_000, 0.99),
    "a full cache": vllm_page(0, 0, 1.0),
    "not a number": vllm_page("NaN", 0, 0.0),
    "negative": vllm_page(-5, -5, -1.0),
    "huge": vllm_page(1e12, 1e12, 0.5),
    "infinite": vllm_page("+Inf", 0, 0.5),
    "nothing": b"",
    "a scrape of 30 s": None,
}
LIARS = pytest.mark.parametrize("lie", LIES.values(), ids=LIES)


def flipping(_engine: Engine, now: float) -> bytes:
    """Return nothing and a long queue in turn."""
    return vllm_page(0, 0, 0.0, made=now) if int(2 * now) % 2 else vllm_page(32, 50_000, 0.9, made=now)


def wild(seed: int) -> Habit:
    """Return a habit of saying anything that could be true."""
    draw = random.Random(seed)  # noqa: S311 - a lie
    return lambda _engine, now: vllm_page(draw.randrange(256), draw.randrange(5000), draw.random(), made=now)


def one_of_four(habit: Habit) -> dict[str, Habit]:
    return {"liar": habit, "a": honest, "b": honest, "c": honest}


@LOADS
@LIARS
def test_a_liar_gets_its_share(lie: bytes | None, load: float) -> None:
    """One engine of four that lies gets no more and hardly less than an honest one."""
    shares = LyingPool(one_of_four(always(lie)), load=load).run(REQUESTS).shares()

    assert max(shares.values()) < 0.3
    assert min(shares.values()) > 0.2


@LOADS
@LIARS
def test_liars_leave_the_only_honest_engine_its_share(lie: bytes | None, load: float) -> None:
    """Three of four that lie alike do not send everything to the fourth."""
    habits = {"honest": honest, **{name: always(lie) for name in ("a", "b", "c")}}

    shares = LyingPool(habits, load=load).run(REQUESTS).shares()

    assert max(shares.values()) < 0.3
    assert min(shares.values()) > 0.2


@LOADS
def test_numbers_that_stopped_repel_nobody_for_long(load: float) -> None:
    """Three of four whose pages stop while they are busy, as vLLM's do when all requests are aborted."""
    habits = {"honest": honest, **{name: frozen_from(3.0) for name in ("a", "b", "c")}}

    pool = LyingPool(habits, load=load).run(REQUESTS)

    assert max(pool.shares().values()) < 0.35
    assert max(pool.shares(since=13.0).values()) < 0.3
    assert pool.heard["a", Outcome.FROZEN] > 0


@pytest.mark.parametrize(("load", "foreign", "most"), [(0.2, 0.2, 0.4), (0.35, 0.35, 0.4), (0.1, 0.8, 0.55)])
def test_hidden_load_of_others_draws_a_bounded_share(load: float, foreign: float, most: float) -> None:
    """Where others load all engines alike and one shows none of it, its own requests end its advantage."""
    shares = LyingPool(one_of_four(always(LIES["always idle"])), load=load, foreign=foreign).run(REQUESTS).shares()

    assert 0.25 < shares["liar"] < most


@LOADS
def test_inconsistent_numbers_never_take_all(load: float) -> None:
    """A page that jumps between nothing and a long queue costs its engine traffic, and gives nobody all of it."""
    one = LyingPool(one_of_four(flipping), load=load).run(REQUESTS).shares()
    three = LyingPool({"honest": honest, "a": flipping, "b": flipping, "c": flipping}, load=load).run(REQUESTS).shares()

    assert max(one.values()) < 0.35
    assert max(three.values()) < 0.5


@LOADS
def test_lies_that_could_be_true_cost_the_liar_and_not_the_pool(load: float) -> None:
    """Nothing tells them from the truth: the liar gets less, the others about as much as if it were not there."""
    shares = LyingPool(one_of_four(wild(1)), load=load).run(REQUESTS).shares()

    assert shares["liar"] < 0.25
    assert max(shares.values()) < 0.4


numbers = st.one_of(st.floats(), st.integers(-10, 10**7), st.just("NaN"))
pages = st.one_of(st.none(), st.binary(max_size=20), st.builds(vllm_page, numbers, numbers, numbers))


@settings(max_examples=15)
@given(pages, pages)
def test_no_constant_page_takes_all(first: bytes | None, second: bytes | None) -> None:
    """Whatever two of four engines say all the time, every engine gets about its share."""
    habits = {"a": always(first), "b": always(second), "c": honest, "d": honest}

    shares = LyingPool(habits, load=0.6).run(300).shares()

    assert max(shares.values()) < 0.35
    assert min(shares.values()) > 0.15
