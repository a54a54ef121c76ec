"""One request on its way: what it holds, what is counted of it, and what is learned once its answer is complete."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import Histogram

from chimera_router.datalayer.datastore import Datastore
from chimera_router.prediction.port import Observation, Predictor, Query
from chimera_router.protocol.events import AnswerEnded, AnswerStarted, Route
from chimera_router.scheduling.ledger import Ledger, Ticket
from chimera_router.scheduling.types import Decision, PredictionSource
from chimera_router.telemetry.metrics import Metrics
from chimera_router.workflow.table import Program, ProgramTable

_UNREACHABLE = frozenset((502, 503, 504))  # what a gateway answers for an engine that is not there


class Accounts(Protocol):
    """Where exchanges are accounted for."""

    datastore: Datastore
    table: ProgramTable
    ledger: Ledger
    metrics: Metrics

    def released(self) -> None: ...  # noqa: D102 - called when a request has left its endpoint

    @property
    def clock(self) -> Callable[[], float]: ...  # noqa: D102 - seconds on a monotonic clock

    @property
    def wall(self) -> Callable[[], float]: ...  # noqa: D102 - seconds since the Unix epoch


@dataclass(slots=True, kw_only=True)
class Exchange:
    """Holds a request's place in the ledger until `close`, which must always be called."""

    accounts: Accounts
    decision: Decision
    program: Program
    predictor: Predictor
    query: Query
    route: Route
    ticket: Ticket
    began: float
    _complete: bool = False
    _first_byte: bool = False

    def started(self, answer: AnswerStarted) -> None:
        """The answer's status is known. One that says nobody is there takes the endpoint out of rotation at once."""
        self.accounts.metrics.answers.labels(self.decision.model, f"{answer.status // 100}xx").inc()
        if answer.status in _UNREACHABLE:
            self.accounts.datastore.failed(self.decision.endpoint.address)

    def progressed(self, output_tokens: int) -> None:
        """So many output tokens have come."""
        if not self._first_byte:
            self._first_byte = True
            self._observe(self.accounts.metrics.first_byte)
        self.accounts.ledger.progress(self.ticket, generated=output_tokens)

    def ended(self, answer: AnswerEnded) -> None:
        """The answer is complete: what came true corrects the workflow's state and the predictor."""
        self._complete = True
        model, metrics, tokens = self.decision.model, self.accounts.metrics, answer.output_tokens
        self._observe(metrics.duration)
        self.accounts.table.finish(self.program, output_tokens=tokens)
        if tokens:
            metrics.output_tokens.labels(model).observe(tokens)
            metrics.length_ratio.labels(model).observe(tokens / max(1.0, self.decision.prediction.stage_tokens))
            self._learn(tokens)
        if answer.usage.prompt_tokens:
            metrics.prompt_tokens.labels(model).observe(answer.usage.prompt_tokens)
        metrics.cached_tokens.labels(model).inc(answer.usage.cached_tokens or 0)

    def close(self) -> None:
        """Release what the request holds, however it ended."""
        self.accounts.ledger.close(self.ticket)
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
