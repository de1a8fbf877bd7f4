"""Keep messages within a geodesic distance of a centre."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cdpipe.columns import LATITUDE, LONGITUDE
from cdpipe.kernels.geodesy.circle import bound_circle, encircle
from cdpipe.stages.filters.base import Filter, Messages, Region, Span, Verdict


class Within(Filter):
    """WGS84 geodesic distance from the centre at most `radius_m`, exact to a millimetre."""

    name: ClassVar[str] = "within"
    reason: ClassVar[str] = "outside the radius"

    latitude: float = Field(ge=-90, le=90, description="latitude of the centre, degrees")
    longitude: float = Field(ge=-180, le=180, description="longitude of the centre, degrees")
    radius_m: float = Field(ge=0, description="radius, metres")

    def keeps(self, messages: Messages) -> NDArray[np.bool_]:
        """Say which messages lie within the radius, shape (n,)."""
        return self.judge(messages).stay

    def judge(self, messages: Messages) -> Verdict:
        """Say which messages lie within the radius, and whether all positions are on the globe."""
        lon, lat = messages.longitude_deg, messages.latitude_deg
        return Verdict(*encircle(lon, lat, lon0=self.longitude, lat0=self.latitude, radius_m=self.radius_m))

    def region(self) -> Region:
        """Return a box around the circle."""
        south, north, west, east = bound_circle(lon0=self.longitude, lat0=self.latitude, radius_m=self.radius_m)
        return Region({LATITUDE: (Span(south, north),), LONGITUDE: _span_longitudes(west, east)}, exact=False)


def _span_longitudes(west: float, east: float) -> tuple[Span, ...]:
    """Return the spans, of -180 to 180 degrees, that longitudes from west to east have, of whatever turn."""
    if east - west >= 360:
        return (Span(-180.0, 180.0),)
    if west < -180:
        return Span(-180.0, east), Span(west + 360, 180.0)
    if east > 180:
        return Span(west, 180.0), Span(-180.0, east - 360)
    return (Span(west, east),)
