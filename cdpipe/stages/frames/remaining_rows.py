"""The rows of a partition that are still in, while a stage drops some for one reason after another."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import BY_NAME, Column
from cdpipe.kernels.buffers.selection import Kept
from cdpipe.kernels.text.sentinels import is_settled
from cdpipe.stages.frames.frame_columns import type_series
from cdpipe.stages.frames.interop import keep
from cdpipe.stages.frames.pandas_compat import iterate_arrays


class Rows:
    """The rows that are still in, their columns as far as they are typed, and for which reason the others went.

    A column that is the caller's is given on as a Series (pandas then copies it when either frame is written to, not
    before), and a new one as an array: a Series of each costs as much as the frame that they become.

    Parameters
    ----------
    frame, names
        The rows, and which of their columns there are.
    cleaned
        Whether they were cleaned before, so that a column of the right type has no "unavailable" code.
    """

    def __init__(self, frame: pd.DataFrame, names: Iterable[str], *, cleaned: bool = False) -> None:
        arrays = dict(zip(frame.columns, iterate_arrays(frame), strict=True))
        self._columns: dict[str, Any] = {name: arrays[name] for name in names}
        self._lent = set(self._columns)
        self._frame = frame
        self._typed: set[str] = set()
        self._cleaned = cleaned
        self._rows = self._left = len(frame)
        self._stay: NDArray[np.bool_] | None = None
        self.dropped: dict[str, int] = {}
        self.notes: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many rows there are, those dropped since the last `narrow` included."""
        return self._rows

    def drop(self, reason: str, gone: NDArray[np.bool_]) -> None:
        """Drop rows, shape (n,), under a reason, unless they are out already."""
        if gone.any():
            self.retain(reason, ~gone)

    def retain(self, reason: str, stay: NDArray[np.bool_]) -> None:
        """Drop the rows that are not to stay, shape (n,), under a reason, unless they are out already."""
        before = self._left
        self._stay = stay if self._stay is None else self._stay & stay
        self._left = int(np.count_nonzero(self._stay))
        if self._left < before:
            self.dropped[reason] = self.dropped.get(reason, 0) + before - self._left

    def raw(self, name: str) -> "pd.Series[Any]":
        """Return a column as it is."""
        values = self._frame[name] if name in self._lent else self._columns[name]
        return values if isinstance(values, pd.Series) else pd.Series(values, copy=False)

    def typed(self, name: str) -> "pd.Series[Any]":
        """Return a column with the vocabulary's type, as `type` gives it."""
        self.type(name)
        return self.raw(name)

    def type(self, name: str) -> None:
        """Give a column the vocabulary's type; rows with a value that cannot be read are dropped."""
        column = BY_NAME.get(name)
        if name not in self._typed and column is not None and not self._has_type(column):
            typed = type_series(column, self.raw(name))
            for note, count in typed.notes.items():
                self.notes[note] = self.notes.get(note, 0) + count
            self.drop(f"{name}: {typed.problem}", typed.bad)
            self.add(name, typed.series)
        self._typed.add(name)

    def _has_type(self, column: Column) -> bool:
        values = self._columns[column.name]
        return (self._cleaned and values.dtype == column.dtype) or _is_typed(column, values)

    def add(self, name: str, values: Any) -> None:  # noqa: ANN401 - an array or a Series
        """Add a column, shape (n,), as it is."""
        self._columns[name] = values
        self._lent.discard(name)

    def narrow(self, names: Iterable[str]) -> None:
        """Leave out for good the rows that are out, and all columns but these."""
        columns = {name: self._columns[name] for name in names}
        if self._stay is not None and self._left < self._rows:
            columns = keep(columns, Kept(self._stay))
            self._lent.clear()
        self._rows, self._stay = self._left, None
        self._columns = columns

    def take(self, names: Iterable[str]) -> dict[str, Any]:
        """Return columns, each a Series or an array, by name."""
        return {name: self._frame[name] if name in self._lent else self._columns[name] for name in names}


def _is_typed(column: Column, values: Any) -> bool:  # noqa: ANN401 - an array of NumPy or pandas, or a Series
    """Say whether a column of a frame, shape (n,), is as `type_series` would make it, "unavailable" codes included.

    Any labels have their type, blank ones too: only gathering looks at those.
    """
    if column.kind == "label" or values.dtype != column.dtype:
        return False
    if column.kind == "float":
        return is_settled(np.asarray(values), unavailable=column.unavailable, limits=column.limits)
    least, greatest = column.span
    return not any((values == code).any() for code in column.unavailable) and not (
        column.counts is not None and ((values < least) | (values > greatest)).any()
    )
