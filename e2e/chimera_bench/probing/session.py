"""One run of asking: which models there are, what is known from earlier runs, what the budget still allows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from chimera_bench.probing.asking import Question, ask_all, missing, reserve_tokens
from chimera_bench.probing.budget import Budget, Meter, Unit
from chimera_bench.probing.client import NO_SIMULATION, Client
from chimera_bench.probing.log import Answer, AnswerLog, ProbingError
from chimera_bench.probing.members import Member, chosen
from chimera_training.probes.probe import Probe, balanced, read_probes


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to ask.

    Attributes:
        answers: File that keeps the answers.
        key: API key; empty sends none.
        models: Names of those to ask; none asks all.
        budget: None asks everything.
        concurrency: Requests under way at once, at most.
        max_tokens: Of an answer.
        seed: Of the order of the probes.
        simulated: Whether to take what simulated engines say.
    """

    answers: Path
    key: str = ""
    models: tuple[str, ...] = ()
    budget: Budget | None = None
    concurrency: int = 8
    max_tokens: int = 2048
    seed: int = 0
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What asking gave.

    Attributes:
        pool: Its name.
        members: The models that were asked.
        probes: The whole set.
        answers: Of these models, those of earlier runs included.
    """

    pool: str
    members: Sequence[Member]
    probes: Sequence[Probe]
    answers: Sequence[Answer]


@dataclass(frozen=True, slots=True)
class Progress:
    """How the asking goes.

    Attributes:
        start: Told how many answers there are, how many there will be at most, and what to say of earlier runs.
        advance: Told of every answer.
    """

    start: Callable[[int, int, Sequence[str]], None]
    advance: Callable[[Answer], None]


async def ask_pool(url: str, described: Sequence[Member] | None, settings: Settings, progress: Progress) -> Asked:
    """Ask a pool's models what they were not asked yet.

    Args:
        url: Where the pool serves.
        described: The models of its document; None takes those that the pool lists.
        settings: How to ask.
        progress: Told how it goes.

    Raises:
        ProbingError: The pool cannot be asked, or not so.
        OSError: The answers cannot be kept.
    """
    probes = read_probes()
    async with aiohttp.ClientSession() as session:
        client = Client(
            session, url, key=settings.key, max_tokens=settings.max_tokens, allow_simulated=settings.simulated
        )
        pool, listed = await client.models()
        members = chosen(_members(url, described, listed), settings.models)
        log = AnswerLog(settings.answers, pool=pool, probes=probes)
        _check_simulated(log, settings)
        names = [member.name for member in members]
        questions = missing(balanced(probes, seed=settings.seed), names, log.answers)
        progress.start(*_outlook(questions, log, names, settings.budget))
        await ask_all(
            questions,
            client=client,
            log=log,
            meter=_meter(settings, probes, log),
            concurrency=settings.concurrency,
            on_answer=progress.advance,
        )
    answers = [answer for answer in log.answers if answer.model in names]
    if not answers:
        raise ProbingError("the budget leaves room for no answer; one request may take " + _most(settings, probes))
    return Asked(pool=pool, members=members, probes=probes, answers=answers)


def _members(url: str, described: Sequence[Member] | None, listed: Sequence[str]) -> Sequence[Member]:
    if described is None:
        return [Member.listed(name) for name in listed]
    if strangers := [member.name for member in described if member.name not in listed]:
        raise ProbingError(f"{url}: the pool there has no model {strangers[0]}; it has {', '.join(listed)}")
    return described


def _check_simulated(log: AnswerLog, settings: Settings) -> None:
    if not settings.simulated and any(answer.simulated for answer in log.answers):
        raise ProbingError(f"{settings.answers}: it holds answers of simulated engines: {NO_SIMULATION}")


def _meter(settings: Settings, probes: Sequence[Probe], log: AnswerLog) -> Meter:
    meter = Meter(settings.budget, reserve=reserve_tokens(probes, max_tokens=settings.max_tokens))
    for answer in log.answers:
        meter.spend(answer.prompt_tokens + answer.output_tokens)
    return meter


def _most(settings: Settings, probes: Sequence[Probe]) -> str:
    return f"{reserve_tokens(probes, max_tokens=settings.max_tokens)} tokens"


def _outlook(
    questions: Sequence[Question], log: AnswerLog, names: Sequence[str], budget: Budget | None
) -> tuple[int, int, list[str]]:
    """Return how many answers there are, how many there will be at most, and what to say of earlier runs."""
    done = sum(answer.model in names for answer in log.answers)
    total = done + len(questions)
    if budget is not None and budget.unit is Unit.REQUESTS:
        total = min(total, max(done, done + budget.amount - len(log.answers)))
    earlier = {answer.model for answer in log.answers}
    notes = [f"{len(log.answers)} answers are there from earlier runs"] if earlier else []
    if gone := sorted(earlier - set(names)):
        notes.append(f"answers of {', '.join(gone)} are left out: not asked now")
    if earlier and (fresh := [name for name in names if name not in earlier]):
        notes.append(f"not asked in earlier runs: {', '.join(fresh)}")
    return done, total, notes
