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
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from chimera_training.bundle import (
    GRAPHS,
    LENGTH_INPUT,
    LENGTH_OUTPUT,
    MANIFEST,
    READINGS_OUTPUT,
    REMAINING_TOKENS,
    REMAINING_TOKENS_HIGH,
    STAGE_TOKENS,
    TEXT,
    TEXT_INPUT,
    Manifest,
    encode,
)
from chimera_training.encoder import Encoder
from chimera_training.features import Floats
from chimera_training.length import LengthModel
from chimera_training.reading import TextHeads

# ONNX 1.10, the newest that onnxmltools writes trees for; it has every operator used.
OPSET, IR_VERSION = 15, 8
PRODUCER = "chimera"

# Largest difference between a graph in single precision and its source: of a probability, of logits of difficulty, of
# log(1 + tokens).
TOLERANCE = 1e-4

# Examples of one run: a text's vector is dense inside the graph, 32 KB each.
VERIFIED_AT_ONCE = 512


class ExportError(Exception):
    """A bundle cannot be written; the text names the file and the rule."""


def text_graph(encoder: Encoder, heads: TextHeads) -> ModelProto:
    """Return the graph from a text to what the heads read in it."""
    readings = heads.weights.shape[1]
    constants = {"weights": heads.weights, "bias": heads.bias}
    nodes = [
        *encoder.nodes(TEXT_INPUT, "vector"),
        helper.make_node("Gemm", ["vector", "weights", "bias"], ["read"]),
        helper.make_node("Split", ["read", "parts"], ["domain_logits", "difficulty"], axis=1),
        helper.make_node("Softmax", ["domain_logits"], ["domains"], axis=1),
        helper.make_node("Concat", ["domains", "difficulty"], [READINGS_OUTPUT], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "text",
        [helper.make_tensor_value_info(TEXT_INPUT, TensorProto.STRING, ["n", 1])],
        [helper.make_tensor_value_info(READINGS_OUTPUT, TensorProto.FLOAT, ["n", readings])],
        [
            *(numpy_helper.from_array(values.astype(np.float32), name) for name, values in constants.items()),
            numpy_helper.from_array(np.array([readings - 1, 1], dtype=np.int64), "parts"),
        ],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name=PRODUCER)


def tree_graph(trees: Any) -> ModelProto:
    """Return the graph from length features to log(1 + tokens), of a LightGBM booster."""
    inputs = [(LENGTH_INPUT, FloatTensorType([None, trees.num_feature()]))]
    model: ModelProto = convert_lightgbm(trees, initial_types=inputs, target_opset=OPSET, name="lengths")
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = [LENGTH_OUTPUT if name == output.name else name for name in node.output]
    output.CopyFrom(helper.make_tensor_value_info(LENGTH_OUTPUT, TensorProto.FLOAT, ["n", 1]))
    # The converter lists the operator sets in the order of a Python set, which changes from process to process.
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)
    return helper.make_model(model.graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name=PRODUCER)


@dataclass(frozen=True, slots=True)
class Exported:
    """The graphs of a bundle.

    Attributes:
        files: Bytes of every graph, by file name.
        differences: Largest difference of each from its source, on the examples it was compared on.
    """

    files: dict[str, bytes]
    differences: dict[str, float]


def export_graphs(
    encoder: Encoder, heads: TextHeads, lengths: LengthModel, *, texts: Sequence[str], rows: Any
) -> Exported:
    """Return every graph, compared with its source.

    Args:
        encoder: Turns texts into what `heads` read.
        heads: Fitted.
        lengths: Fitted.
        texts: Examples on which the text graph must answer as its source does.
        rows: The same for the trees, (n, features).

    Raises:
        ExportError: A graph answers otherwise than its source.
    """
    trees = {
        STAGE_TOKENS: lengths.stage,
        REMAINING_TOKENS: lengths.remaining,
        REMAINING_TOKENS_HIGH: lengths.remaining_high,
    }
    graphs = {
        TEXT: _bytes(text_graph(encoder, heads)),
        **{name: _bytes(tree_graph(t)) for name, t in trees.items()},
    }
    promised = {READINGS_OUTPUT: heads.read(encoder.encode(texts))}
    column = np.array(texts, dtype=object)[:, None]
    differences = {TEXT: _difference(TEXT, graphs[TEXT], {TEXT_INPUT: column}, promised)}
    for name, source in trees.items():
        promised = {LENGTH_OUTPUT: source.predict(rows)[:, None]}
        differences[name] = _difference(name, graphs[name], {LENGTH_INPUT: rows}, promised)
    return Exported(graphs, differences)


def write_bundle(out: Path, manifest: Manifest, graphs: Mapping[str, bytes]) -> None:
    """Write a bundle's folder whole or not at all; an older bundle in its place is replaced.

    Raises:
        ExportError: `out` exists and holds something that is not a bundle.
    """
    check_target(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        fresh, stale = Path(scratch) / "fresh", Path(scratch) / "stale"
        fresh.mkdir()
        for name, content in graphs.items():
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
    if strangers := sorted(entry.name for entry in out.iterdir() if entry.name not in {MANIFEST, *GRAPHS}):
        raise ExportError(f"{out}: the folder must be empty or hold a bundle only, but holds {strangers[0]!r}")


def _difference(name: str, graph: bytes, inputs: dict[str, Any], promised: dict[str, Floats]) -> float:
    """Return the largest difference of a graph's output from what its source promises."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    ((source, values),) = inputs.items()
    ((output, truth),) = promised.items()
    largest = 0.0
    for first in range(0, len(values), VERIFIED_AT_ONCE):
        some = slice(first, first + VERIFIED_AT_ONCE)
        (answer,) = session.run([output], {source: values[some]})
        if answer.shape != truth[some].shape or not np.abs(answer - truth[some]).max() <= TOLERANCE:
            raise ExportError(f"{name}: output `{output}` differs from the predictor it was made of")
        largest = max(largest, float(np.abs(answer - truth[some]).max()))
    return largest


def _bytes(model: ModelProto) -> bytes:
    content: bytes = model.SerializeToString(deterministic=True)
    return content
