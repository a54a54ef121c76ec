"""Answers to probes as arrays to fit on, with what a bundle reads and predicts for these probes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chimera_bench.probing.log import Answer
from chimera_router.prediction.batching import LARGEST_BATCH
from chimera_router.prediction.onnx import Graphs
from chimera_training.bundle import Manifest, TrainedModel
from chimera_training.encodings import UNKNOWN, PoolRows
from chimera_training.examples import Integers, Outcomes
from chimera_training.features import (
    Floats,
    length_columns,
    message_measures,
    normalise,
    request_rows,
    text_measures,
)
from chimera_training.probes.probe import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """N answers to P probes; a probe is here if anybody answered it.

    Attributes:
        outcomes: Number of the probe, number of the model, right or wrong.
        tokens: (N,) output tokens.
        groups: (P,) number of the group of probes that are about as easy.
        readings: (P, readings) what the bundle reads in each question.
        requests: (P, columns) `features.request_rows`; prompts have the mean tokens that the models counted.
    """

    outcomes: Outcomes
    tokens: Floats
    groups: Integers
    readings: Floats
    requests: Floats

    def predicted_tokens(self, graphs: Graphs, manifest: Manifest, models: Sequence[TrainedModel]) -> Floats:
        """Return the tokens that a bundle's trees predict for every probe by every model, (P, models).

        Args:
            graphs: Of the bundle.
            manifest: Of the bundle.
            models: Entries of the manifest, or such as may become entries.
        """
        nowhere = np.full(len(self.requests), UNKNOWN)
        encodings = manifest.encodings(np.array([model.effects for model in models]))
        rows = PoolRows(np.array([model.traits() for model in models]), encodings).rows(
            self.requests, self.readings[:, length_columns(manifest.readings)], nowhere, np.zeros_like(nowhere)
        )
        tokens: Floats = graphs.lengths(rows, np.repeat(nowhere, len(models)))[0].reshape(len(self.readings), -1)
        return tokens


def gather(graphs: Graphs, models: Sequence[str], probes: Sequence[Probe], answers: Sequence[Answer]) -> Evidence:
    """Return the answers of these models, by their names in the pool, as evidence."""
    numbers = {name: number for number, name in enumerate(models)}
    counted = [answer for answer in answers if answer.model in numbers]
    asked = {answer.probe for answer in counted}
    answered = [probe for probe in probes if probe.id in asked]
    places = {probe.id: number for number, probe in enumerate(answered)}
    task = np.array([places[answer.probe] for answer in counted], dtype=np.int64)
    texts = [normalise(probe.question) for probe in answered]
    prompt_tokens = np.bincount(task, [answer.prompt_tokens for answer in counted]) / np.bincount(task)
    known = np.column_stack([prompt_tokens, np.zeros((len(texts), 4))])
    measures = np.array([text_measures(text) for text in texts], dtype=np.float64)
    messages = np.array([message_measures("")] * len(texts), dtype=np.float64)
    return Evidence(
        outcomes=Outcomes(
            task=task,
            model=np.array([numbers[answer.model] for answer in counted], dtype=np.int64),
            success=np.array([answer.right for answer in counted], dtype=np.float64),
        ),
        tokens=np.array([answer.output_tokens for answer in counted], dtype=np.float64),
        groups=np.unique([probe.group for probe in answered], return_inverse=True)[1].astype(np.int64),
        readings=np.vstack([graphs.read(texts[i : i + LARGEST_BATCH]) for i in range(0, len(texts), LARGEST_BATCH)]),
        requests=request_rows(known, measures, messages),
    )
