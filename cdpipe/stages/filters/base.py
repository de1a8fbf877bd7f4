"""Filters: small values that say which messages stay, and why the others go."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.stages.params import Params


class Messages(NamedTuple):
    """What filters look at, one entry a message, shape (n,) each."""

    longitude_deg: NDArray[np.float64]
    latitude_deg: NDArray[np.float64]
    time_us: NDArray[np.int64]


class Verdict(NamedTuple):
    """What a filter says of messages, n of them.

    Attributes
    ----------
    stay
        Shape (n,): which stay.
    on_globe
        Whether the filter saw that every position is on the globe; False where it did not look.
    """

    stay: NDArray[np.bool_]
    on_globe: bool


class Span(NamedTuple):
    """Values from `least` to `greatest`, both included; of times, whole microseconds since 1970 UTC."""

    least: float
    greatest: float


class Region(NamedTuple):
    """What a filter keeps, or a bound of it.

    Attributes
    ----------
    spans
        By column, in the vocabulary's spelling: a row that is kept has its value in one of these. No span at all keeps
        nothing; two are for longitudes on both sides of the antimeridian.
    exact
        Whether every row with all its values in the spans is kept.
    """

    spans: Mapping[str, Sequence[Span]]
    exact: bool


class Filter(Params):
    """A filter's parameters, and its verdict on messages.

    Attributes
    ----------
    name
        Key of the filter's table in the configuration.
    reason
        Why a message was dropped, in ledgers.
    uses_time
        Whether the verdict needs the timestamp.
    """

    name: ClassVar[str]
    reason: ClassVar[str]
    uses_time: ClassVar[bool] = False

    def keeps(self, messages: Messages) -> NDArray[np.bool_]:
        """Say which messages stay, shape (n,)."""
        raise NotImplementedError

    def judge(self, messages: Messages) -> Verdict:
        """Say which messages stay, and what else was seen of them in the same pass."""
        return Verdict(self.keeps(messages), on_globe=False)

    def region(self) -> Region:
        """Return the values that a message which stays can have."""
        raise NotImplementedError
