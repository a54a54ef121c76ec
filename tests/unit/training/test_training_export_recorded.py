"""The graphs of predictors fitted on the package's data, against these predictors on real rows."""

import numpy as np
import onnxruntime
import pytest

from chimera_training.bundle import (
    LENGTH_INPUT,
    LENGTH_OUTPUT,
    READINGS_OUTPUT,
    REMAINING_TOKENS,
    REMAINING_TOKENS_HIGH,
    STAGE_TOKENS,
    TEXT,
    TEXT_INPUT,
)
from chimera_training.data import recorded_folder
from chimera_training.examples import Examples, read_examples
from chimera_training.export import TOLERANCE, Exported, export_graphs
from chimera_training.fitting import Predictors, fit
from chimera_training.length import call_rows
from chimera_training.split import held_out

# The first test waits for the one fit: 50 s measured on two cores that had six times as much to do.
pytestmark = pytest.mark.timeout(180)

ROWS = 10_000

# Of the tasks that are fitted on, so that it takes seconds; every task is looked at.
SHARE = 0.2


@pytest.fixture(scope="session")
def recorded() -> Examples:
    return read_examples(recorded_folder())


@pytest.fixture(scope="session")
def predictors(recorded: Examples) -> Predictors:
    return fit(recorded, np.array([held_out(name, share=SHARE) for name in recorded.tasks.ids]))


@pytest.fixture(scope="session")
def rows(recorded: Examples, predictors: Predictors) -> np.ndarray:
    rows = call_rows(recorded, recorded.calls, predictors.length_readings, predictors.lengths.traits)
    return np.random.default_rng(1).permutation(rows)[:ROWS]


@pytest.fixture(scope="session")
def exported(recorded: Examples, predictors: Predictors, rows: np.ndarray) -> Exported:
    heads = predictors.confidence.heads
    texts = recorded.tasks.texts[:10]  # the tests look at all of them
    return export_graphs(predictors.encoder, heads, predictors.lengths, texts=texts, rows=rows[:10])


def answers(graph: bytes, source: str, values: np.ndarray, output: str) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    parts = [values[start : start + 500] for start in range(0, len(values), 500)]
    return np.vstack([session.run([output], {source: part})[0] for part in parts])


def test_every_recorded_text_is_read_as_by_the_source(
    recorded: Examples, predictors: Predictors, exported: Exported
) -> None:
    """All texts there are, every reading; and every model's confidence in each."""
    texts, confidence = recorded.tasks.texts, predictors.confidence
    truth = confidence.heads.read(predictors.encoder.encode(texts))

    read = answers(exported.files[TEXT], TEXT_INPUT, np.array(texts, dtype=object)[:, None], READINGS_OUTPUT)

    assert np.abs(read - truth).max() <= TOLERANCE
    assert np.abs(confidence.confidence(read) - confidence.confidence(truth)).max() <= TOLERANCE


@pytest.mark.parametrize("name", [STAGE_TOKENS, REMAINING_TOKENS, REMAINING_TOKENS_HIGH])
def test_ten_thousand_recorded_calls_are_predicted_as_by_the_source(
    predictors: Predictors, exported: Exported, rows: np.ndarray, name: str
) -> None:
    """In log(1 + tokens), where 1e-4 is a hundredth of a percent of a length."""
    lengths = predictors.lengths
    source = {STAGE_TOKENS: lengths.stage, REMAINING_TOKENS: lengths.remaining}.get(name, lengths.remaining_high)

    predicted = answers(exported.files[name], LENGTH_INPUT, rows, LENGTH_OUTPUT)

    assert len(predicted) == ROWS
    assert np.abs(predicted[:, 0] - source.predict(rows)).max() <= TOLERANCE
