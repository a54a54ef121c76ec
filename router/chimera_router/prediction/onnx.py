"""A bundle's graphs as onnxruntime sessions, checked for shape and run in batches."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from chimera_router.errors import BundleError
from chimera_router.prediction.bundle import Bundle
from chimera_router.prediction.compute import CUDA_PROVIDER, ONE_THREAD, TRANSFORMER, Compute, Device
from chimera_training.bundle import (
    LENGTH_INPUT,
    LENGTH_OUTPUT,
    READINGS_OUTPUT,
    REMAINING_TOKENS,
    REMAINING_TOKENS_HIGH,
    STAGE_TOKENS,
    STAGE_TOKENS_HIGH,
    TEXT,
    TEXT_INPUT,
    TOKENIZER,
)
from chimera_training.encodings import Integers
from chimera_training.features import Floats
from chimera_training.surface import SURFACE_FEATURES, SURFACE_INPUT
from chimera_training.tokens import TOKEN_INPUTS, TokenizerError, Tokens, text_inputs

ANY_LENGTH = "any number of"  # columns of an input whose width is the longest text's

_FATAL = 4  # onnxruntime's log level: faults come back as exceptions, its own log would print parts of the graph


class Graphs:
    """The sessions of one bundle.

    Args:
        bundle: Read and checked.
        compute: Where a transformer in it is computed.

    Raises:
        BundleError: onnxruntime cannot load a graph (an unknown operator, a broken file), its inputs and outputs are
            not what the manifest promises, or the graphics card that it shall run on is not there.
    """

    def __init__(self, bundle: Bundle, compute: Compute = TRANSFORMER) -> None:
        manifest = bundle.manifest
        self._tokens = _tokenizer(bundle)
        self._text = _text_session(bundle, ONE_THREAD if self._tokens is None else compute)
        self._text_inputs = [value.name for value in self._text.get_inputs()]
        self._medians = [_tree_session(bundle, name) for name in (STAGE_TOKENS, REMAINING_TOKENS)]
        self._remaining_high = _tree_session(bundle, REMAINING_TOKENS_HIGH)
        self._stage_high = _tree_session(bundle, STAGE_TOKENS_HIGH)
        self._remaining_shifts = np.array([each.remaining_shift for each in manifest.applications])
        self._stage_shifts = np.array([each.stage_shift for each in manifest.applications])

    def read(self, texts: Sequence[str]) -> Floats:
        """Run the text graph over n normalised texts.

        Returns:
            (n, readings), in the order of the manifest.

        Raises:
            ValueError: The graph answered with something that is not a number.
        """
        inputs = text_inputs(texts, self._tokens, self._text_inputs)
        return _finite(self._text.run([READINGS_OUTPUT], inputs)[0])

    def medians(self, rows: NDArray[np.float32]) -> Iterator[tuple[float, float]]:
        """Run the trees that decisions are made by over n rows of `features.length_rows`.

        Args:
            rows: (n, features).

        Returns:
            Tokens, row by row: of this call, and of the rest of the workflow with it; 0 or more.

        Raises:
            ValueError: A tree answered with something that is not a number.
        """
        stage, remaining = (_run(trees, rows).tolist() for trees in self._medians)
        return zip(map(_count, stage), map(_count, remaining), strict=True)

    def lengths(self, rows: NDArray[np.float32], application: Integers) -> Floats:
        """Return what `medians` does, and tokens of the rest of the workflow at the .9 quantile, (3, n).

        Args:
            rows: (n, features).
            application: (n,) number of each row's application, by which the high quantile is shifted.

        Raises:
            ValueError: A tree answered with something that is not a number.
        """
        highs = _run(self._remaining_high, rows) + self._remaining_shifts[application]
        return np.array([*zip(*self.medians(rows), strict=True), [_count(log) for log in highs]])

    def stage_high(self, rows: NDArray[np.float32], application: Integers) -> Floats:
        """Return tokens of this call at the .9 quantile, (n,), as `lengths` does."""
        return np.array([_count(log) for log in _run(self._stage_high, rows) + self._stage_shifts[application]])


def _count(log: float) -> float:
    """Return the tokens whose log(1 + tokens) this is.

    Raises:
        ValueError: It is not a number.
    """
    if not math.isfinite(log):
        raise ValueError("a graph answered with something that is not a number")
    return max(0.0, math.expm1(log))


def _run(trees: Any, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    answers: NDArray[np.float32] = trees.run([LENGTH_OUTPUT], {LENGTH_INPUT: rows})[0][:, 0]
    return answers


def _finite(values: NDArray[np.float32]) -> Floats:
    if not np.isfinite(values).all():
        raise ValueError("a graph answered with something that is not a number")
    return values.astype(np.float64)


def _tokenizer(bundle: Bundle) -> Tokens | None:
    limit = bundle.manifest.features.token_limit
    if not limit:
        return None
    try:
        return Tokens(bundle.graphs[TOKENIZER], limit=limit)
    except TokenizerError as error:
        raise BundleError(f"{bundle.folder / TOKENIZER}: {error}") from None
    except ModuleNotFoundError:
        raise BundleError(
            f"{bundle.folder / TOKENIZER}: it is read by the package `tokenizers`, which is missing"
        ) from None


def _text_session(bundle: Bundle, compute: Compute) -> Any:
    session = _session(bundle, TEXT, compute)
    path, manifest = bundle.folder / TEXT, bundle.manifest
    taken = {value.name for value in session.get_inputs()}
    tokens = dict.fromkeys(TOKEN_INPUTS, ANY_LENGTH) if manifest.features.token_limit else {}
    surface = {SURFACE_INPUT: len(SURFACE_FEATURES)} if SURFACE_INPUT in taken else {}
    # Words may be read beside others, and must be where there is nothing else.
    words = {TEXT_INPUT: 1} if TEXT_INPUT in taken or not (tokens or surface) else {}
    _check_widths(path, "inputs", words | surface | tokens, session.get_inputs())
    _check_widths(path, "outputs", {READINGS_OUTPUT: len(manifest.readings)}, session.get_outputs())
    return session


def _tree_session(bundle: Bundle, name: str) -> Any:
    session = _session(bundle, name, ONE_THREAD)
    columns = len(bundle.manifest.features.length)
    _check_widths(bundle.folder / name, "inputs", {LENGTH_INPUT: columns}, session.get_inputs())
    _check_widths(bundle.folder / name, "outputs", {LENGTH_OUTPUT: 1}, session.get_outputs())
    return session


def _session(bundle: Bundle, name: str, compute: Compute) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = compute.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    # Threads that wait for work by turning in circles would take the event loop's core.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    available = onnxruntime.get_available_providers()
    _check_card(bundle.folder / name, compute, available)
    try:
        session = onnxruntime.InferenceSession(bundle.graphs[name], options, providers=compute.providers(available))
    except Exception:  # noqa: BLE001 - onnxruntime's exceptions share no other base
        raise BundleError(f"{bundle.folder / name}: onnxruntime cannot load the graph") from None
    # A build for graphics cards falls back to the processor where there is none.
    _check_card(bundle.folder / name, compute, session.get_providers())
    return session


def _check_card(path: Path, compute: Compute, providers: Sequence[str]) -> None:
    if compute.device is Device.CUDA and CUDA_PROVIDER not in providers:
        raise BundleError(f"{path}: onnxruntime finds no graphics card to compute it on")


def _check_widths(path: Path, side: str, promised: dict[str, Any], values: Sequence[Any]) -> None:
    found = {value.name: _width(value.shape) for value in values}
    if found != promised:
        raise BundleError(f"{path}: its {side} must be {_columns(promised)}, but are {_columns(found)}")


def _width(shape: Sequence[Any]) -> Any:
    if len(shape) != 2:
        return None
    return shape[1] if isinstance(shape[1], int) else ANY_LENGTH


def _columns(widths: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` with {width} columns" for name, width in sorted(widths.items()))
