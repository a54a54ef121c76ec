"""The predictor of a pool: the bundle's graphs within a deadline, running medians past it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

from chimera_router.errors import BundleError
from chimera_router.prediction.answers import Answers
from chimera_router.prediction.batching import LARGEST_BATCH, Batcher, QueueFullError
from chimera_router.prediction.bundle import Bundle, default_bundle, read_bundle
from chimera_router.prediction.compute import TRANSFORMER, Compute
from chimera_router.prediction.correction import Corrections
from chimera_router.prediction.heuristic import HeuristicPredictor
from chimera_router.prediction.port import Judgement, Observation, Predictor, Query
from chimera_router.scheduling.types import Model, Predictions, PredictionSource

# Seconds. A batch of 16 takes about 5 ms on one busy core; ten times that means the machine is stuck, and a decision
# from medians now is worth more than one from the bundle later.
DEADLINE = 0.05

# Seconds that one prediction may take for all of them to be computed on the event loop, which is blocked meanwhile.
# What a thread adds to each, 0.2 ms of hand-overs and of waiting for the interpreter, is then more than it would spare.
PROMPT = 0.002

# The same of a bundle with a transformer. A batch of 16 texts takes a small one 0.2 s on one core, and a text may have
# to wait for the batch before its own.
TRANSFORMER_DEADLINE = 0.5

_TRIALS = 4
_TRIAL = "How many primes are there below one hundred, and which of them are twins?" * 8
_TRIAL_TOKENS = 150


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

    Attributes:
        prompt: Whether predictions are computed at once, on the event loop: as long as they are as fast as they were
            when the bundle was loaded.

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
        self._answers = Answers(models, bundle, corrections, compute)
        self._heuristic = HeuristicPredictor(models, corrections)
        self._corrections = corrections
        self._batcher = Batcher(self._answers.batch, name="predictions")
        self._deadline = _deadline(bundle) if deadline is None else deadline
        self._on_fallback = on_fallback
        self.prompt = self._fastest() <= PROMPT

    def predict_all(self, queries: Sequence[Query]) -> Sequence[Predictions]:
        """Return one prediction for each model and query, at once; never raising."""
        started = time.perf_counter()
        answers: list[Predictions] = []
        for start in range(0, len(queries), LARGEST_BATCH):
            answers += self._at_once(queries[start : start + LARGEST_BATCH])
        if time.perf_counter() - started > self._deadline:
            self.prompt = False
        return answers

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

    def _at_once(self, queries: Sequence[Query]) -> Sequence[Predictions]:
        try:
            return self._answers.batch(queries)
        except Exception:  # noqa: BLE001 - as in `predict`
            return [self._fall_back(query, Fallback.FAULT) for query in queries]

    def _fall_back(self, query: Query, reason: Fallback) -> Predictions:
        self._on_fallback(reason)
        return self._heuristic.estimate(query)

    def _fastest(self) -> float:
        """Return the seconds of the fastest of a few predictions: the first one allocates, others may be disturbed.

        Their texts differ, for what was read in a text is kept.
        """
        seconds = []
        for trial in range(_TRIALS):
            query = Query(text=f"{trial}. {_TRIAL}", prompt_tokens=_TRIAL_TOKENS)
            started = time.perf_counter()
            self._at_once([query])
            seconds.append(time.perf_counter() - started)
        return min(seconds)


def _deadline(bundle: Bundle) -> float:
    return TRANSFORMER_DEADLINE if bundle.manifest.features.token_limit else DEADLINE


class _NoBundle(HeuristicPredictor):
    """Running medians that say so with every answer."""

    def __init__(self, models: Sequence[Model], corrections: Corrections, on_fallback: Callable[[str], None]) -> None:
        super().__init__(models, corrections)
        self._on_fallback = on_fallback

    def estimate(self, query: Query) -> Predictions:
        """Return one prediction for each model, at once."""
        self._on_fallback(Fallback.NO_BUNDLE)
        return super().estimate(query)


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
