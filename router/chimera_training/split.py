"""Which tasks train and which are held out: by a digest of the task's id, the same on every machine and for every file.

A seed names one such split. Seed 0 is the one that bundles are made by; others serve to measure how figures vary.

Whoever measures a bundle, or replays workflows through it, takes held-out tasks: the bundle has not seen their answers.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# Enough held-out tasks that an AUC over a small set (230 agent tasks) has a standard error near 0.05; the rest trains.
HELD_OUT_SHARE = 0.3

# Characters: below this, one text beginning another ("Hello") says nothing about the two being one task.
SHORTEST_TWIN = 40


@dataclass(frozen=True, slots=True)
class Split:
    """Two sides of some tasks; one may be on neither.

    Attributes:
        training: (tasks,) to fit on.
        held_out: (tasks,) to measure on.
    """

    training: NDArray[np.bool_]
    held_out: NDArray[np.bool_]


def split(ids: Sequence[str], texts: Sequence[str], *, share: float = HELD_OUT_SHARE, seed: int = 0) -> Split:
    """Put every task on its side; one that repeats a held-out task under another id is on neither.

    Args:
        ids: Of the tasks.
        texts: Their texts.
        share: Of the tasks to hold out, 0 to 1.
        seed: Names the split.
    """
    held = np.array([held_out(task_id, share=share, seed=seed) for task_id in ids], dtype=np.bool_)
    return Split(training=~held & ~leaks(texts, held), held_out=held)


def held_out(task_id: str, *, share: float = HELD_OUT_SHARE, seed: int = 0) -> bool:
    """Tell whether a task, named by `task_id` or `prompt_id`, is kept out of training, which leaves out this share."""
    return _unit(f"held-out/{seed}" if seed else "held-out", task_id) < share


def fold(task_id: str, folds: int) -> int:
    """Return the fold, 0 to `folds - 1`, that a training task belongs to."""
    return int(_unit("fold", task_id) * folds)


def _unit(salt: str, task_id: str) -> float:
    digest = hashlib.sha256(f"{salt}/{task_id}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48  # 48 bits: exact in a float and never rounded up to 1


def leaks(texts: Sequence[str], held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the training tasks that repeat a held-out one under another id: one text begins or equals the other.

    Benchmarks borrow from each other: MINT took questions of GSM8K and added a line on the format of the answer.
    """
    order = sorted(range(len(texts)), key=texts.__getitem__)
    # In sorted order all texts that begin with the same text stand right behind it.
    cluster = np.zeros(len(texts), dtype=np.int64)
    root = ""
    for before, after in pairwise([order[0], *order] if order else []):
        same = len(root) >= SHORTEST_TWIN and texts[after].startswith(root)
        root = root if same else texts[after]
        cluster[after] = cluster[before] if same else cluster[before] + 1
    tainted = np.bincount(cluster, held, minlength=1) > 0
    return tainted[cluster] & ~held
