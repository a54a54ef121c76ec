"""One request on its way: what it holds, what is counted of it, and what is learned once its answer is complete."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from chimera_router.accounting.ending import Fate, StreamEnd, fate
from chimera_router.accounting.unseen import Unseen
from chimera_router.datalayer.datastore import Datastore
from chimera_router.prediction.port import Observation, Predictor, Query
from chimera_router.protocol.events import AnswerEnded, AnswerStarted, AnswerTold, Route
from chimera_router.scheduling.fitting import Fits
from chimera_router.scheduling.ledger import Ledger, Ticket
from chimera_router.scheduling.passages import Meters, Passing
from chimera_router.scheduling.steering import Steering
from chimera_router.scheduling.types import Assignment, Decision, EngineMetrics, Model, PredictionSource
from chimera_router.telemetry.instruments import Histogram
from chimera_router.telemetry.metrics import Metrics
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.table import Program, ProgramTable, Untold

_CLASSES = ("0xx", "1xx", "2xx", "3xx", "4xx", "5xx", *["other"] * 94)  # of status codes, up to three digits
_UNREACHABLE = frozenset((502, 503, 504))  # what a gateway answers for an engine that is not there


class Accounts(Protocol):
    """Where exchanges are accounted for."""

    datastore: Datastore
    table: ProgramTable
    ledger: Ledger
    meters: Meters
    metrics: Metrics
    fits: Fits
    steering: Steering
    unseen: Unseen

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
    request_id: str = ""
    _streamed: bool | None = None
    _seen_at: float | None = None
    _failed: bool = False
    _complete: bool = False
    _first_byte: bool = False

    @property
    def address(self) -> str:
        """Where the answer is made."""
        return self.decision.endpoint.address

    @property
    def expected_tokens(self) -> float:
        """Output tokens of the answer, as predicted."""
        return self.decision.prediction.stage_tokens

    @property
    def expected_seconds(self) -> float:
        """Seconds of the answer, as estimated: its share of what the whole workflow was."""
        prediction = self.decision.prediction
        return self.decision.latency * prediction.stage_tokens / max(1.0, prediction.remaining_tokens)

    def started(self, answer: AnswerStarted) -> None:
        """The answer's status is known. One that says nobody is there takes the endpoint out of rotation at once."""
        self.accounts.metrics.answers.labels(self.decision.model, _CLASSES[answer.status // 100]).inc()
        self._failed = answer.status >= 400
        self._streamed, self._seen_at = answer.streamed, self.accounts.clock()
        if answer.served and answer.served != self.address:
            self._served_by(answer.served)
        if answer.status in _UNREACHABLE:
            self.accounts.datastore.missed(self.address)
        else:
            self.accounts.datastore.served(self.address)

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

    def end(self, *, on_purpose: bool, shown: bool, half_closed: bool) -> None:
        """The stream has ended. Release what the request holds, unless its answer goes on out of sight.

        Args:
            on_purpose: Whether the picker itself ended it.
            shown: Whether the gateway shows answers' bodies.
            half_closed: Whether the gateway ended it in good order.
        """
        since = self.accounts.clock() - (self.began if self._seen_at is None else self._seen_at)
        stream_end = StreamEnd(
            on_purpose=on_purpose, shown=shown, half_closed=half_closed, streamed=self._streamed, since=since
        )
        match Fate.ENDED if self._complete else fate(stream_end):
            case Fate.GOES_ON if not self._failed:
                self.accounts.unseen.add(self)
            case Fate.BROKE_OFF:
                self.close()
            case _:
                self.over(None)

    def over(self, seconds: float | None) -> None:
        """The answer is complete, as far as anybody has seen; it took so many seconds, where somebody measured it."""
        accounts = self.accounts
        if not self._complete:
            self._complete = True
            now = accounts.clock()
            took = now - self.began if seconds is None else seconds
            accounts.metrics.duration.labels(self.decision.model).observe(took)
            accounts.steering.observe(latency=took, now=now, decision=self.decision)
            if not self._failed:
                accounts.table.passed(self.program, self._untold())
        self.close()

    def broke_off(self) -> None:
        """The answer will never be complete."""
        self.close()

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

    def _served_by(self, address: str) -> None:
        """Move to the endpoint that the gateway fell back to, where it is one of the same model."""
        accounts = self.accounts
        endpoint = next((each for each in accounts.datastore.endpoints if each.address == address), None)
        if endpoint is None or endpoint.model != self.decision.model:
            return
        accounts.ledger.close(self.ticket)
        self.passing.closed(self._engine(), accounts.clock())
        self.decision = replace(self.decision, endpoint=endpoint, cached_tokens=0)
        self.ticket = accounts.ledger.open(self.decision, prompt_tokens=self.query.prompt_tokens)
        self.passing = accounts.meters.open(
            address,
            slots=self.configured.coefficients.max_num_seqs,
            uncached=self.query.prompt_tokens,
            metrics=self._engine(),
            now=accounts.clock(),
            sequences=self.passing.sequences,
        )

    def _untold(self) -> Untold:
        return Untold(
            model=self.decision.model,
            stage=self.query.stage,
            predicted_tokens=_predicted(self.decision, 0, self.query.max_tokens),
            fingerprint=self.query.fingerprint,
        )

    def _engine(self) -> EngineMetrics | None:
        return self.accounts.datastore.metrics(self.address)

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
