"""Turn queries into predictions: features, graphs, one prediction for each model.

What is one number for a request or a model is worked out by plain Python: for so few of them every call of numpy costs
more than the arithmetic.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np

from chimera_router.prediction.bundle import Bundle
from chimera_router.prediction.compute import Compute
from chimera_router.prediction.correction import Corrections, corrected
from chimera_router.prediction.heuristic import prior_confidence
from chimera_router.prediction.matching import stand
from chimera_router.prediction.onnx import Graphs
from chimera_router.prediction.port import Query
from chimera_router.scheduling.types import KnownAs, Model, ModelPrediction, Predictions, PredictionSource
from chimera_router.values import value
from chimera_training.encodings import MEASURED, UNKNOWN, PoolRows
from chimera_training.features import (
    Floats,
    length_columns,
    message_measures,
    normalise,
    request_rows,
    text_measures,
)

# Traits of a model that nothing is known of: those of the average model, from which traits are measured.
_AVERAGE = (0.0, 0.0, 0.0)

# Texts whose readings are kept: a workflow's task is the same at each of its stages. About 2 KB each.
_REMEMBERED = 4096


@value
class _Read:
    """What was read in a task, and measured of it."""

    readings: Floats
    measures: tuple[int, int, int]


class Answers:
    """Answers for the models of a pool from one bundle. One owner at a time.

    Args:
        models: The models of the pool.
        bundle: Read and checked.
        corrections: Applied to the bundle's answers.
        compute: Where a transformer is computed.

    Raises:
        BundleError: A graph cannot be loaded or is not what the manifest promises.
    """

    def __init__(self, models: Sequence[Model], bundle: Bundle, corrections: Corrections, compute: Compute) -> None:
        readings = bundle.manifest.readings
        stands = [stand(model, bundle.manifest.models) for model in models]
        self._graphs = Graphs(bundle, compute)
        self._length_columns = length_columns(readings)
        self._corrections = corrections
        self._names = [model.name for model in models]
        # A model of which nothing is known keeps its prior.
        self._priors = [prior_confidence(m) if s is None else None for m, s in zip(models, stands, strict=True)]
        self._heads = np.column_stack([np.zeros(len(readings)) if each is None else each.head for each in stands])
        traits = np.array([_AVERAGE if each is None else each.traits for each in stands])
        self._applications = {each.name: number for number, each in enumerate(bundle.manifest.applications)}
        nothing = np.zeros(len(self._applications) * len(MEASURED))
        effects = np.array([nothing if each is None else each.effects for each in stands])
        self._rows = PoolRows(traits, bundle.manifest.encodings(effects))
        self._read: OrderedDict[str, _Read] = OrderedDict()

    def batch(self, queries: Sequence[Query]) -> list[Predictions]:
        """Return one prediction for each model and query.

        Raises:
            ValueError: A graph answered with something that is not a number.
        """
        read = self._readings([normalise(query.text) for query in queries])
        readings = np.array([each.readings for each in read])
        logits = (readings @ self._heads).tolist()
        tokens = self._tokens(queries, readings, [each.measures for each in read])
        length_factors, shifts = self._corrections.of(self._names)
        return [
            self._predictions(query, odds, tokens, length_factors, shifts)
            for query, odds in zip(queries, logits, strict=True)
        ]

    def _readings(self, texts: Sequence[str]) -> list[_Read]:
        """Read the texts that were not read before; `_read` keeps those that were asked for last."""
        unread = list(dict.fromkeys(text for text in texts if text not in self._read))
        if unread:
            for text, row in zip(unread, self._graphs.read(unread), strict=True):
                self._read[text] = _Read(row, text_measures(text))
        for text in texts:
            self._read.move_to_end(text)
        found = [self._read[text] for text in texts]
        while len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)
        return found

    def _tokens(
        self, queries: Sequence[Query], readings: Floats, measures: list[tuple[int, int, int]]
    ) -> Iterator[tuple[float, float]]:
        """Return tokens of this call, and of the rest of the workflow with it: row by row.

        The rows are all models of the first query, then of the second, and so on.
        """
        messages = [message_measures(normalise(query.last_text) if query.stage else "") for query in queries]
        requests = request_rows([_known(query) for query in queries], measures, messages)
        application = np.array([self._applications.get(query.application, UNKNOWN) for query in queries])
        stage = np.array([query.stage for query in queries])
        rows = self._rows.rows(requests, readings[:, self._length_columns], application, stage)
        return self._graphs.medians(rows)

    def _predictions(
        self,
        query: Query,
        logits: Sequence[float],
        tokens: Iterator[tuple[float, float]],
        length_factors: Sequence[float],
        shifts: Sequence[float],
    ) -> Predictions:
        learned = self._corrections.applications.factors(
            tenant=query.tenant, fingerprint=query.fingerprint, models=self._names
        )
        limit = math.inf if query.max_tokens is None else query.max_tokens
        by_model = {}
        for place, name in enumerate(self._names):
            factor = length_factors[place] * (learned[place] if learned else 1.0)
            # The two ensembles know nothing of one another, nor of the client's limit on the call.
            stage, remaining = next(tokens)
            stage = min(stage * factor, limit)
            by_model[name] = ModelPrediction(
                confidence=self._confidence(place, logits[place], shifts[place]),
                stage_tokens=stage,
                remaining_tokens=max(stage, remaining * factor),
                length_factor=factor,
                confidence_logits=shifts[place],
            )
        known_as = self._known_as(query, learned)
        return Predictions(by_model=by_model, source=PredictionSource.BUNDLE, application=known_as)

    def _confidence(self, place: int, logit: float, shift: float) -> float:
        prior = self._priors[place]
        return corrected(prior, shift) if prior is not None else 0.5 * (1.0 + math.tanh(0.5 * (logit + shift)))

    def _known_as(self, query: Query, learned: list[float] | None) -> KnownAs:
        if self._applications.get(query.application, UNKNOWN) != UNKNOWN:
            return KnownAs.BUNDLE
        return KnownAs.UNKNOWN if learned is None else KnownAs.LEARNED


def _known(query: Query) -> tuple[int, int, int, int, int]:
    return query.prompt_tokens, query.stage, query.tokens_so_far, query.last_tokens, query.largest_tokens
