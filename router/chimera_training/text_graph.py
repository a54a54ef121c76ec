"""The text graph of a bundle: from a text, or its tokens, to what the heads read in it.

In single precision it must answer what its source answers. Weights in 8 bits answer otherwise: by how much is measured,
and stands in the manifest.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from chimera_training.bundle import READINGS_OUTPUT, RoundingFigures
from chimera_training.encoder import OPSET, Encoder
from chimera_training.features import Floats
from chimera_training.reading import TextHeads
from chimera_training.tokens import text_inputs

IR_VERSION = 8  # of ONNX 1.10 to 1.12
PRODUCER = "chimera"

# Texts of one run: a TF-IDF vector is dense inside the graph, 32 KB each.
VERIFIED_AT_ONCE = 512

# The same where the graph holds a transformer: what it computes inside takes megabytes a text.
TRANSFORMED_AT_ONCE = 16

# Texts on which a transformer's graph is compared with its source, a minute's work; other graphs take all.
TRANSFORMED_TEXTS = 500


def text_graph(encoder: Encoder, heads: TextHeads, *, int8: bool = False) -> ModelProto:
    """Return the graph from a text to what the heads read in it."""
    readings = heads.weights.shape[1]
    part = encoder.products(heads.weights, "encoder_", int8=int8)
    nodes = [
        *part.nodes,
        helper.make_node("Add", [part.output, "bias"], ["read"]),
        helper.make_node("Split", ["read", "parts"], ["domain_logits", "difficulty"], axis=1),
        helper.make_node("Softmax", ["domain_logits"], ["domains"], axis=1),
        helper.make_node("Concat", ["domains", "difficulty"], [READINGS_OUTPUT], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "text",
        part.inputs,
        [helper.make_tensor_value_info(READINGS_OUTPUT, TensorProto.FLOAT, ["n", readings])],
        [
            *part.weights,
            numpy_helper.from_array(heads.bias.astype(np.float32), "bias"),
            numpy_helper.from_array(np.array([readings - 1, 1], dtype=np.int64), "parts"),
        ],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name=PRODUCER)


def compared_texts(encoder: Encoder, texts: Sequence[str]) -> list[str]:
    """Return the texts on which the graph of this encoder is compared with its source."""
    count = len(texts) if encoder.tokens is None else min(TRANSFORMED_TEXTS, len(texts))
    return [texts[place] for place in np.linspace(0, len(texts) - 1, num=count, dtype=np.int64)]


def run(graph: bytes, encoder: Encoder, texts: Sequence[str], *, at_once: int | None = None) -> NDArray[np.float32]:
    """Return what a text graph reads, (n, readings), by default in batches of the largest size that is sensible."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    size = at_once or (VERIFIED_AT_ONCE if encoder.tokens is None else TRANSFORMED_AT_ONCE)
    return np.vstack([_run(session, encoder, texts[first : first + size]) for first in range(0, len(texts), size)])


def _run(session: Any, encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
    names = [value.name for value in session.get_inputs()]
    readings: NDArray[np.float32] = session.run([READINGS_OUTPUT], text_inputs(texts, encoder.tokens, names))[0]
    return readings


def rounding(graph: bytes, encoder: Encoder, texts: Sequence[str], readings: Floats) -> RoundingFigures:
    """Compare a graph with weights in 8 bits with what its source reads, (n, readings)."""
    among_others, alone = run(graph, encoder, texts), run(graph, encoder, texts, at_once=1)
    difference = np.abs(alone - readings)
    return RoundingFigures(
        texts=len(texts),
        largest=float(difference.max()),
        mean=float(difference.mean()),
        batch=float(np.abs(among_others - alone).max()),
    )
