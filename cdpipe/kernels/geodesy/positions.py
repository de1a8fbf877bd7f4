"""Positions: longitudes and latitudes that are on the globe."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cdpipe.kernels.buffers.inputs import as_points
from cdpipe.kernels.compiling.jit import jit_borrowing

ON_GLOBE: Final = 0
NOWHERE: Final = 1
OFF_GLOBE: Final = 2
POLE_DEG: Final = 90.0
ANTIMERIDIAN_DEG: Final = 180.0


@jit_borrowing
def _judge(lon: NDArray[np.float64], lat: NDArray[np.float64], verdicts: NDArray[np.uint8]) -> int:
    faults = np.int64(0)
    for i in range(lon.size):
        x, y = abs(lon[i]), abs(lat[i])
        off = np.uint8(not ((x <= ANTIMERIDIAN_DEG) & (y <= POLE_DEG)))
        null = np.uint8((x != x) | (y != y))  # noqa: PLR0124 - only NaN differs from itself
        verdicts[i] = off + off - null
        faults += np.int64(off)
    return int(faults)


def judge_positions(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.uint8] | None:
    """Say what each position is worth.

    Parameters
    ----------
    lon, lat
        Degrees, shape (n,) each.

    Returns
    -------
    numpy.ndarray or None
        uint8, shape (n,): `ON_GLOBE`, `NOWHERE` (a coordinate is NaN) or `OFF_GLOBE` (|lon| > 180 or |lat| > 90);
        None where all are on the globe.

    Raises
    ------
    ValueError
        If lon and lat differ in length.
    """
    longitudes, latitudes = as_points(lon, lat)
    verdicts = np.empty(longitudes.size, np.uint8)
    return verdicts if _judge(longitudes, latitudes, verdicts) else None
