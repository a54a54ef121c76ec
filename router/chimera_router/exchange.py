"""One request on its way: what it holds, what is counted of it, and what is learned once its answer is complete."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chimera_router.datalayer.datastore import Datastore
from chimera_router.prediction.port import Observation, Predictor, Query
from chimera_router.protocol.events import AnswerEnded, AnswerStarted, AnswerTold, Route
from chimera_router.scheduling.fitting import Fits
from chimera_router.scheduling.ledger import Ledger, Ticket
from chimera_router.scheduling.passages import Passing
from chimera_router.scheduling.steering import Steering
from chimera_router.scheduling.types import Assignment, Decision, EngineMetrics, Model, PredictionSource
from chimera_router.telemetry.instruments import Histogram
from chimera_router.telemetry.metrics import Metrics
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.table import Program, ProgramTable

_UNREACHABLE = frozenset((502, 503, 504))  # what a gateway answers for an engine that is not there


class Accounts(Protocol):
    """Where exchanges are accounted for."""

    datastore: Datastore
    table: ProgramTable
    ledger: Ledger
    metrics: Metrics
    fits: Fits
    steering: Steering

    def released(self) -> None: ...  # noqa: D102 - called when a request has left its endpoint

    @property
    def clock(self) -> Callable[[], float]: ...  # noqa: D102 - seconds on a monotonic clock

    @property
    def wall(self) -> Callable[[], float]: ...  # noqa: D102 - seconds since the Unix epoch


@dataclass(slots=True, kw_only=True)
class Exchange:
    """Holds a request's place in the ledger and on its engine's meter until `close`, which must always be called.

    Attributes:
        configured: The model as configured when it was chosen.
    """

    accounts: Accounts
    decision: Decision
    program: Program
    conversation: Conversation
    predictor: Predictor
    query: Query
    route: Route
    ticket: Ticket
    configured: Model
    passing: Passing
    began: float
    _failed: bool = False
    _complete: bool = False
    _first_byte: bool = False

    def started(self, answer: AnswerStarted) -> None:
        """The answer's status is known. One that says nobody is there takes the endpoint out of rotation at once."""
        self.accounts.metrics.answers.labels(self.decision.model, f"{answer.status // 100}xx").inc()
        self._failed = answer.status >= 400
        if answer.status in _UNREACHABLE:
            self.accounts.datastore.failed(self.decision.endpoint.address)

    def progressed(self, output_tokens: int) -> None:
        """So many output tokens have come."""
        if not self._first_byte:
            self._first_byte = True
            self._observe(self.accounts.metrics.first_byte)
        self.accounts.ledger.progress(self.ticket, generated=output_tokens)
        self.passing.progressed(output_tokens, self._engine(), self.accounts.clock())

    def told(self, answer: AnswerTold) -> None:
        """All that the model says is known; the client may go on from it before the answer has ended."""
        endpoint, seen = self.decision.endpoint, self.query.prompt_tokens + answer.output_tokens
        made_at = Assignment(model=endpoint.model, endpoint=endpoint.address, seen_tokens=seen)
        self.accounts.table.remember(self.program, self.conversation, answer.answer, made_at)

    def ended(self, answer: AnswerEnded) -> None:
        """The answer is complete: what came true corrects the workflow's state and the predictor."""
        self._complete = True
        model, metrics, tokens = self.decision.model, self.accounts.metrics, answer.output_tokens
        self._observe(metrics.duration)
        if not self._failed:
            self.accounts.table.finish(self.program, output_tokens=tokens)
        if tokens:
            metrics.output_tokens.labels(model).observe(tokens)
            metrics.length_ratio.labels(model).observe(tokens / max(1.0, self.decision.prediction.stage_tokens))
            self._learn(tokens)
            self._time(tokens)
        if answer.usage.prompt_tokens:
            metrics.prompt_tokens.labels(model).observe(answer.usage.prompt_tokens)
        metrics.cached_tokens.labels(model).inc(answer.usage.cached_tokens or 0)

    def close(self) -> None:
        """Release what the request holds, however it ended."""
        self.accounts.ledger.close(self.ticket)
        self.passing.closed(self._engine(), self.accounts.clock())
        self.accounts.table.leave(self.program, self.accounts.clock())
        self.accounts.released()
        if not self._complete:
            self.accounts.metrics.unfinished.labels(self.decision.model).inc()

    def _learn(self, tokens: int) -> None:
        observation = self._observation(tokens)
        self.predictor.observe(observation)
        if observation.predicted_tokens is not None:
            after = self.decision.prediction.stage_tokens
            metrics = self.accounts.metrics
            metrics.length_off(observation.model, before=observation.predicted_tokens, after=after, tokens=tokens)

    def _time(self, tokens: int) -> None:
        """Learn from the time that it took: how fast the engine is, and what time should cost."""
        accounts, now = self.accounts, self.accounts.clock()
        accounts.steering.observe(latency=now - self.began, now=now, decision=self.decision)
        passage = self.passing.ended(tokens, self._engine(), now)
        expected = accounts.fits.observe(self.configured, passage) if passage is not None else None
        if passage is not None and expected is not None:
            before, after = expected
            accounts.metrics.step_time_off(self.configured.name, before=before, after=after, seconds=passage.seconds)

    def _engine(self) -> EngineMetrics | None:
        return self.accounts.datastore.metrics(self.decision.endpoint.address)

    def _observation(self, tokens: int) -> Observation:
        return Observation(
            model=self.decision.model,
            stage=self.query.stage,
            output_tokens=tokens,
            predicted_tokens=_predicted(self.decision, tokens, self.query.max_tokens),
            fingerprint=self.query.fingerprint,
            tenant=self.query.tenant,
            at=self.accounts.wall(),
        )

    def _observe(self, histogram: Histogram) -> None:
        histogram.labels(self.decision.model).observe(self.accounts.clock() - self.began)


def _predicted(decision: Decision, tokens: int, limit: int | None) -> float | None:
    """Return the tokens that the bundle itself predicted; None where there is nothing to learn about it."""
    prediction = decision.prediction
    limited = limit is not None and max(tokens, prediction.stage_tokens) >= limit
    if limited or decision.source is not PredictionSource.BUNDLE:
        return None
    return prediction.stage_tokens / prediction.length_factor
