"""What a bundle predicts for recorded tasks and calls: its graphs run in batches, as the picker runs them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chimera_router.prediction.batching import LARGEST_BATCH
from chimera_router.prediction.bundle import Bundle
from chimera_router.prediction.onnx import Graphs
from chimera_training.bundle import Manifest, TrainedModel, digest
from chimera_training.data import (
    PROMPT_OUTCOMES,
    WORKFLOW_TRACES,
    DataError,
    read_prompt_outcomes,
    read_workflows,
)
from chimera_training.examples import Examples, Integers, arrange
from chimera_training.features import Floats, length_columns
from chimera_training.heads import confidence
from chimera_training.length import Learned, call_rows
from chimera_training.measure import Predicted
from chimera_training.split import held_out

# Rows of one run of the trees: larger batches gain no speed, and the progress bar should move.
ROW_BATCH = 8192


def read_unseen_examples(manifest: Manifest, data: Path, *, all_tasks: bool = False) -> Examples:
    """Read the recorded answers of a bundle's models to tasks that it was not trained on.

    Args:
        manifest: Of the bundle.
        data: Folder with `prompt_outcomes.parquet` and `workflow_traces.parquet`.
        all_tasks: Read the tasks that it was trained on too.

    Raises:
        DataError: The data breaks a rule, or no task is left.
    """
    # A bundle that was trained on all of its own data may be measured on any other.
    share = 1.0 if all_tasks else manifest.training.held_out_share or 1.0
    names = {model.name for model in manifest.models}
    prompts, workflows = read_prompt_outcomes(data, models=names), read_workflows(data, models=names)
    examples = arrange(
        [row for row in prompts if held_out(row.prompt_id, share=share)],
        [row for row in workflows if held_out(row.task_id, share=share)],
    )
    if not examples.tasks.ids:
        raise DataError(
            f"{data}: it holds no answer by a model of the bundle to a task that the bundle was not trained on"
        )
    return examples


def trained_on(manifest: Manifest, data: Path) -> bool:
    """Tell whether a bundle that kept no task out of training was trained on a file of this data."""
    if manifest.training.held_out_share > 0:
        return False
    files = (PROMPT_OUTCOMES, WORKFLOW_TRACES)
    return any(digest((data / name).read_bytes()) == manifest.training.files.get(name) for name in files)


def predict_examples(bundle: Bundle, examples: Examples, *, on_done: Callable[[int], None]) -> Predicted:
    """Return what a bundle makes of every task and call; the application of a call is its task set.

    Args:
        bundle: Read and checked; it knows every model of the examples.
        examples: As `read_unseen_examples` returns them.
        on_done: Told after every batch how many tasks and calls it held.

    Raises:
        BundleError: A graph cannot be loaded or is not what the manifest promises.
    """
    graphs = Graphs(bundle)
    known = {model.name: model for model in bundle.manifest.models}
    models = [known[name] for name in examples.models]
    learned, application = _learned(bundle.manifest, models), _applications(bundle.manifest, examples)
    readings = _read(graphs, examples.tasks.texts, on_done)
    taken = readings[:, length_columns(bundle.manifest.readings)]
    rows = call_rows(examples, examples.calls, taken, learned, application=application)
    tokens, stage_high = _lengths(graphs, rows, application, on_done)
    return Predicted(
        readings=readings,
        confidence=confidence(readings, np.column_stack([model.head for model in models])),
        # Three trees know nothing of each other; the picker orders their answers so too.
        tokens=np.maximum.accumulate(tokens, axis=0),
        stage_high=np.maximum(stage_high, tokens[0]),
    )


def _learned(manifest: Manifest, models: Sequence[TrainedModel]) -> Learned:
    effects = np.array([model.effects for model in models])
    return Learned(np.array([model.traits() for model in models]), manifest.encodings(effects))


def _applications(manifest: Manifest, examples: Examples) -> Integers:
    """Return the number of each call's application; one that the bundle has never seen is not known."""
    numbers = np.array([manifest.application(name) for name in examples.domains])
    of_calls: Integers = numbers[examples.tasks.domain[examples.calls.task]]
    return of_calls


def _read(graphs: Graphs, texts: Sequence[str], on_done: Callable[[int], None]) -> Floats:
    readings = []
    for start in range(0, len(texts), LARGEST_BATCH):
        batch = texts[start : start + LARGEST_BATCH]
        readings.append(graphs.read(batch))
        on_done(len(batch))
    return np.vstack(readings)


def _lengths(graphs: Graphs, rows: Any, application: Integers, on_done: Callable[[int], None]) -> tuple[Floats, Floats]:
    tokens, stage_high = [], []
    for start in range(0, len(rows), ROW_BATCH):
        some = slice(start, start + ROW_BATCH)
        tokens.append(graphs.lengths(rows[some], application[some]))
        stage_high.append(graphs.stage_high(rows[some], application[some]))
        on_done(len(rows[some]))
    return np.hstack(tokens), np.hstack(stage_high)
