"""The graphs of predictors fitted on the package's data, against these predictors on real rows."""

import numpy as np
import onnxruntime
import pytest

from chimera_training.bundle import (
    LENGTH_INPUT,
    LENGTH_OUTPUT,
    REMAINING_TOKENS,
    REMAINING_TOKENS_HIGH,
    STAGE_TOKENS,
    STAGE_TOKENS_HIGH,
    TEXT,
)
from chimera_training.data import recorded_folder
from chimera_training.examples import Examples, read_examples
from chimera_training.export import TOLERANCE, Exported, export_graphs
from chimera_training.fitting import Predictors, fit
from chimera_training.length import applications, call_rows
from chimera_training.split import held_out
from chimera_training.text_graph import run

# The first test waits for the one fit: 50 s measured on two cores that had six times as much to do.
pytestmark = pytest.mark.timeout(180)

ROWS = 10_000

TREES = (STAGE_TOKENS, STAGE_TOKENS_HIGH, REMAINING_TOKENS, REMAINING_TOKENS_HIGH)

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
    learned, known = predictors.lengths.learned, applications(recorded, recorded.calls)
    rows = call_rows(recorded, recorded.calls, predictors.length_readings, learned, application=known)
    return np.random.default_rng(1).permutation(rows)[:ROWS]


@pytest.fixture(scope="session")
def exported(recorded: Examples, predictors: Predictors, rows: np.ndarray) -> Exported:
    heads = predictors.confidence.heads
    texts = recorded.tasks.texts[:10]  # the tests look at all of them
    return export_graphs(predictors.encoder, heads, predictors.lengths, texts=texts, rows=rows[:10])


def answers(graph: bytes, rows: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run([LENGTH_OUTPUT], {LENGTH_INPUT: rows})[0]


def test_every_recorded_text_is_read_as_by_the_source(
    recorded: Examples, predictors: Predictors, exported: Exported
) -> None:
    """All texts there are, every reading; and every model's confidence in each."""
    texts, confidence = recorded.tasks.texts, predictors.confidence
    truth = confidence.heads.read(predictors.encoder.encode(texts))

    read = run(exported.files[TEXT], predictors.encoder, texts)

    assert np.abs(read - truth).max() <= TOLERANCE
    assert np.abs(confidence.confidence(read) - confidence.confidence(truth)).max() <= TOLERANCE


@pytest.mark.parametrize("name", TREES)
def test_ten_thousand_recorded_calls_are_predicted_as_by_the_source(
    predictors: Predictors, exported: Exported, rows: np.ndarray, name: str
) -> None:
    """In log(1 + tokens), where 1e-4 is a hundredth of a percent of a length."""
    lengths = predictors.lengths
    source = getattr(lengths, name.removesuffix(".onnx").replace("_tokens", ""))

    predicted = answers(exported.files[name], rows)

    assert len(predicted) == ROWS
    assert np.abs(predicted[:, 0] - source.predict(rows)).max() <= TOLERANCE
