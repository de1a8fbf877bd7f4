"""Geodesy on WGS84: what the stages use, each good to far less than a millimetre anywhere on the globe.

- `direct`: move points by bearing and distance (0.01 mm);
- `inverse`: distance and azimuth from one point to many (0.0001 mm);
- `to_local`: metres east and north of a centre (0.001 mm).

The oracle in the tests is pyproj.Geod; the figures are the greatest errors seen there, with a margin.
"""

from cdpipe.kernels.geodesy.direct_geodesic import direct
from cdpipe.kernels.geodesy.inverse_geodesic import inverse
from cdpipe.kernels.geodesy.local_plane import to_local

__all__ = ["direct", "inverse", "to_local"]
