"""Columns of a parquet file, read with their rules checked once so that nothing downstream has to."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# Rows from which on labels that are all alike are a mistake: fewer may have come out so by chance.
ENOUGH_LABELS = 20

Number = TypeVar("Number", int, float)


class DataError(Exception):
    """Training data breaks a rule; the text names the file, the column and the rule."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The table of one file, with one reader for each kind of column."""

    file: str
    table: Any

    def text(self, name: str) -> list[str]:
        """Return a text column; rows with equal text share one string."""
        column = self._filled(name).combine_chunks()
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        if not pa.types.is_string(column.type.value_type):
            raise self._broken(name, "text")
        words: Sequence[str] = column.dictionary.to_pylist()
        return [words[index] for index in column.indices.to_pylist()]

    def counts(self, name: str) -> list[int]:
        """Return a column of whole numbers, 0 or more."""
        rule = "a whole number, 0 or more"
        return self._checked(name, self._whole(name, rule), lambda n: n >= 0, rule)

    def flags(self, name: str) -> list[bool]:
        """Return a column of 0 and 1 as truth values."""
        values = self._checked(name, self._whole(name, "0 or 1"), lambda n: n in {0, 1}, "0 or 1")
        return [value == 1 for value in values]

    def check_labels(self, name: str) -> None:
        """Make sure that something can be learned from a column of 0 and 1: many rows must not all say the same.

        Raises:
            DataError: They do.
        """
        rows = self.table.num_rows
        if rows >= ENOUGH_LABELS and len(pc.unique(self._filled(name))) == 1:
            raise DataError(f"{self.file}: column {name!r} must hold both 0 and 1, but all {rows} rows are alike")

    def sizes(self, name: str) -> list[float]:
        """Return a column of positive numbers to three decimals, where an empty cell reads as 0.0: not published."""
        rule = "a positive number or empty"
        column = self._cast(name, pc.fill_null(self._column(name), 0), pa.float64(), rule)
        values: list[float] = pc.round(column, 3).to_pylist()  # the files hold single precision
        return self._checked(name, values, lambda n: 0 <= n < float("inf"), rule)

    def _column(self, name: str) -> Any:
        if name not in self.table.column_names:
            raise DataError(f"{self.file}: column {name!r} is missing")
        return self.table[name]

    def _filled(self, name: str) -> Any:
        column = self._column(name)
        if column.null_count:
            raise DataError(f"{self.file}: column {name!r} must have no empty cells")
        return column

    def _whole(self, name: str, rule: str) -> list[int]:
        values: list[int] = self._cast(name, self._filled(name), pa.int64(), rule).to_pylist()
        return values

    def _cast(self, name: str, column: Any, kind: Any, rule: str) -> Any:
        try:
            return column.cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise self._broken(name, rule) from None

    def _checked(self, name: str, values: list[Number], valid: Callable[[Number], bool], rule: str) -> list[Number]:
        if not all(map(valid, values)):
            raise self._broken(name, rule)
        return values

    def _broken(self, name: str, rule: str) -> DataError:
        return DataError(f"{self.file}: every cell of column {name!r} must be {rule}")


def read_columns(path: Path, *, labels: str, models: Collection[str] | None = None) -> Columns:
    """Read a parquet file, keeping the rows of these models; None keeps all.

    Args:
        path: Of the file.
        labels: Column of 0 and 1 that must hold both, all models taken together.
        models: Whose rows to keep.

    Raises:
        DataError: The file is missing or is not parquet, its labels are all alike, or it has no column `model` to
            select by.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing") from None
    except (OSError, pa.ArrowException):
        raise DataError(f"{path}: the file must be parquet") from None
    columns = Columns(path.name, table)
    columns.check_labels(labels)
    if models is None:
        return columns
    return Columns(path.name, table.filter(pa.array(_member(columns.text("model"), models))))


def _member(values: Iterable[str], wanted: Collection[str]) -> list[bool]:
    return [value in wanted for value in values]
