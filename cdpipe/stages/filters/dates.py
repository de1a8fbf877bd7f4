"""Keep messages of a range of days."""

import datetime as dt
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cdpipe.columns import GENERATED_AT
from cdpipe.stages.filters.base import Filter, Messages, Region, Span


class Dates(Filter):
    """Days of `metadata_generatedAt` in UTC, both ends included, across months and years."""

    name: ClassVar[str] = "dates"
    reason: ClassVar[str] = "outside the dates"
    uses_time: ClassVar[bool] = True

    first: dt.date = Field(description="first day, YYYY-MM-DD")
    last: dt.date = Field(description="last day, YYYY-MM-DD")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"first {self.first} is after last {self.last}; swap them")
        return self

    def keeps(self, messages: Messages) -> NDArray[np.bool_]:
        """Say which messages were generated on one of the days, shape (n,)."""
        start, stop = self._bounds_us()
        kept: NDArray[np.bool_] = (messages.time_us >= start) & (messages.time_us < stop)
        return kept

    def region(self) -> Region:
        """Return the days."""
        start, stop = self._bounds_us()
        return Region({GENERATED_AT: (Span(start, stop - 1),)}, exact=True)

    def _bounds_us(self) -> tuple[int, int]:
        """Return the first microsecond of the days, and the first after them."""
        start = np.datetime64(self.first, "us").view(np.int64)
        stop = np.datetime64(self.last + dt.timedelta(days=1), "us").view(np.int64)
        return int(start), int(stop)
