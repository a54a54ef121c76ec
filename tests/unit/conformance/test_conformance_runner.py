"""Running cases, with cases of the test's own."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from chimera_conformance import runner
from chimera_conformance.case import Case, Level, Profile
from chimera_conformance.verdicts import Verdict, assume, require, skip

pytestmark = pytest.mark.anyio

Log = list[str]


def made(name: str, run: Callable[[Log], Awaitable[None]], *, alone: bool = False) -> Case[Log]:
    rule = "Rule holds."
    return Case(name=name, rule=rule, source="s", level=Level.MUST, profile=Profile.CORE, alone=alone, run=run)


async def passes(log: Log) -> None:
    log.append("passes")


async def fails(_log: Log) -> None:
    require(holds=False, what_came="something else")


async def shows_nothing(_log: Log) -> None:
    assume(holds=False, what_came="nothing came")


async def does_not_apply(_log: Log) -> None:
    skip("not here")


async def settled() -> None:
    return


@pytest.mark.parametrize(
    ("run", "verdict", "sentence"),
    [
        pytest.param(passes, Verdict.PASSED, "Rule holds.", id="passes"),
        pytest.param(fails, Verdict.FAILED, "Rule holds. Something else.", id="fails"),
        pytest.param(shows_nothing, Verdict.UNPROVED, "Rule holds. Nothing came.", id="unproved"),
        pytest.param(does_not_apply, Verdict.SKIPPED, "Rule holds. Not here.", id="skipped"),
    ],
)
async def test_verdict_is_what_the_case_concludes(
    run: Callable[[Log], Awaitable[None]], verdict: Verdict, sentence: str
) -> None:
    """A case passes, fails, shows nothing or does not apply, and the sentence adds to the rule what came."""
    outcome = await runner.judge(made("a.b", run), [])

    assert (outcome.verdict, outcome.sentence) == (verdict, sentence)


async def test_case_that_never_ends_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that hangs is cut off and failed, so that a run always ends."""
    monkeypatch.setattr(runner, "CASE_LIMIT", 0.01)

    async def hangs(_log: Log) -> None:
        await asyncio.Event().wait()

    outcome = await runner.judge(made("a.b", hangs), [])

    assert (outcome.verdict, outcome.came) == (Verdict.FAILED, "the case was not over after 0 s")


async def test_fault_of_the_kit_is_no_verdict() -> None:
    """An exception that is no conclusion comes out: it says nothing about the picker."""

    async def broken(_log: Log) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await runner.judge(made("a.b", broken), [])


async def test_cases_that_disturb_run_alone_and_last() -> None:
    """Cases beside one another come first; each that disturbs runs by itself and is followed by settling."""
    log: Log = []
    first_is_in = asyncio.Event()

    async def first(log: Log) -> None:
        first_is_in.set()
        await asyncio.sleep(0)
        log.append("first")

    async def second(log: Log) -> None:
        await first_is_in.wait()
        log.append("second")

    async def disturbs(log: Log) -> None:
        log.append("disturbs")

    async def settle() -> None:
        log.append("settled")

    cases = [made("a.disturbs", disturbs, alone=True), made("a.first", first), made("a.second", second)]

    outcomes = await runner.run(cases, log, settle)

    assert [outcome.case for outcome in outcomes] == ["a.disturbs", "a.first", "a.second"]
    assert sorted(log[:2]) == ["first", "second"]
    assert log[2:] == ["disturbs", "settled"]


async def test_no_more_run_at_once_than_allowed() -> None:
    """The number of cases under way is bounded."""
    under_way, most = 0, 0

    async def counted(_log: Log) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    await runner.run([made(f"a.{number}", counted) for number in range(10)], [], settled, at_once=3)

    assert most == 3
