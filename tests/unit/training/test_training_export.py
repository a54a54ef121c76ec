from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import onnxruntime
import pytest
from manifests import manifest
from onnx import load_from_string

from chimera_training.bundle import (
    GRAPHS,
    LENGTH_INPUT,
    LENGTH_OUTPUT,
    MANIFEST,
    REMAINING_TOKENS,
    REMAINING_TOKENS_HIGH,
    STAGE_TOKENS,
    STAGE_TOKENS_HIGH,
    TEXT,
    LearnerName,
    decode,
    digest,
)
from chimera_training.data import read_workflows, recorded_folder
from chimera_training.encodings import fit_encodings
from chimera_training.ensemble import HIGH, MEDIAN, Sample
from chimera_training.examples import Examples, examples
from chimera_training.export import TOLERANCE, ExportError, check_target, export_graphs, tree_graph, write_bundle
from chimera_training.features import Floats
from chimera_training.fitting import Predictors, fit
from chimera_training.length import LEARNERS, Learned, applications, call_rows
from chimera_training.text_graph import run

# Enough of them for 10,000 calls.
REAL_MODELS = (
    "CodeLlama-7b-Instruct-hf",
    "CodeLlama-13b-Instruct-hf",
    "CodeLlama-34b-Instruct-hf",
    "CodeQwen1.5-7B-Chat",
    "Llama-2-7b-chat-hf",
    "Llama-2-13b-chat-hf",
    "Llama-2-70b-chat-hf",
    "Meta-Llama-3-8B-Instruct",
    "Meta-Llama-3-70B-Instruct",
    "Qwen1.5-7B-Chat",
    "Qwen1.5-72B-Chat",
    "vicuna-7b-v1.5",
    "vicuna-13b-v1.5",
)

LARGEST_TREES = 1_600_000  # bytes of one file

TREES = (STAGE_TOKENS, STAGE_TOKENS_HIGH, REMAINING_TOKENS, REMAINING_TOKENS_HIGH)

Fitted = tuple[Predictors, Floats]


@pytest.fixture(scope="module", params=get_args(LearnerName))
def fitted(small_examples: Examples, request: pytest.FixtureRequest) -> Fitted:
    fitted = fit(small_examples, np.ones(len(small_examples.tasks.ids), dtype=np.bool_), learner=request.param)
    calls, learned = small_examples.calls, fitted.lengths.learned
    known = applications(small_examples, calls)
    return fitted, call_rows(small_examples, calls, fitted.length_readings, learned, application=known)


def exported(fitted: Fitted, examples: Examples) -> dict[str, bytes]:
    predictors, rows = fitted
    heads, texts = predictors.confidence.heads, examples.tasks.texts
    return export_graphs(predictors.encoder, heads, predictors.lengths, texts=texts, rows=rows).files


@pytest.fixture(scope="module")
def graphs(fitted: Fitted, small_examples: Examples) -> dict[str, bytes]:
    return exported(fitted, small_examples)


def session(graph: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])


def test_the_text_graph_reads_like_its_source(
    graphs: dict[str, bytes], fitted: Fitted, small_examples: Examples
) -> None:
    """Every text, every reading, to single precision; and so every model's confidence."""
    predictors, texts = fitted[0], small_examples.tasks.texts

    answers = run(graphs[TEXT], predictors.encoder, texts)

    confidence = predictors.confidence
    readings = confidence.heads.read(predictors.encoder.encode(texts))
    assert answers == pytest.approx(readings, abs=1e-5)
    assert confidence.confidence(answers) == pytest.approx(confidence.confidence(readings), abs=1e-5)


@pytest.mark.parametrize("name", TREES)
def test_exported_trees_answer_like_their_source(graphs: dict[str, bytes], fitted: Fitted, name: str) -> None:
    """Every recorded call and made-up ones in between: on the grid no threshold is rounded to the wrong side."""
    rows, lengths = fitted[1], fitted[0].lengths
    source = {
        STAGE_TOKENS: lengths.stage,
        STAGE_TOKENS_HIGH: lengths.stage_high,
        REMAINING_TOKENS: lengths.remaining,
        REMAINING_TOKENS_HIGH: lengths.remaining_high,
    }[name]
    generator = np.random.default_rng(0)
    mixed = np.column_stack([generator.choice(column, 4000) for column in rows.T]).astype(np.float32)

    for some in (rows, mixed):
        (answers,) = session(graphs[name]).run([LENGTH_OUTPUT], {LENGTH_INPUT: some})
        assert answers[:, 0] == pytest.approx(source.predict(some), abs=1e-4)


@pytest.fixture(scope="module")
def real() -> Sample:
    """Recorded calls of workflows."""
    recorded = examples([], read_workflows(recorded_folder(), models=REAL_MODELS))
    calls, tasks = recorded.calls, len(recorded.tasks.ids)
    shape = len(recorded.domains), len(recorded.models)
    known, target = applications(recorded, calls), np.log1p(calls.remaining_tokens)
    encodings = fit_encodings(np.tile(target[:, None], (1, 4)), known, calls.stage, calls.model, shape=shape)
    learned = Learned(np.zeros((len(recorded.models), 3)), encodings)
    rows = call_rows(recorded, calls, np.zeros((tasks, 2)), learned, application=known)
    return Sample(rows=rows, target=target)


