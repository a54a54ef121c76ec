"""Runs cases and says how each went. A fault of the kit itself is not caught: it would look like a verdict."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from chimera_conformance.case import Case, Level, Profile, Subject
from chimera_conformance.verdicts import Conclusion, Verdict

AT_ONCE = 8  # cases beside one another: most of them wait for the picker most of the time
CASE_LIMIT = 60.0  # seconds; the slowest case of a picker that answers takes a quarter of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a picker did at one case.

    Attributes:
        case: The case's name.
        came: What came in place of what the rule asks for; empty where it held.
        seconds: How long the case took.
    """

    case: str
    rule: str
    source: str
    level: Level
    profile: Profile
    verdict: Verdict
    came: str
    seconds: float

    @property
    def sentence(self) -> str:
        """The rule, and what came in its place."""
        return f"{self.rule} {self.came[:1].upper()}{self.came[1:]}." if self.came else self.rule


Settle = Callable[[], Awaitable[object]]


async def judge(case: Case[Subject], subject: Subject) -> Outcome:
    """Run one case."""
    verdict, came, start = Verdict.PASSED, "", monotonic()
    try:
        async with asyncio.timeout(CASE_LIMIT):
            await case.run(subject)
    except Conclusion as conclusion:
        verdict, came = conclusion.verdict, str(conclusion)
    except TimeoutError:
        verdict, came = Verdict.FAILED, f"the case was not over after {CASE_LIMIT:.0f} s"
    return Outcome(
        case=case.name,
        rule=case.rule,
        source=case.source,
        level=case.level,
        profile=case.profile,
        verdict=verdict,
        came=came,
        seconds=monotonic() - start,
    )


async def run(
    cases: Sequence[Case[Subject]], subject: Subject, settle: Settle, *, at_once: int = AT_ONCE
) -> list[Outcome]:
    """Run cases, those first that do not disturb one another, and return their outcomes in the cases' order.

    Args:
        cases: What to run.
        subject: What the cases look at.
        settle: Waits until the picker is as it was, after a case that could take endpoints out of its pool.
        at_once: Cases beside one another.
    """
    room = asyncio.Semaphore(at_once)

    async def one(case: Case[Subject]) -> Outcome:
        async with room:
            return await judge(case, subject)

    peaceful = [case for case in cases if not case.alone]
    outcomes = {case.name: outcome for case, outcome in zip(peaceful, await _together(one, peaceful), strict=True)}
    for case in cases:
        if case.alone:
            outcomes[case.name] = await judge(case, subject)
            await settle()
    return [outcomes[case.name] for case in cases]


async def _together(one: Callable[[Case[Any]], Awaitable[Outcome]], cases: Sequence[Case[Any]]) -> list[Outcome]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_of(one(case))) for case in cases]
    return [task.result() for task in tasks]


async def _of(outcome: Awaitable[Outcome]) -> Outcome:
    return await outcome
