"""The predictor of a pool: the bundle's graphs within a deadline, running medians past it."""

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np

from chimera_router.errors import BundleError
from chimera_router.prediction.batching import Batcher, QueueFullError
from chimera_router.prediction.bundle import Bundle, default_bundle, read_bundle
from chimera_router.prediction.heuristic import HeuristicPredictor, prior_confidence
from chimera_router.prediction.matching import match
from chimera_router.prediction.onnx import Graphs, Lengths
from chimera_router.prediction.port import Observation, Predictor, Query
from chimera_router.scheduling.types import Model, ModelPrediction, Predictions, PredictionSource
from chimera_training.features import Floats, length_rows_of_all, normalise, request_rows, text_measures

# Seconds. A batch of 16 takes about 5 ms on one busy core; ten times that means the machine is stuck, and a decision
# from medians now is worth more than one from the bundle later.
DEADLINE = 0.05

# Traits of a model that nothing is known of: those of the average model, from which traits are measured.
_AVERAGE = (0.0, 0.0, 0.0)


class Fallback(StrEnum):
    """Why running medians answered in the bundle's place."""

    NO_BUNDLE = "no-bundle"
    DEADLINE = "deadline"
    BUSY = "busy"
    FAULT = "fault"


class BundlePredictor:
    """Answers from a bundle.

    Args:
        models: The models of the pool.
        bundle: Read and checked.
        deadline: Seconds a prediction may take before running medians answer.
        on_fallback: Told the reason whenever they do.

    Raises:
        BundleError: A graph cannot be loaded or is not what the manifest promises.
    """

    source = PredictionSource.BUNDLE

    def __init__(
        self, models: Sequence[Model], bundle: Bundle, *, deadline: float, on_fallback: Callable[[str], None]
    ) -> None:
        self._answers = _Answers(models, bundle)
        self._heuristic = HeuristicPredictor(models)
        self._batcher = Batcher(self._answers.batch, name="predictions")
        self._deadline = deadline
        self._on_fallback = on_fallback

    async def predict(self, query: Query) -> Predictions:
        """Return one prediction for each model; within the deadline and never raising."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._batcher.submit(query)
        except TimeoutError:
            return self._fall_back(query, Fallback.DEADLINE)
        except QueueFullError:
            return self._fall_back(query, Fallback.BUSY)
        except Exception:  # noqa: BLE001 - a decision has to be made whatever is wrong with the bundle
            return self._fall_back(query, Fallback.FAULT)

    def observe(self, observation: Observation) -> None:
        """Keep the running medians current."""
        self._heuristic.observe(observation)

    async def aclose(self) -> None:
        """Let the batch under way end and release its thread."""
        await self._batcher.aclose()

    def _fall_back(self, query: Query, reason: Fallback) -> Predictions:
        self._on_fallback(reason)
        return self._heuristic.estimate(query)


class _Answers:
    """Turns queries into predictions: features, graphs, one prediction for each model. Runs in the batcher's thread."""

    def __init__(self, models: Sequence[Model], bundle: Bundle) -> None:
        trained = bundle.manifest.models
        matches = [match(model, trained) for model in models]
        self._graphs = Graphs(bundle)
        self._names = [model.name for model in models]
        self._columns = [(row, column) for row, column in enumerate(matches) if column is not None]
        self._priors = np.array([prior_confidence(model) for model in models])
        self._traits = np.array([_AVERAGE if column is None else trained[column].traits() for column in matches])

    def batch(self, queries: Sequence[Query]) -> list[Predictions]:
        texts = [normalise(query.text) for query in queries]
        reading = self._graphs.read(texts)
        measures = np.array([text_measures(text) for text in texts], dtype=np.float64)
        requests = request_rows(np.array([_known(query) for query in queries], dtype=np.float64), measures)
        lengths = self._graphs.lengths(length_rows_of_all(requests, reading.facts, self._traits))
        models = len(self._names)
        return [
            self._predictions(query, self._confidence(reading.confidence[index]), lengths, index * models)
            for index, query in enumerate(queries)
        ]

    def _confidence(self, trained: Floats) -> Floats:
        """Return the confidence in each model of the pool; a model that nothing matched keeps its prior."""
        confidence = self._priors.copy()
        for row, column in self._columns:
            confidence[row] = trained[column]
        return confidence

    def _predictions(self, query: Query, confidence: Floats, lengths: Lengths, first: int) -> Predictions:
        limit = float("inf") if query.max_tokens is None else query.max_tokens
        by_model = {
            name: _prediction(float(confidence[row]), limit, lengths, first + row)
            for row, name in enumerate(self._names)
        }
        return Predictions(by_model=by_model, source=PredictionSource.BUNDLE)


def _known(query: Query) -> tuple[int, int, int, int]:
    return query.prompt_tokens, query.stage, query.tokens_so_far, query.last_tokens


def _prediction(confidence: float, limit: float, lengths: Lengths, row: int) -> ModelPrediction:
    """Put one row together: three trees know nothing of each other, so order is enforced here."""
    stage = min(float(lengths.stage[row]), limit)
    remaining = max(float(lengths.remaining[row]), stage)
    return ModelPrediction(
        confidence=confidence,
        stage_tokens=stage,
        remaining_tokens=remaining,
        remaining_tokens_high=max(float(lengths.remaining_high[row]), remaining),
    )


class _NoBundle(HeuristicPredictor):
    """Running medians that say so with every answer."""

    def __init__(self, models: Sequence[Model], on_fallback: Callable[[str], None]) -> None:
        super().__init__(models)
        self._on_fallback = on_fallback

    async def predict(self, query: Query) -> Predictions:
        """Return one prediction for each model."""
        self._on_fallback(Fallback.NO_BUNDLE)
        return self.estimate(query)


def open_predictor(  # noqa: PLR0913 - all of a pool's wiring, by name
    models: Sequence[Model],
    *,
    path: Path | None = None,
    sha256: str = "",
    deadline: float = DEADLINE,
    on_fallback: Callable[[str], None],
    on_refused: Callable[[BundleError], None],
) -> Predictor:
    """Return the predictor for a pool: the bundle's, or running medians where the bundle is refused.

    Args:
        models: The models of the pool.
        path: Folder of the bundle; None takes the one inside the package.
        sha256: Digest that its `bundle.json` must have; empty takes any.
        deadline: Seconds a prediction may take.
        on_fallback: Told the reason whenever running medians answer.
        on_refused: Told the file and the rule if the bundle is refused.
    """
    try:
        bundle = read_bundle(path or default_bundle(), sha256=sha256)
        return BundlePredictor(models, bundle, deadline=deadline, on_fallback=on_fallback)
    except BundleError as error:
        on_refused(error)
        return _NoBundle(models, on_fallback)
