from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, load_from_string, numpy_helper

from chimera_router.errors import BundleError
from chimera_router.prediction.bundle import Bundle, default_bundle, read_bundle
from chimera_router.prediction.onnx import Graphs
from chimera_training.bundle import LENGTH_INPUT, LENGTH_OUTPUT, STAGE_TOKENS, TEXT

BUNDLE = read_bundle(default_bundle())
COLUMNS = len(BUNDLE.manifest.features.length)
ROWS = np.zeros(3, dtype=np.int64)  # of an application that is not known
STAGE, HIGH = 0, 2  # rows of `lengths`


def with_graph(name: str, content: bytes) -> Bundle:
    return replace(BUNDLE, graphs={**BUNDLE.graphs, name: content})


def constant(value: float, *, columns: int = COLUMNS, output: str = LENGTH_OUTPUT, operator: str = "Mul") -> bytes:
    """Return a graph that answers every row with one number."""
    zeros = numpy_helper.from_array(np.zeros((columns, 1), dtype=np.float32), "zeros")
    number = numpy_helper.from_array(np.array([value], dtype=np.float32), "number")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", [LENGTH_INPUT, "zeros"], ["nothing"]),
            helper.make_node("Add", ["nothing", "number"], ["sum"]),
            helper.make_node(operator, ["sum", "number"] if operator == "Mul" else ["sum"], [output]),
        ],
        "constant",
        [helper.make_tensor_value_info(LENGTH_INPUT, TensorProto.FLOAT, ["n", columns])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", 1])],
        [zeros, number],
    )
    return _serialised(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8))


def _serialised(model: ModelProto) -> bytes:
    content: bytes = model.SerializeToString()
    return content


def test_a_text_is_read_as_the_manifest_promises() -> None:
    """A column for each name; domains are chances that add up to 1; difficulty stands last."""
    readings = Graphs(BUNDLE).read(["write a function", ""])

    assert readings.shape == (2, len(BUNDLE.manifest.readings))
    assert BUNDLE.manifest.readings[-1] == "difficulty"
    assert readings[:, :-1].sum(axis=1) == pytest.approx([1.0, 1.0], abs=1e-4)


def test_a_batch_reads_like_its_texts_one_by_one() -> None:
    """Padding to the longest text changes nothing."""
    graphs, texts = Graphs(BUNDLE), ["sort a list", "x " * 300, "how many apples are left"]

    together = graphs.read(texts)

    assert together == pytest.approx(np.vstack([graphs.read([text]) for text in texts]), abs=1e-6)


def test_logarithms_come_back_as_tokens() -> None:
    """log(1 + tokens) out of the graph, tokens out of `lengths`; never below zero."""
    rows = np.zeros((3, COLUMNS), dtype=np.float32)

    two = Graphs(with_graph(STAGE_TOKENS, constant(2.0))).lengths(rows, ROWS)
    negative = Graphs(with_graph(STAGE_TOKENS, constant(1.0, operator="Neg"))).lengths(rows, ROWS)

    assert two[STAGE] == pytest.approx([np.expm1(4.0)] * 3)
    assert negative[STAGE].tolist() == [0.0] * 3
    assert (two > 0).all()


def test_high_quantiles_are_shifted_as_the_manifest_says() -> None:
    """Each row by the shift of its application, added in logarithms."""
    applications = BUNDLE.manifest.applications
    none = tuple(msgspec.structs.replace(each, stage_shift=0.0, remaining_shift=0.0) for each in applications)
    plain = replace(BUNDLE, manifest=msgspec.structs.replace(BUNDLE.manifest, applications=none))
    rows, numbers = np.zeros((2, COLUMNS), dtype=np.float32), np.array([0, 1])

    remaining, unshifted = (np.log1p(Graphs(each).lengths(rows, numbers)[HIGH]) for each in (BUNDLE, plain))
    stage, unshifted_stage = (np.log1p(Graphs(each).stage_high(rows, numbers)) for each in (BUNDLE, plain))

    assert remaining - unshifted == pytest.approx([each.remaining_shift for each in applications[:2]], abs=1e-6)
    assert stage - unshifted_stage == pytest.approx([each.stage_shift for each in applications[:2]], abs=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_answer_that_is_no_number_is_an_error(value: float) -> None:
    """Decisions are never made from NaN."""
    graphs = Graphs(with_graph(STAGE_TOKENS, constant(value)))

    with pytest.raises(ValueError, match="not a number"):
        graphs.lengths(np.zeros((3, COLUMNS), dtype=np.float32), ROWS)


@pytest.mark.parametrize("content", [b"", b"not a graph", BUNDLE.graphs[TEXT][:1000]])
def test_what_is_no_graph_is_refused_by_name(content: bytes) -> None:
    """Broken bytes with the right digest."""
    with pytest.raises(BundleError, match=r"text\.onnx: onnxruntime cannot load the graph"):
        Graphs(with_graph(TEXT, content))


def test_an_operator_that_onnxruntime_does_not_bring_is_refused() -> None:
    """Custom operators would need foreign code."""
    model: Any = load_from_string(constant(1.0))
    model.graph.node[0].domain = "evil.ops"
    model.opset_import.append(helper.make_opsetid("evil.ops", 1))

    with pytest.raises(BundleError, match=r"stage_tokens\.onnx: onnxruntime cannot load the graph"):
        Graphs(with_graph(STAGE_TOKENS, _serialised(model)))


def test_an_input_of_another_width_is_refused() -> None:
    """The text names what the manifest promises and what the graph has."""
    with pytest.raises(
        BundleError, match=rf"inputs must be `features` with {COLUMNS} columns, but are `features` with 3 columns"
    ):
        Graphs(with_graph(STAGE_TOKENS, constant(1.0, columns=3)))


def test_an_output_of_another_name_is_refused() -> None:
    """Outputs are found by name."""
    with pytest.raises(BundleError, match="outputs must be `log_tokens` with 1 columns, but are `variable`"):
        Graphs(with_graph(STAGE_TOKENS, constant(1.0, output="variable")))


def test_another_number_of_readings_is_refused() -> None:
    """A manifest that names fewer readings than the graph gives does not fit it."""
    fewer = msgspec.structs.replace(BUNDLE.manifest, readings=BUNDLE.manifest.readings[:-1])

    with pytest.raises(BundleError, match=r"text\.onnx: its outputs must be `readings` with \d+ columns"):
        Graphs(replace(BUNDLE, manifest=fewer))
