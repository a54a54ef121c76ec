"""A bundle's graphs as onnxruntime sessions, checked for shape and run in batches."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from chimera_router.errors import BundleError
from chimera_router.prediction.bundle import Bundle
from chimera_router.prediction.compute import ONE_THREAD, TRANSFORMER, Compute
from chimera_training.bundle import (
    LENGTH_INPUT,
    LENGTH_OUTPUT,
    READINGS_OUTPUT,
    REMAINING_TOKENS,
    REMAINING_TOKENS_HIGH,
    STAGE_TOKENS,
    TEXT,
    TEXT_INPUT,
)
from chimera_training.features import Floats

_FATAL = 4  # onnxruntime's log level: faults come back as exceptions, its own log would print parts of the graph


class Graphs:
    """The sessions of one bundle.

    Args:
        bundle: Read and checked.
        compute: Where the text graph is computed.

    Raises:
        BundleError: onnxruntime cannot load a graph (an unknown operator, a broken file), or its inputs and outputs are
            not what the manifest promises.
    """

    def __init__(self, bundle: Bundle, compute: Compute = TRANSFORMER) -> None:
        manifest = bundle.manifest
        columns = len(manifest.features.length)
        readings = {READINGS_OUTPUT: len(manifest.readings)}
        self._text = _session(bundle, TEXT, compute, inputs={TEXT_INPUT: 1}, outputs=readings)
        self._trees = [
            _session(bundle, name, ONE_THREAD, inputs={LENGTH_INPUT: columns}, outputs={LENGTH_OUTPUT: 1})
            for name in (STAGE_TOKENS, REMAINING_TOKENS, REMAINING_TOKENS_HIGH)
        ]
        self._shifts = np.array([[0.0], [0.0], [manifest.features.high_shift]])

    def read(self, texts: Sequence[str]) -> Floats:
        """Run the text graph over n normalised texts.

        Returns:
            (n, readings), in the order of the manifest.

        Raises:
            ValueError: The graph answered with something that is not a number.
        """
        column = np.array(texts, dtype=object).reshape(-1, 1)
        return _finite(self._text.run([READINGS_OUTPUT], {TEXT_INPUT: column})[0])

    def lengths(self, rows: NDArray[np.float32]) -> Floats:
        """Run the trees over n rows of `features.length_rows`.

        Returns:
            Tokens, (3, n): of this call, of the rest of the workflow, of the rest at the .9 quantile; 0 or more.

        Raises:
            ValueError: A tree answered with something that is not a number.
        """
        answers = [trees.run([LENGTH_OUTPUT], {LENGTH_INPUT: rows})[0][:, 0] for trees in self._trees]
        tokens: Floats = np.expm1(_finite(np.array(answers)) + self._shifts)
        return tokens.clip(min=0.0)


def _finite(values: NDArray[np.float32]) -> Floats:
    if not np.isfinite(values).all():
        raise ValueError("a graph answered with something that is not a number")
    return values.astype(np.float64)


def _session(bundle: Bundle, name: str, compute: Compute, *, inputs: dict[str, int], outputs: dict[str, int]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = compute.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    try:
        session = onnxruntime.InferenceSession(bundle.graphs[name], options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 - onnxruntime's exceptions share no other base
        raise BundleError(f"{bundle.folder / name}: onnxruntime cannot load the graph") from None
    _check_widths(bundle.folder / name, "inputs", inputs, session.get_inputs())
    _check_widths(bundle.folder / name, "outputs", outputs, session.get_outputs())
    return session


def _check_widths(path: Path, side: str, promised: dict[str, int], values: Sequence[Any]) -> None:
    found = {value.name: value.shape[1] if len(value.shape) == 2 else None for value in values}
    if found != promised:
        raise BundleError(f"{path}: its {side} must be {_columns(promised)}, but are {_columns(found)}")


def _columns(widths: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` with {width} columns" for name, width in sorted(widths.items()))
