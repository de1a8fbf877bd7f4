"""Keep messages of several places, and say which of them each is from."""

from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cdpipe.columns import LATITUDE, LONGITUDE
from cdpipe.stages.filters.base import Filter, Messages, Region, Span, Verdict
from cdpipe.stages.filters.within import Within

MOST_PLACES = 100


class Places(Filter):
    """WGS84 geodesic distance from one of several centres at most its `radius_m`; see `Within`."""

    name: ClassVar[str] = "places"
    reason: ClassVar[str] = "outside all places"

    centres: Annotated[tuple[Within, ...], Field(min_length=2, max_length=MOST_PLACES)] = Field(
        description="a latitude, longitude and radius_m each; a message of two places is of the first"
    )

    def keeps(self, messages: Messages) -> NDArray[np.bool_]:
        """Say which messages are of a place, shape (n,)."""
        return self.judge(messages).stay

    def judge(self, messages: Messages) -> Verdict:
        """Say which messages are of a place, and whether all positions are on the globe."""
        verdicts = [centre.judge(messages) for centre in self.centres]
        stay = np.logical_or.reduce([verdict.stay for verdict in verdicts])
        return Verdict(stay, on_globe=any(verdict.on_globe for verdict in verdicts))

    def number(self, longitude_deg: NDArray[np.float64], latitude_deg: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return which place each message is of, from 1, shape (n,); 0 where of none."""
        messages = Messages(longitude_deg, latitude_deg, np.empty(0, np.int64))
        numbers = np.zeros(longitude_deg.size, np.int8)
        for place in range(len(self.centres), 0, -1):
            numbers[self.centres[place - 1].keeps(messages)] = place
        return numbers

    def region(self) -> Region:
        """Return boxes around the places, and around their corners."""
        spans: dict[str, list[Span]] = {LATITUDE: [], LONGITUDE: []}
        for centre in self.centres:
            for name, found in centre.region().spans.items():
                spans[name] += found
        return Region(spans, exact=False)
