"""Bundles with one thing wrong, made from the one in the package."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from chimera_router.prediction.bundle import default_bundle
from chimera_training.bundle import MANIFEST, READINGS_OUTPUT, STAGE_TOKENS, TEXT, digest
from chimera_training.surface import SURFACE_FEATURES, SURFACE_INPUT

_HIDDEN = "the_readings_as_they_were"
_SIZE = 1024  # rows of the matrices that a slow graph multiplies, 2 billion operations each time
A_SECOND = 36  # multiplications, about so long of one core


def missing(folder: Path) -> None:
    """Leave no bundle at all."""
    shutil.rmtree(folder, ignore_errors=True)


def flipped(folder: Path) -> None:
    """Let a file have another content than the manifest says."""
    _copied(folder)
    content = bytearray((folder / STAGE_TOKENS).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / STAGE_TOKENS).write_bytes(content)


def cut(folder: Path) -> None:
    """Let a graph end in its middle, as the manifest says that it should."""
    _copied(folder)
    _seal(folder, TEXT, (folder / TEXT).read_bytes()[:-1000])


def misshapen(folder: Path) -> None:
    """Let a graph take fewer columns than there are."""
    _copied(folder)
    model = onnx.load(folder / STAGE_TOKENS)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value -= 1
    _seal(folder, STAGE_TOKENS, model.SerializeToString())


def not_a_number(folder: Path) -> None:
    """Let the text graph answer NaN."""
    nothing = numpy_helper.from_array(np.array(np.nan, dtype=np.float32), "nothing")
    _rewired(folder, [helper.make_node("Add", [_HIDDEN, "nothing"], [READINGS_OUTPUT])], [nothing])


def slow(feature: str, *, steps: int = A_SECOND) -> Callable[[Path], None]:
    """Let the text graph multiply large matrices so often wherever a feature of the text's surface is above zero."""

    def make(folder: Path) -> None:
        _rewired(folder, *_labour(feature, steps))

    return make


def _labour(feature: str, steps: int) -> tuple[Sequence[onnx.NodeProto], Sequence[onnx.TensorProto]]:
    """Return nodes that multiply a matrix by itself again and again, and add nothing to the readings for it."""
    wanted = {
        "column": np.array(SURFACE_FEATURES.index(feature)),
        "steps": np.array(steps),
        "shape": np.array([_SIZE, _SIZE]),
        "zero": np.array(0.0, dtype=np.float32),
    }
    each = numpy_helper.from_array(np.array([1 / _SIZE], dtype=np.float32))  # so that its square is the matrix again
    nodes = [
        helper.make_node("Gather", [SURFACE_INPUT, "column"], ["counts"], axis=1),
        helper.make_node("ReduceMax", ["counts"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "zero"], ["found"]),
        helper.make_node("Cast", ["found"], ["once"], to=TensorProto.INT64),
        helper.make_node("Mul", ["once", "steps"], ["times"]),
        helper.make_node("ConstantOfShape", ["shape"], ["matrix"], value=each),
        helper.make_node("Loop", ["times", "", "matrix"], ["product"], body=_squaring()),
        helper.make_node("ReduceSum", ["product"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", [_HIDDEN, "nothing"], [READINGS_OUTPUT]),
    ]
    return nodes, [numpy_helper.from_array(value, name) for name, value in wanted.items()]


def _squaring() -> onnx.GraphProto:
    matrix = [_SIZE, _SIZE]
    return helper.make_graph(
        [helper.make_node("Identity", ["go_on"], ["goes_on"]), helper.make_node("MatMul", ["a", "a"], ["b"])],
        "squaring",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", TensorProto.FLOAT, matrix),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, matrix),
        ],
    )


def _rewired(folder: Path, nodes: Sequence[onnx.NodeProto], constants: Sequence[onnx.TensorProto]) -> None:
    """Put nodes between what the text graph reads and what it answers."""
    _copied(folder)
    model = onnx.load(folder / TEXT)
    for node in model.graph.node:
        node.output[:] = [_HIDDEN if name == READINGS_OUTPUT else name for name in node.output]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(constants)
    _seal(folder, TEXT, model.SerializeToString())


def _copied(folder: Path) -> None:
    shutil.copytree(default_bundle(), folder, dirs_exist_ok=True)


def _seal(folder: Path, name: str, content: bytes) -> None:
    """Write a file, and its digest into the manifest."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = digest(content)
    (folder / MANIFEST).write_text(json.dumps(manifest))
