"""Cuts out of the full data what may be shipped: `python -m chimera_training.redistribute SOURCE_DIR [TARGET_DIR]`.

Made the files of `recorded/`. The columns stay as they are.
"""

import argparse
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chimera_training.data import ARRIVALS, PROMPT_OUTCOMES, WORKFLOW_TRACES, recorded_folder

# MATH's texts are under a copyright complaint of January 2025; HotpotQA's are share-alike. MINT took tasks from both.
WITHHELD_TASK_SETS = frozenset({"math-l5", "mint-math", "mint-hotpotqa"})
WITHHELD_MINT_CATEGORIES = frozenset({"math", "hotpotqa"})

# One prompt in this many stays, where a task set is large: MMLU-Pro's 8,980 texts alone would take 1.5 MB of the 3 MB
# that the recorded data may weigh.
SAMPLED_ONE_IN = {"mmlu-pro": 3}


def may_be_shipped(task_set: str, category: str = "") -> bool:
    """Tell whether the licence of a row's task allows redistribution (MMLU-Pro's own category `math` is not MATH)."""
    if task_set in WITHHELD_TASK_SETS:
        return False
    return not (task_set.startswith("mint") and category in WITHHELD_MINT_CATEGORIES)


def is_sampled(task_set: str, prompt_id: str) -> bool:
    """Tell whether a prompt is in the sample of its task set; a digest of its id decides, so for all its rows alike."""
    digest = hashlib.sha256(prompt_id.encode()).digest()
    return int.from_bytes(digest[:8]) % SAMPLED_ONE_IN.get(task_set, 1) == 0


def shippable_prompt_outcomes(table: Any) -> Any:
    """Return the rows of `prompt_outcomes.parquet` that ship."""
    rows = zip(*(table[name].to_pylist() for name in ("task_set", "category", "prompt_id")), strict=True)
    return _rows(
        table, [may_be_shipped(task_set, category) and is_sampled(task_set, key) for task_set, category, key in rows]
    )


def shippable_workflow_traces(table: Any) -> Any:
    """Return the rows of `workflow_traces.parquet` that ship."""
    return _rows(table, [may_be_shipped(task_set) for task_set in table["task_set"].to_pylist()])


def _rows(table: Any, kept: Sequence[bool]) -> Any:
    """Select rows and build every dictionary anew, or the texts of the rows left out would still be inside the file."""
    columns = [_without_unused_words(column) for column in table.filter(pa.array(kept)).columns]
    return pa.table(columns, names=table.column_names)


def _without_unused_words(column: Any) -> Any:
    if not pa.types.is_dictionary(column.type):
        return column
    return column.cast(column.type.value_type).combine_chunks().dictionary_encode()


def redistribute(source: Path, target: Path) -> None:
    """Write the three data files that may be shipped from a folder with the full data."""
    target.mkdir(parents=True, exist_ok=True)
    for name, shippable in ((PROMPT_OUTCOMES, shippable_prompt_outcomes), (WORKFLOW_TRACES, shippable_workflow_traces)):
        table = shippable(pq.read_table(source / name))
        pq.write_table(table, target / name, compression="zstd", compression_level=19)
    shutil.copyfile(source / ARRIVALS, target / ARRIVALS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m chimera_training.redistribute", description=__doc__)
    parser.add_argument("source", type=Path, metavar="SOURCE_DIR", help="folder with the full data")
    parser.add_argument("target", type=Path, metavar="TARGET_DIR", nargs="?", default=recorded_folder())
    parsed = parser.parse_args(arguments)
    redistribute(parsed.source, parsed.target)


if __name__ == "__main__":
    main()
