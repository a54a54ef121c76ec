"""Running medians: what predicts where no bundle can.

Lengths come from the picker's own traffic: medians of the last answers for each model and stage, and the share of
workflows that went on to another stage. Confidence is the model's general score, corrected by feedback. Lengths need no
correction: they are made of what was observed.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from chimera_router.prediction.correction import Corrections, corrected
from chimera_router.prediction.port import Judgement, Observation, Query
from chimera_router.scheduling.types import Model, ModelPrediction, Predictions, PredictionSource

# Answers remembered for each model and stage: enough for a steady .9 quantile, few enough to follow a change of traffic
# within minutes.
WINDOW = 128

# Stages told apart; later ones share the last. Of the recorded agent workflows 99 % end within eight calls.
STAGES = 8

# Before anything was observed: the median call of the recorded agent workflows, and the share of their calls that
# another call follows. They count as this many observations.
PRIOR_TOKENS = 150.0
PRIOR_CONTINUES = 0.7
PRIOR_WEIGHT = 8

# Confidence of a model whose general score nobody gave: even odds, so that latency alone decides between such models.
PRIOR_CONFIDENCE = 0.5


@dataclass(slots=True)
class _StageHistory:
    """The last answers of one model at one stage, and how many there ever were; sorted when somebody asks."""

    tokens: deque[int] = field(default_factory=lambda: deque(maxlen=WINDOW))
    count: int = 0
    _ordered: list[float] | None = None

    @property
    def median(self) -> float:
        ordered = self._sorted()
        return ordered[len(ordered) // 2]

    def observe(self, tokens: int) -> None:
        self.tokens.append(tokens)
        self.count += 1
        self._ordered = None

    def _sorted(self) -> list[float]:
        if self._ordered is None:
            self._ordered = sorted([*self.tokens, *[PRIOR_TOKENS] * max(0, PRIOR_WEIGHT - self.count)])
        return self._ordered


class _ModelHistory:
    """All stages of one model."""

    def __init__(self, confidence: float) -> None:
        self.confidence = confidence
        self._stages = [_StageHistory() for _ in range(STAGES)]

    def observe(self, stage: int, tokens: int) -> None:
        self._stages[min(stage, STAGES - 1)].observe(tokens)

    def predict(self, stage: int, limit: int | None, logits: float) -> ModelPrediction:
        first = min(stage, STAGES - 1)
        tokens = self._capped(self._stages[first].median, limit)
        return ModelPrediction(
            confidence=corrected(self.confidence, logits),
            confidence_logits=logits,
            stage_tokens=tokens,
            remaining_tokens=tokens + self._later(first),
        )

    def _later(self, stage: int) -> float:
        """Return the tokens expected after a stage: each next one's median, times the chance of getting there."""
        expected = 0.0
        for current, following in reversed(list(zip(self._stages[stage:], self._stages[stage + 1 :], strict=False))):
            expected = _continues(current, following) * (following.median + expected)
        return expected

    @staticmethod
    def _capped(tokens: float, limit: int | None) -> float:
        return tokens if limit is None else min(tokens, limit)


def _continues(stage: _StageHistory, following: _StageHistory) -> float:
    seen = PRIOR_CONTINUES * PRIOR_WEIGHT + following.count
    return min(1.0, seen / (PRIOR_WEIGHT + stage.count))


class HeuristicPredictor:
    """Predicts from what the picker itself has seen, in microseconds and without a bundle.

    Args:
        models: The models of the pool.
        corrections: Moved by feedback.
    """

    source = PredictionSource.HEURISTIC
    prompt = True

    def __init__(self, models: Sequence[Model], corrections: Corrections) -> None:
        self._corrections = corrections
        self._models = {model.name: _ModelHistory(prior_confidence(model)) for model in models}

    def estimate(self, query: Query) -> Predictions:
        """Return one prediction for each model, at once."""
        _, logits = self._corrections.of(tuple(self._models))
        by_model = {
            name: model.predict(query.stage, query.max_tokens, each)
            for (name, model), each in zip(self._models.items(), logits, strict=True)
        }
        return Predictions(by_model=by_model, source=self.source)

    def predict_all(self, queries: Sequence[Query]) -> Sequence[Predictions]:
        """Return one prediction for each model and query."""
        return [self.estimate(query) for query in queries]

    async def predict(self, query: Query) -> Predictions:
        """Return one prediction for each model."""
        return self.estimate(query)

    def observe(self, observation: Observation) -> None:
        """Learn from a finished request; one of a model that has left the pool teaches nothing."""
        if (model := self._models.get(observation.model)) is not None:
            model.observe(observation.stage, observation.output_tokens)

    def judge(self, judgement: Judgement) -> None:
        """Correct the confidence."""
        self._corrections.judge(judgement)

    async def aclose(self) -> None:
        """Release nothing: there is nothing held."""


def prior_confidence(model: Model) -> float:
    """Return the confidence in a model of which only its description is known."""
    return model.descriptor.general_score or PRIOR_CONFIDENCE
