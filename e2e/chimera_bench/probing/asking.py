"""Ask what is missing: probes in a balanced order, each to every model, several at once, within a budget."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chimera_bench.probing.budget import Meter
from chimera_bench.probing.client import Client
from chimera_bench.probing.log import Answer, AnswerLog, ProbingError
from chimera_training.probes.probe import Probe

# Tokens around a message in a model's chat template, at most.
TEMPLATE_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Question:
    """One probe for one model."""

    model: str
    probe: Probe


def missing(probes: Sequence[Probe], models: Sequence[str], answers: Sequence[Answer]) -> list[Question]:
    """Return what was not answered yet: in the order of the probes, each to all models before the next."""
    known = {(answer.model, answer.probe) for answer in answers}
    return [Question(model, probe) for probe in probes for model in models if (model, probe.id) not in known]


def reserve_tokens(probes: Sequence[Probe], *, max_tokens: int) -> int:
    """Return the tokens that one request takes at most; no tokenizer makes a token of less than a byte."""
    return max_tokens + TEMPLATE_TOKENS + max(len(probe.prompt.encode()) for probe in probes)


async def ask_all(  # noqa: PLR0913 - what, whom, where to, within which limits
    questions: Sequence[Question],
    *,
    client: Client,
    log: AnswerLog,
    meter: Meter,
    concurrency: int,
    on_answer: Callable[[Answer], None],
) -> None:
    """Ask until all is answered or the budget leaves no room for one more request.

    Args:
        questions: In the order to ask them.
        client: Of the pool.
        log: Takes every answer as it comes.
        meter: Has counted what the log held before.
        concurrency: Requests under way at once, at most.
        on_answer: Told of every answer.

    Raises:
        ProbingError: The pool cannot be asked on.
        OSError: The log cannot be written.
    """
    asker = _Asker(iter(questions), client=client, log=log, meter=meter, on_answer=on_answer)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(questions))):
                group.create_task(asker.work())
    except* (ProbingError, OSError) as errors:
        failure = errors.exceptions[0]
    else:
        return
    raise failure


class _Asker:
    def __init__(
        self,
        questions: Iterator[Question],
        *,
        client: Client,
        log: AnswerLog,
        meter: Meter,
        on_answer: Callable[[Answer], None],
    ) -> None:
        self._questions = questions
        self._client = client
        self._log = log
        self._meter = meter
        self._on_answer = on_answer
        self._answered = asyncio.Condition()

    async def work(self) -> None:
        """Ask one question after the other."""
        while await self._may_ask() and (question := next(self._questions, None)) is not None:
            self._meter.begin()
            answer = await self._client.ask(question.model, question.probe)
            self._meter.end(answer.prompt_tokens + answer.output_tokens)
            self._log.append(answer)
            self._on_answer(answer)
            async with self._answered:
                self._answered.notify_all()

    async def _may_ask(self) -> bool:
        """Wait until one more request fits; return False once none can."""
        async with self._answered:
            await self._answered.wait_for(lambda: self._meter.fits() or self._meter.under_way == 0)
        return self._meter.fits()
