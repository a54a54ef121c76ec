"""A bundle's graphs as onnxruntime sessions, checked for shape and run in batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from chimera_router.errors import BundleError
from chimera_router.prediction.bundle import Bundle
from chimera_training.bundle import (
    CONFIDENCE_OUTPUT,
    DIFFICULTY_OUTPUT,
    DOMAINS_OUTPUT,
    LENGTH_INPUT,
    LENGTH_OUTPUT,
    REMAINING_TOKENS,
    REMAINING_TOKENS_HIGH,
    STAGE_TOKENS,
    TEXT,
    TEXT_INPUT,
)
from chimera_training.features import Floats

_FATAL = 4  # onnxruntime's log level: faults come back as exceptions, its own log would print parts of the graph


@dataclass(frozen=True, slots=True)
class TextReading:
    """What the text graph made of n texts.

    Attributes:
        confidence: (n, models of the bundle), 0 to 1.
        facts: (n, domains + 1): a probability for each domain, and the difficulty.
    """

    confidence: Floats
    facts: Floats


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens for n rows of features, each (n,)."""

    stage: Floats
    remaining: Floats
    remaining_high: Floats


class Graphs:
    """The sessions of one bundle.

    Args:
        bundle: Read and checked.

    Raises:
        BundleError: onnxruntime cannot load a graph (an unknown operator, a broken file), or its inputs and outputs are
            not what the manifest promises.
    """

    def __init__(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        models, domains, columns = len(manifest.models), len(manifest.domains), len(manifest.features.length)
        outputs = {CONFIDENCE_OUTPUT: models, DOMAINS_OUTPUT: domains, DIFFICULTY_OUTPUT: 1}
        self._text = _session(bundle, TEXT, inputs={TEXT_INPUT: 1}, outputs=outputs)
        self._stage, self._remaining, self._high = (
            _session(bundle, name, inputs={LENGTH_INPUT: columns}, outputs={LENGTH_OUTPUT: 1})
            for name in (STAGE_TOKENS, REMAINING_TOKENS, REMAINING_TOKENS_HIGH)
        )
        self._shift = manifest.features.high_shift

    def read(self, texts: Sequence[str]) -> TextReading:
        """Run the text graph over normalised texts.

        Raises:
            ValueError: The graph answered with something that is not a number.
        """
        column = np.array(texts, dtype=object).reshape(-1, 1)
        confidence, domains, difficulty = self._text.run(
            [CONFIDENCE_OUTPUT, DOMAINS_OUTPUT, DIFFICULTY_OUTPUT], {TEXT_INPUT: column}
        )
        return TextReading(_finite(confidence).clip(0.0, 1.0), _finite(np.hstack([domains, difficulty])))

    def lengths(self, rows: NDArray[np.float32]) -> Lengths:
        """Run the trees over rows of `features.length_rows`.

        Raises:
            ValueError: A tree answered with something that is not a number.
        """
        stage, remaining, high = (
            _finite(session.run([LENGTH_OUTPUT], {LENGTH_INPUT: rows})[0].reshape(-1))
            for session in (self._stage, self._remaining, self._high)
        )
        return Lengths(_tokens(stage), _tokens(remaining), _tokens(high + self._shift))


def _finite(values: NDArray[np.float32]) -> Floats:
    if not np.isfinite(values).all():
        raise ValueError("a graph answered with something that is not a number")
    return values.astype(np.float64)


def _tokens(logarithms: Floats) -> Floats:
    tokens: Floats = np.maximum(np.expm1(logarithms), 0.0)
    return tokens


def _session(bundle: Bundle, name: str, *, inputs: dict[str, int], outputs: dict[str, int]) -> Any:
    options = onnxruntime.SessionOptions()
    # One thread each: a run takes tens of microseconds; waking others takes longer and steals the event loop's core.
    options.intra_op_num_threads = 1
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
