"""From fitted predictors to a folder: ONNX graphs, checked against their sources, and the manifest.

Every graph is run on examples before it is written and must answer what its source answers: exporters are known to fail
silently.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper

from chimera_training.bundle import (
    GRAPHS,
    LENGTH_INPUT,
    LENGTH_OUTPUT,
    MANIFEST,
    READINGS_OUTPUT,
    REMAINING_TOKENS,
    REMAINING_TOKENS_HIGH,
    STAGE_TOKENS,
    STAGE_TOKENS_HIGH,
    TEXT,
    TOKENIZER,
    Manifest,
    RoundingFigures,
    encode,
)
from chimera_training.encoder import Encoder
from chimera_training.ensemble import Ensemble
from chimera_training.features import Floats
from chimera_training.length import LengthModel
from chimera_training.reading import TextHeads
from chimera_training.text_graph import IR_VERSION, PRODUCER, compared_texts, rounding, run, text_graph

# ONNX 1.10, the newest that onnxmltools writes trees for; it has every operator used.
OPSET = 15

# Largest difference between a graph in single precision and its source: of a probability, of logits of difficulty, of
# log(1 + tokens).
TOLERANCE = 1e-4

_FILES = {MANIFEST, *GRAPHS, TOKENIZER}


class ExportError(Exception):
    """A bundle cannot be written; the text names the file and the rule."""


def tree_graph(trees: Ensemble) -> ModelProto:
    """Return the graph from length features to log(1 + tokens)."""
    model = trees.graph(LENGTH_INPUT, opset=OPSET)
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = [LENGTH_OUTPUT if name == output.name else name for name in node.output]
    output.CopyFrom(helper.make_tensor_value_info(LENGTH_OUTPUT, TensorProto.FLOAT, ["n", 1]))
    # Converters list the operator sets twice, or in the order of a Python set, which changes from process to process.
    versions = {opset.domain: opset.version for opset in model.opset_import}
    opsets = [helper.make_opsetid(domain, version) for domain, version in sorted(versions.items())]
    return helper.make_model(model.graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name=PRODUCER)


@dataclass(frozen=True, slots=True)
class Exported:
    """What a bundle holds beside its manifest.

    Attributes:
        files: Bytes of every graph, and of the tokenizer where the text graph takes tokens, by file name.
        differences: Largest difference of every graph in single precision from its source, on the examples it was
            compared on.
        rounding: What weights in 8 bits changed; None without such.
    """

    files: dict[str, bytes]
    differences: dict[str, float]
    rounding: RoundingFigures | None


def export_graphs(
    encoder: Encoder, heads: TextHeads, lengths: LengthModel, *, texts: Sequence[str], rows: Any
) -> Exported:
    """Make every file but the manifest, each graph compared with its source.

    Args:
        encoder: Turns texts into what `heads` read.
        heads: Fitted.
        lengths: Fitted.
        texts: Examples on which the text graph must answer as its source does.
        rows: The same for the trees, (n, features).

    Raises:
        ExportError: A graph answers otherwise than its source.
    """
    text, trees = _export_text(encoder, heads, compared_texts(encoder, texts)), _export_trees(lengths, rows)
    tokenizer = {} if encoder.tokens is None else {TOKENIZER: encoder.tokens.content}
    return Exported(text.files | trees.files | tokenizer, text.differences | trees.differences, text.rounding)


def _export_text(encoder: Encoder, heads: TextHeads, texts: Sequence[str]) -> Exported:
    graph = _bytes(text_graph(encoder, heads))
    readings = heads.read(encoder.encode(texts))
    differences = {TEXT: _compare(TEXT, READINGS_OUTPUT, run(graph, encoder, texts), readings)}
    if not encoder.int8:
        return Exported({TEXT: graph}, differences, None)
    graph = _bytes(text_graph(encoder, heads, int8=True))
    return Exported({TEXT: graph}, differences, rounding(graph, encoder, texts, readings))


def _export_trees(lengths: LengthModel, rows: Any) -> Exported:
    trees = {
        STAGE_TOKENS: lengths.stage,
        STAGE_TOKENS_HIGH: lengths.stage_high,
        REMAINING_TOKENS: lengths.remaining,
        REMAINING_TOKENS_HIGH: lengths.remaining_high,
    }
    graphs = {name: _bytes(tree_graph(source)) for name, source in trees.items()}
    differences = {}
    for name, source in trees.items():
        session = onnxruntime.InferenceSession(graphs[name], providers=["CPUExecutionProvider"])
        (answers,) = session.run([LENGTH_OUTPUT], {LENGTH_INPUT: rows})
        differences[name] = _compare(name, LENGTH_OUTPUT, answers, source.predict(rows)[:, None])
    return Exported(graphs, differences, None)


def write_bundle(out: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write a bundle's folder whole or not at all; an older bundle in its place is replaced.

    Raises:
        ExportError: `out` exists and holds something that is not a bundle.
    """
    check_target(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        fresh, stale = Path(scratch) / "fresh", Path(scratch) / "stale"
        fresh.mkdir()
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        (fresh / MANIFEST).write_bytes(encode(manifest))
        if out.exists():
            out.rename(stale)
        fresh.rename(out)


def check_target(out: Path) -> None:
    """Make sure that writing to `out` destroys nothing but a bundle.

    Raises:
        ExportError: It exists and is neither an empty folder nor a bundle.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise ExportError(f"{out}: a bundle is a folder, and this is a file")
    if strangers := sorted(entry.name for entry in out.iterdir() if entry.name not in _FILES):
        raise ExportError(f"{out}: the folder must be empty or hold a bundle only, but holds {strangers[0]!r}")


def _compare(name: str, output: str, answers: Any, truth: Floats) -> float:
    """Return the largest difference of a graph's output from what its source promises.

    Raises:
        ExportError: It is too large, or no number.
    """
    if answers.shape == truth.shape and (largest := float(np.abs(answers - truth).max())) <= TOLERANCE:
        return largest
    raise ExportError(f"{name}: output `{output}` differs from the predictor it was made of")


def _bytes(model: ModelProto) -> bytes:
    content: bytes = model.SerializeToString(deterministic=True)
    return content
