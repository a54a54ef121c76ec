"""The torch module, its fine-tuning and its ONNX graphs, on tiny random transformers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import ModelProto
from tiny_transformers import KINDS, TEXTS, load_tiny, save_tiny

from chimera_training.encoder import OPSET, WeightsError
from chimera_training.finetune import Lessons, Schedule, fine_tune
from chimera_training.tokens import Tokens
from chimera_training.transformer import TextTransformer, batches, read
from chimera_training.transformer_graph import in_eight_bits, transformer_graph
from chimera_training.weights import load

# Random weights have far to go.
EAGER = Schedule(epochs=12, rate=5e-3, layer_rate=5e-3, batch=16)

Loaded = tuple[TextTransformer, Tokens]


@pytest.fixture(params=KINDS)
def loaded(request: pytest.FixtureRequest, tmp_path: Path) -> Loaded:
    return load_tiny(tmp_path, request.param)


def lessons() -> Lessons:
    """Sums are easy or tricky; the first model is right in the easy ones, the second was asked every third time."""
    tricky = np.array(["tricky" in text for text in TEXTS], dtype=np.float64)
    second = np.where(np.arange(len(TEXTS)) % 3 == 0, tricky, np.nan)
    return Lessons(
        texts=TEXTS,
        domain=np.array([text.startswith("write") for text in TEXTS], dtype=np.int64),
        success=np.column_stack([1 - tricky, second]),
        difficulty=2 * tricky - 1,
        weight=np.ones(len(TEXTS)),
        domains=2,
    )


def run(graph: ModelProto, tokens: Tokens, texts: list[str]) -> Any:
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, tokens.inputs(texts))[0]


def test_vectors_have_length_one(loaded: Loaded) -> None:
    """As those of all-MiniLM-L6-v2; the empty text's too."""
    vectors = read(*loaded, [*TEXTS[:5], ""])

    assert vectors.shape == (6, 16)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(6), abs=1e-5)


def test_a_text_reads_alike_alone_and_among_longer_ones(loaded: Loaded) -> None:
    """Padding is masked."""
    texts = ["sort", *TEXTS[:3], " ".join(TEXTS)]

    assert read(*loaded, texts)[0] == pytest.approx(read(*loaded, texts[:1])[0], abs=1e-6)


def test_no_texts_are_no_vectors(loaded: Loaded) -> None:
    """The width stays."""
    assert read(*loaded, []).shape == (0, 16)


def test_batches_hold_every_row_once_and_like_lengths() -> None:
    """The least padding."""
    rows = [[0] * length for length in (5, 1, 4, 2, 3)]

    assert batches(rows, 2) == [[1, 3], [4, 2], [0]]


@pytest.mark.parametrize("texts", [TEXTS, [""], ["unseen words only"], [" ".join(TEXTS), "a"]])
def test_the_graph_answers_like_torch(loaded: Loaded, texts: list[str]) -> None:
    """To single precision, for any number of texts of any length, though it was made from two of three tokens."""
    model, tokens = loaded

    graph = transformer_graph(model, opset=OPSET)

    assert run(graph, tokens, texts) == pytest.approx(read(model, tokens, texts), abs=1e-5)


def test_the_graph_uses_nothing_but_onnx(loaded: Loaded) -> None:
    """In 8 bits too: no operators of others, and one version of ONNX's own."""
    graph = transformer_graph(loaded[0], opset=OPSET)

    for each in (graph, in_eight_bits(graph)):
        assert {(opset.domain, opset.version) for opset in each.opset_import if opset.domain == ""} == {("", OPSET)}
        assert {node.domain for node in each.graph.node} <= {""}


def test_eight_bits_are_smaller_and_near(loaded: Loaded) -> None:
    """Rounding is no reason to read something else."""
    model, tokens = loaded
    graph = transformer_graph(model, opset=OPSET)

    rounded = in_eight_bits(graph)

    alike = (run(rounded, tokens, TEXTS) * read(model, tokens, TEXTS)).sum(axis=1)  # cosines
    assert alike.min() > 0.98
    assert {"MatMulInteger", "DynamicQuantizeLinear"} <= {node.op_type for node in rounded.graph.node}