@pytest.mark.parametrize("learner", get_args(LearnerName))
def test_trees_of_real_calls_answer_like_their_source(real: Sample, learner: LearnerName) -> None:
    """10,000 recorded calls through each learner's largest ensembles, within the tolerance of the export."""
    for trees in LEARNERS[learner].remaining(real, (MEDIAN, HIGH)).values():
        graph = tree_graph(trees).SerializeToString()

        (answers,) = session(graph).run([LENGTH_OUTPUT], {LENGTH_INPUT: real.rows})

        assert len(real.rows) >= 10_000
        assert np.abs(answers[:, 0] - trees.predict(real.rows)).max() <= TOLERANCE
        assert len(graph) < LARGEST_TREES


def test_each_tree_file_has_one_output(graphs: dict[str, bytes]) -> None:
    """Exporters have been seen to get several outputs in one file wrong."""
    for name in TREES:
        assert [output.name for output in session(graphs[name]).get_outputs()] == [LENGTH_OUTPUT]


def test_graphs_use_no_operators_but_onnxruntimes_own(graphs: dict[str, bytes]) -> None:
    """ONNX, its machine-learning part, onnxruntime's tokenizer."""
    domains = {opset.domain for graph in graphs.values() for opset in load_from_string(graph).opset_import}

    assert domains <= {"", "ai.onnx.ml", "com.microsoft"}


def test_equal_predictors_export_to_equal_bytes(
    graphs: dict[str, bytes], fitted: Fitted, small_examples: Examples
) -> None:
    """A digest names a bundle, so exporting twice must give one digest."""
    again = exported(fitted, small_examples)

    assert {name: digest(content) for name, content in again.items()} == {
        name: digest(content) for name, content in graphs.items()
    }


def test_equal_predictors_export_to_equal_bytes_in_another_process(graphs: dict[str, bytes]) -> None:
    """Nothing in a graph stands in the order of a set, which changes with Python's hash seed."""
    for graph in graphs.values():
        domains = [opset.domain for opset in load_from_string(graph).opset_import]
        assert domains == sorted(set(domains))


def test_a_graph_that_answers_otherwise_is_never_written(
    fitted: Fitted, small_examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exporter that fails silently is found out before the bundle is written."""
    monkeypatch.setattr("chimera_training.export.tree_graph", lambda _: tree_graph(fitted[0].lengths.remaining))

    with pytest.raises(ExportError, match=r"stage_tokens\.onnx: output `log_tokens` differs"):
        exported(fitted, small_examples)


def test_predictors_that_answer_no_number_are_never_written(fitted: Fitted, small_examples: Examples) -> None:
    """NaN differs from everything, itself included."""
    predictors, rows = fitted
    heads = predictors.confidence.heads
    broken = replace(predictors.confidence, heads=replace(heads, weights=heads.weights * np.nan))

    with pytest.raises(ExportError, match=r"text\.onnx: output `readings` differs"):
        exported((replace(predictors, confidence=broken), rows), small_examples)


def test_a_bundle_is_a_folder_with_manifest_and_graphs(tmp_path: Path, graphs: dict[str, bytes]) -> None:
    """Nothing else, and nothing beside it; folders above are made."""
    write_bundle(tmp_path / "deep" / "bundle", manifest(), graphs)

    assert {entry.name for entry in (tmp_path / "deep" / "bundle").iterdir()} == {MANIFEST, *GRAPHS}
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["bundle"]
    assert decode((tmp_path / "deep" / "bundle" / MANIFEST).read_bytes()) == manifest()


def test_an_older_bundle_is_replaced_whole(tmp_path: Path, graphs: dict[str, bytes]) -> None:
    """No file of the old one survives."""
    out = tmp_path / "bundle"
    write_bundle(out, manifest(), dict.fromkeys(graphs, b"old"))

    write_bundle(out, manifest(), {TEXT: b"new"})

    assert {entry.name for entry in out.iterdir()} == {MANIFEST, TEXT}
    assert (out / TEXT).read_bytes() == b"new"


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """The text names what is in the way, and nothing is touched."""
    (tmp_path / "thesis.tex").write_text("years of work")

    with pytest.raises(ExportError, match=r"must be empty or hold a bundle only, but holds 'thesis\.tex'"):
        write_bundle(tmp_path, manifest(), {})

    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_file_is_no_place_for_a_bundle(tmp_path: Path) -> None:
    """A bundle is a folder."""
    (tmp_path / "file").touch()

    with pytest.raises(ExportError, match="this is a file"):
        check_target(tmp_path / "file")


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    """As mktemp -d and Kubernetes volumes leave them."""
    write_bundle(tmp_path / "made", manifest(), {})
    (tmp_path / "empty").mkdir()

    check_target(tmp_path / "empty")
    check_target(tmp_path / "not-there")


def test_a_failed_write_leaves_the_older_bundle(tmp_path: Path, graphs: dict[str, bytes]) -> None:
    """Everything is written beside it first."""
    out = tmp_path / "bundle"
    write_bundle(out, manifest(), graphs)

    with pytest.raises(TypeError):
        write_bundle(out, manifest(), {TEXT: "not bytes"})  # type: ignore[dict-item]

    assert {entry.name for entry in out.iterdir()} == {MANIFEST, *GRAPHS}
    assert [entry.name for entry in tmp_path.iterdir()] == ["bundle"]
