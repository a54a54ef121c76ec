"""Run an encoder's ONNX nodes on their own."""

from functools import lru_cache
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from chimera_training.encoder import OPSET, Encoder
from chimera_training.tokens import text_inputs


def run(encoder: Encoder, texts: list[str]) -> Any:
    """Return the vectors, (texts, width)."""
    session = _session(encoder)
    names = [value.name for value in session.get_inputs()]
    return session.run(None, text_inputs(texts, encoder.tokens, names))[0]


@lru_cache
def _session(encoder: Encoder) -> Any:
    width = encoder.width
    part = encoder.products(np.eye(width), "encoder_", int8=False)
    vector = helper.make_tensor_value_info(part.output, TensorProto.FLOAT, ["n", width])
    graph = helper.make_graph(part.nodes, "encoder", part.inputs, [vector], part.weights)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
