"""A transformer as an ONNX graph: from `input_ids` and `attention_mask` to its vectors, in 32 or in 8 bits.

Needs the packages of the extra `encoders`.
"""

import io
import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from onnx import ModelProto
from onnxruntime.quantization import QuantType, quantize_dynamic

from chimera_training.tokens import ATTENTION_MASK, INPUT_IDS, TOKEN_INPUTS
from chimera_training.transformer import TextTransformer

VECTOR = "vector"  # output of the graph


def transformer_graph(model: TextTransformer, *, opset: int) -> ModelProto:
    """Return the graph in single precision, for any number of texts of any length.

    Made by torch's exporter that follows one run: the newer one needs a package more, and of ModernBERT makes a graph
    three times as slow.
    """
    model = model.cpu().eval()
    model.body.set_attn_implementation("eager")  # plain matrix products, which the exporter and the 8 bits know
    axes = {name: {0: "n", 1: "length"} for name in TOKEN_INPUTS}
    numbers = torch.ones((2, 3), dtype=torch.int64)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    content = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older exporter's age, and of branches that every length takes alike
        torch.onnx.export(
            model,
            (numbers, mask),
            content,
            input_names=[INPUT_IDS, ATTENTION_MASK],
            output_names=[VECTOR],
            dynamic_axes={**axes, VECTOR: {0: "n"}},
            opset_version=opset,
            dynamo=False,
        )
    return onnx.load_from_string(content.getvalue())


def in_eight_bits(graph: ModelProto) -> ModelProto:
    """Return the graph with weights in 8 bits, a scale for each column; its activations are rounded as they come.

    Of the 8 bits 7 are used: with all of them a processor without VNNI overflows, and answers otherwise than one that
    has it.
    """
    with tempfile.TemporaryDirectory() as folder:
        rounded = Path(folder) / "rounded.onnx"
        quantize_dynamic(graph, rounded, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
        return onnx.load(rounded)
