"""The predictor of a pool: the bundle's graphs within a deadline, running medians past it."""

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np

from chimera_router.errors import BundleError
from chimera_router.prediction.batching import Batcher, QueueFullError
from chimera_router.prediction.bundle import Bundle, default_bundle, read_bundle
from chimera_router.prediction.compute import TRANSFORMER, Compute
from chimera_router.prediction.correction import Corrections
from chimera_router.prediction.heuristic import HeuristicPredictor, prior_confidence
from chimera_router.prediction.matching import stand
from chimera_router.prediction.onnx import Graphs
from chimera_router.prediction.port import Judgement, Observation, Predictor, Query
from chimera_router.scheduling.types import KnownAs, Model, ModelPrediction, Predictions, PredictionSource
from chimera_training.encodings import MEASURED, UNKNOWN, PoolRows
from chimera_training.features import (
    Floats,
    length_columns,
    message_measures,
    normalise,
    request_rows,
    text_measures,
)
from chimera_training.heads import confidence

# Seconds. A batch of 16 takes about 5 ms on one busy core; ten times that means the machine is stuck, and a decision
# from medians now is worth more than one from the bundle later.
DEADLINE = 0.05

# The same of a bundle with a transformer. A batch of 16 texts takes a small one 0.2 s on one core, and a text may have
# to wait for the batch before its own.
TRANSFORMER_DEADLINE = 0.5

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
        corrections: Applied to the bundle's answers, moved by what comes true.
        deadline: Seconds a prediction may take before running medians answer; None is as long as its encoder needs.
        compute: Where a transformer is computed.
        on_fallback: Told the reason whenever they do.

    Raises:
        BundleError: A graph cannot be loaded or is not what the manifest promises.
    """

    source = PredictionSource.BUNDLE

    def __init__(  # noqa: PLR0913 - all of its wiring, by name
        self,
        models: Sequence[Model],
        bundle: Bundle,
        *,
        corrections: Corrections,
        deadline: float | None = None,
        compute: Compute = TRANSFORMER,
        on_fallback: Callable[[str], None],
    ) -> None:
        self._answers = _Answers(models, bundle, corrections, compute)
        self._heuristic = HeuristicPredictor(models, corrections)
        self._corrections = corrections
        self._batcher = Batcher(self._answers.batch, name="predictions")
        self._deadline = _deadline(bundle) if deadline is None else deadline
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
        """Keep the running medians current, and correct the bundle's lengths."""
        self._heuristic.observe(observation)
        self._corrections.observe(observation)

    def judge(self, judgement: Judgement) -> None:
        """Correct the confidence."""
        self._corrections.judge(judgement)

    async def aclose(self) -> None:
        """Let the batch under way end and release its thread."""
        await self._batcher.aclose()

    def _fall_back(self, query: Query, reason: Fallback) -> Predictions:
        self._on_fallback(reason)
        return self._heuristic.estimate(query)


class _Answers:
    """Turns queries into predictions: features, graphs, one prediction for each model. Runs in the batcher's thread."""

    def __init__(self, models: Sequence[Model], bundle: Bundle, corrections: Corrections, compute: Compute) -> None:
        readings = bundle.manifest.readings
        stands = [stand(model, bundle.manifest.models) for model in models]
        self._graphs = Graphs(bundle, compute)
        self._length_columns = length_columns(readings)
        self._corrections = corrections
        self._names = [model.name for model in models]
        self._stands = np.array([each is not None for each in stands])
        self._heads = np.column_stack([np.zeros(len(readings)) if each is None else each.head for each in stands])
        self._priors = np.array([prior_confidence(model) for model in models])
        traits = np.array([_AVERAGE if each is None else each.traits for each in stands])
        self._applications = {each.name: number for number, each in enumerate(bundle.manifest.applications)}
        nothing = np.zeros(len(self._applications) * len(MEASURED))
        effects = np.array([nothing if each is None else each.effects for each in stands])
        self._rows = PoolRows(traits, bundle.manifest.encodings(effects))

    def batch(self, queries: Sequence[Query]) -> list[Predictions]:
        texts = [normalise(query.text) for query in queries]
        readings = self._graphs.read(texts)
        # A model of which nothing is known keeps its prior.
        chances = np.where(self._stands, confidence(readings, self._heads), self._priors)
        known = np.array([_known(query) for query in queries], dtype=np.float64)
        tokens = self._lengths(queries, readings, request_rows(known, *_measures(queries, texts)))
        of_models, logits = self._corrections.of(self._names)
        of_applications = [self._learned(query) for query in queries]
        factors = np.array([factors or [1.0] * len(self._names) for factors in of_applications]) * of_models
        tokens = _in_order(tokens.reshape(3, len(queries), -1) * factors, queries)
        known_as = [self._known_as(*each) for each in zip(queries, of_applications, strict=True)]
        return self._predictions(known_as, _shifted(chances, logits), tokens, (factors, logits))

    def _learned(self, query: Query) -> list[float] | None:
        return self._corrections.applications.factors(
            tenant=query.tenant, fingerprint=query.fingerprint, models=self._names
        )

    def _known_as(self, query: Query, learned: list[float] | None) -> KnownAs:
        if self._applications.get(query.application, UNKNOWN) != UNKNOWN:
            return KnownAs.BUNDLE
        return KnownAs.UNKNOWN if learned is None else KnownAs.LEARNED

    def _lengths(self, queries: Sequence[Query], readings: Floats, requests: Floats) -> Floats:
        application = np.array([self._applications.get(query.application, UNKNOWN) for query in queries])
        stage = np.array([query.stage for query in queries])
        rows = self._rows.rows(requests, readings[:, self._length_columns], application, stage)
        return self._graphs.lengths(rows, np.repeat(application, len(self._names)))

    def _predictions(
        self, known_as: list[KnownAs], chances: Floats, tokens: Floats, corrections: tuple[Floats, list[float]]
    ) -> list[Predictions]:
        factors, logits = corrections
        return [
            Predictions(
                by_model={name: _prediction(*row) for name, *row in zip(self._names, *rows, logits, strict=True)},
                source=PredictionSource.BUNDLE,
                application=application,
            )
            for application, *rows in zip(known_as, chances.tolist(), *tokens.tolist(), factors.tolist(), strict=True)
        ]


