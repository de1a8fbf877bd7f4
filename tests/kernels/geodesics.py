"""What geodesics are held against: PROJ's, and how far two places are apart."""

import numpy as np
from pyproj import Geod

GEOD = Geod(ellps="WGS84")


def gap_m(lon, lat, lon_expected, lat_expected):
    """Distance between nearly equal places, by the chord, so that longitude counts for nothing at a pole."""
    to_xyz = [
        (np.cos(np.radians(b)) * np.cos(np.radians(a)), np.cos(np.radians(b)) * np.sin(np.radians(a)))
        for a, b in ((lon, lat), (lon_expected, lat_expected))
    ]
    across = np.hypot(to_xyz[0][0] - to_xyz[1][0], to_xyz[0][1] - to_xyz[1][1])
    return 6.4e6 * np.hypot(across, np.radians(np.asarray(lat) - np.asarray(lat_expected)))
