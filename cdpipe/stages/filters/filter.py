"""What a filter is: a small value that says which messages stay, and why the others go."""

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.stages.params import Params


class Messages(NamedTuple):
    """What filters look at, one entry a message, shape (n,) each."""

    longitude_deg: NDArray[np.float64]
    latitude_deg: NDArray[np.float64]
    time_us: NDArray[np.int64]


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
