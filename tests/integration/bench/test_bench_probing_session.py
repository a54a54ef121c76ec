"""Runs of asking: each question once, within the budget, going on where the last run ended."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from probed_pool import ProbedPool, always, probed_pool

from chimera_bench.probing.asking import TEMPLATE_TOKENS, missing, reserve_tokens
from chimera_bench.probing.budget import Budget, Unit
from chimera_bench.probing.log import Answer, ProbingError
from chimera_bench.probing.members import Member
from chimera_bench.probing.session import Asked, Progress, Settings, ask_pool
from chimera_training.probes.probe import balanced, read_probes

pytestmark = pytest.mark.anyio

REQUESTS_30 = Budget(30, Unit.REQUESTS)


class Told:
    """What the progress was told."""

    def __init__(self) -> None:
        self.starts: list[tuple[int, int, list[str]]] = []
        self.answers: list[Answer] = []

    @property
    def progress(self) -> Progress:
        return Progress(self._start, self.answers.append)

    def _start(self, done: int, total: int, notes: Iterable[str]) -> None:
        self.starts.append((done, total, list(notes)))


def two(**settings: Any) -> ProbedPool:
    return ProbedPool({"small": always(0.3), "large": always(0.9)}, **settings)


async def run(
    pool: ProbedPool, folder: Path, told: Told | None = None, *, described: list[Member] | None = None, **settings: Any
) -> Asked:
    async with probed_pool(pool) as url:
        how = Settings(answers=folder / "answers.jsonl", **settings)
        return await ask_pool(url, described, how, (told or Told()).progress)


async def test_every_probe_goes_to_every_model_once(tmp_path: Path) -> None:
    """Without a budget the whole set is asked."""
    pool = two()
    asked = await run(pool, tmp_path, concurrency=32)

    assert len(pool.asked) == len(set(pool.asked)) == 800 == len(asked.answers)
    assert asked.pool == "assistants"
    assert [member.name for member in asked.members] == ["small", "large"]


async def test_a_budget_of_requests_is_spent_evenly_and_not_exceeded(tmp_path: Path) -> None:
    """All models get the same probes, as far as it goes; the bar knows the end."""
    pool, told = two(), Told()
    asked = await run(pool, tmp_path, told, budget=REQUESTS_30)

    assert len(pool.asked) == 30
    assert Counter(answer.model for answer in asked.answers) == {"small": 15, "large": 15}
    assert len({answer.probe for answer in asked.answers}) == 15
    assert told.starts == [(0, 30, [])]
    assert len(told.answers) == 30


async def test_a_budget_of_tokens_is_never_exceeded(tmp_path: Path) -> None:
    """A request is sent only if what it may take at most still fits beside those under way."""
    asked = await run(two(), tmp_path, budget=Budget(10_000, Unit.TOKENS), max_tokens=1000)
    spent = sum(answer.prompt_tokens + answer.output_tokens for answer in asked.answers)

    assert 10_000 - reserve_tokens(read_probes(), max_tokens=1000) - 150 < spent <= 10_000


async def test_a_budget_too_small_for_one_request_says_so(tmp_path: Path) -> None:
    """With the tokens that one may take."""
    pool = two()
    with pytest.raises(ProbingError, match=r"leaves room for no answer; one request may take \d+ tokens"):
        await run(pool, tmp_path, budget=Budget(100, Unit.TOKENS))

    assert pool.asked == []


async def test_requests_go_side_by_side_up_to_the_limit(tmp_path: Path) -> None:
    """Four wait for one another here, so fewer would hang; and there are never five."""
    pool = two(together=4)
    await run(pool, tmp_path, concurrency=4, budget=Budget(40, Unit.REQUESTS))

    assert pool.most == 4


async def test_a_second_run_asks_only_what_is_missing(tmp_path: Path) -> None:
    """The budget is for all runs together; what is there is said and counts."""
    first, second, told = two(), two(), Told()
    await run(first, tmp_path, budget=REQUESTS_30)
    asked = await run(second, tmp_path, told, budget=Budget(50, Unit.REQUESTS))

    assert len(second.asked) == 20
    assert not set(first.asked) & set(second.asked)
    assert len(asked.answers) == 50
    assert told.starts == [(30, 50, ["30 answers are there from earlier runs"])]


async def test_a_run_that_was_stopped_by_the_pool_goes_on(tmp_path: Path) -> None:
    """What was answered before the failure is kept."""
    first, second = two(), two()
    first.skills = {"small": always(0.3), "large": broken_after(first, 10)}
    with pytest.raises(ProbingError, match="status 400"):
        await run(first, tmp_path, concurrency=1)

    await run(second, tmp_path, budget=REQUESTS_30)

    answered = set(first.asked[:-1])  # the last one got no answer
    assert len(answered) >= 9
    assert len(second.asked) == 30 - len(answered)
    assert not answered & set(second.asked)


def broken_after(pool: ProbedPool, count: int) -> Any:
    def skill(_: object) -> float:
        if len(pool.asked) >= count:
            raise web.HTTPBadRequest
        return 0.5

    return skill


async def test_a_changed_list_of_models_is_said(tmp_path: Path) -> None:
    """Answers of those that are gone are left out; those that are new are asked everything."""
    told = Told()
    await run(two(), tmp_path, budget=REQUESTS_30)
    pool = ProbedPool({"large": always(1), "huge": always(1)})
    asked = await run(pool, tmp_path, told, budget=Budget(60, Unit.REQUESTS))

    assert told.starts[0][2] == [
        "30 answers are there from earlier runs",
        "answers of small are left out: not asked now",
        "not asked in earlier runs: huge",
    ]
    assert {answer.model for answer in asked.answers} == {"large", "huge"}
    assert len(pool.asked) == 30


async def test_simulated_answers_are_not_taken_over(tmp_path: Path) -> None:
    """A rehearsal's file cannot become a calibration's."""
    await run(two(fingerprint="simulated"), tmp_path, budget=REQUESTS_30, simulated=True)

    with pytest.raises(ProbingError, match="it holds answers of simulated engines"):
        await run(two(), tmp_path, budget=REQUESTS_30)


async def test_chosen_models_only(tmp_path: Path) -> None:
    """The others are not asked."""
    pool = two()
    await run(pool, tmp_path, models=("large",), budget=REQUESTS_30)

    assert {model for model, _ in pool.asked} == {"large"}


async def test_a_document_of_another_pool_is_noticed(tmp_path: Path) -> None:
    """A model that the running pool does not list cannot be asked."""
    members = [Member(name="small", entry="small"), Member(name="medium", entry="medium")]

    with pytest.raises(ProbingError, match="the pool there has no model medium; it has small, large"):
        await run(two(), tmp_path, described=members)


def test_missing_keeps_the_order_and_leaves_out_what_is_known() -> None:
    """Each probe to all models before the next."""
    probes = balanced(read_probes(), seed=0)[:2]
    answer = Answer(
        model="a",
        probe=probes[0].id,
        right=True,
        given=True,
        cut=False,
        simulated=False,
        prompt_tokens=1,
        output_tokens=1,
    )

    questions = missing(probes, ["a", "b"], [answer])

    assert [(each.model, each.probe.id) for each in questions] == [
        ("b", probes[0].id),
        ("a", probes[1].id),
        ("b", probes[1].id),
    ]


def test_no_prompt_takes_more_than_is_reserved() -> None:
    """A byte is at least a part of a token."""
    probes = read_probes()

    assert reserve_tokens(probes, max_tokens=500) >= 500 + TEMPLATE_TOKENS + max(len(probe.prompt) for probe in probes)