def _deadline(bundle: Bundle) -> float:
    return TRANSFORMER_DEADLINE if bundle.manifest.features.token_limit else DEADLINE


def _known(query: Query) -> tuple[int, int, int, int, int]:
    return query.prompt_tokens, query.stage, query.tokens_so_far, query.last_tokens, query.largest_tokens


def _measures(queries: Sequence[Query], texts: Sequence[str]) -> tuple[Floats, Floats]:
    """Measure the normalised task of each query, and its last message where it is a later stage's."""
    messages = [normalise(query.last_text) if query.stage else "" for query in queries]
    measured = [message_measures(message) for message in messages]
    return np.array([text_measures(text) for text in texts], dtype=np.float64), np.array(measured, dtype=np.float64)


def _in_order(tokens: Floats, queries: Sequence[Query]) -> Floats:
    """Cap each call at its client's limit; let stage <= remaining <= high hold, of which three trees know nothing.

    Args:
        tokens: (3, queries, models).
        queries: Where the limits are.
    """
    limits = [np.inf if query.max_tokens is None else query.max_tokens for query in queries]
    tokens[0] = np.minimum(tokens[0], np.array(limits)[:, None])
    ordered: Floats = np.maximum.accumulate(tokens, axis=0)
    return ordered


def _shifted(confidence: Floats, logits: list[float]) -> Floats:
    """Return chances moved by each model's logits; the odds form keeps 0, 1 and what is not corrected exactly."""
    odds = np.exp(logits)
    shifted: Floats = confidence * odds / (1.0 + confidence * (odds - 1.0))
    return shifted


def _prediction(  # noqa: PLR0913, PLR0917 - a column of each array, for every model of every request
    confidence: float, stage: float, remaining: float, high: float, factor: float, logits: float
) -> ModelPrediction:
    return ModelPrediction(
        confidence=confidence,
        stage_tokens=stage,
        remaining_tokens=remaining,
        remaining_tokens_high=high,
        length_factor=factor,
        confidence_logits=logits,
    )


class _NoBundle(HeuristicPredictor):
    """Running medians that say so with every answer."""

    def __init__(self, models: Sequence[Model], corrections: Corrections, on_fallback: Callable[[str], None]) -> None:
        super().__init__(models, corrections)
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
    deadline: float | None = None,
    compute: Compute = TRANSFORMER,
    corrections: Corrections | None = None,
    on_fallback: Callable[[str], None],
    on_refused: Callable[[BundleError], None],
) -> Predictor:
    """Return the predictor for a pool: the bundle's, or running medians where the bundle is refused.

    Args:
        models: The models of the pool.
        path: Folder of the bundle; None takes the one inside the package.
        sha256: Digest that its `bundle.json` must have; empty takes any.
        deadline: Seconds a prediction may take; None is as long as the bundle's encoder needs.
        compute: Where a transformer is computed.
        corrections: What was learned so far; None starts anew.
        on_fallback: Told the reason whenever running medians answer.
        on_refused: Told the file and the rule if the bundle is refused.
    """
    corrections = Corrections() if corrections is None else corrections
    try:
        bundle = read_bundle(path or default_bundle(), sha256=sha256)
        return BundlePredictor(
            models, bundle, corrections=corrections, deadline=deadline, compute=compute, on_fallback=on_fallback
        )
    except BundleError as error:
        on_refused(error)
        return _NoBundle(models, corrections, on_fallback)