def test_equal_transformers_make_equal_graphs(loaded: Loaded) -> None:
    """A digest names a bundle."""
    graphs = [transformer_graph(loaded[0], opset=OPSET) for _ in range(2)]

    assert graphs[0].SerializeToString(deterministic=True) == graphs[1].SerializeToString(deterministic=True)
    rounded = [in_eight_bits(graph).SerializeToString(deterministic=True) for graph in graphs]
    assert rounded[0] == rounded[1]


def test_fine_tuning_lowers_the_loss(loaded: Loaded) -> None:
    """Easy and tricky texts are told apart better at the end than at the beginning."""
    losses = fine_tune(*loaded, lessons(), EAGER)

    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:8])


def test_fine_tuning_separates_easy_from_difficult(loaded: Loaded) -> None:
    """What it learned is in the vectors: a line through them tells the difficulty."""
    model, tokens = loaded
    learned = lessons()

    fine_tune(model, tokens, learned, EAGER)

    vectors = read(model, tokens, TEXTS)
    coefficients, *_ = np.linalg.lstsq(vectors, learned.difficulty, rcond=None)
    assert np.corrcoef(vectors @ coefficients, learned.difficulty)[0, 1] > 0.95


def test_fine_tuning_repeats_itself(tmp_path: Path) -> None:
    """By seed: equal seeds give equal weights, and leave torch's own chance as it was."""
    folder, before = str(save_tiny(tmp_path, "bert")), torch.random.get_rng_state()
    weights = []
    for seed in (1, 1, 2):
        model, tokens = load(folder, limit=32)
        fine_tune(model, tokens, lessons(), Schedule(seed=seed))
        weights.append(torch.cat([each.detach().flatten() for each in model.parameters()]))

    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(before, torch.random.get_rng_state())


def test_progress_is_told_after_every_batch(loaded: Loaded) -> None:
    """Done and all."""
    told: list[tuple[int, int]] = []

    losses = fine_tune(*loaded, lessons(), Schedule(epochs=2), on_batch=lambda done, count: told.append((done, count)))

    assert told == [(done, len(losses)) for done in range(1, len(losses) + 1)]


def test_a_batch_without_answers_or_known_difficulty_teaches_nothing_wrong(loaded: Loaded) -> None:
    """No division by zero."""
    silent = replace(
        lessons(),
        success=np.full((len(TEXTS), 2), np.nan),
        weight=np.zeros(len(TEXTS)),
        difficulty=np.zeros(len(TEXTS)),
    )

    losses = fine_tune(*loaded, silent)

    assert np.isfinite(losses).all()
    assert np.isfinite(read(*loaded, TEXTS[:2])).all()


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_weights_that_miss_a_file_are_refused(tmp_path: Path, missing: str) -> None:
    """One line that names the place and the files."""
    (save_tiny(tmp_path, "bert") / missing).unlink()

    with pytest.raises(WeightsError, match="a transformer must be"):
        load(str(tmp_path), limit=32)


@pytest.mark.parametrize("broken", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 64])
def test_weights_with_a_broken_file_are_refused(tmp_path: Path, broken: str, content: bytes) -> None:
    """The same line, whatever a library says of its content."""
    (save_tiny(tmp_path, "bert") / broken).write_bytes(content)

    with pytest.raises(WeightsError, match="a transformer must be"):
        load(str(tmp_path), limit=32)


def test_more_tokens_than_a_transformer_takes_are_refused(tmp_path: Path) -> None:
    """It has no place for them."""
    with pytest.raises(WeightsError, match="it takes 512 tokens, but 513 are asked for"):
        load_tiny(tmp_path, "bert", limit=513)
