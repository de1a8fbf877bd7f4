"""Map of a data set: where messages that are true say that vehicles are, and where false ones do."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import IS_FALSE, X_POS, Y_POS
from cdpipe.kernels.geodesy.direct_geodesic import direct
from cdpipe.kernels.geodesy.local_plane import to_local
from cdpipe.oserrors import naming
from cdpipe.stages.clean import CleanParams

MAP: Final = "map.png"
SQUARES: Final = 240
"""Squares along each side of a map."""
_COLUMNS: Final = (X_POS, Y_POS, IS_FALSE)
_CORNERS: Final = 181

Read = Callable[[Sequence[str]], Iterable[pd.DataFrame]]


class PositionMap(NamedTuple):
    """Messages by square.

    Attributes
    ----------
    west, east, south, north
        Ends of the map: degrees, or metres from the centre.
    true, false
        Messages in each square, int64, shape (squares north, squares east): whose claims are true, and false.
    """

    west: float
    east: float
    south: float
    north: float
    true: NDArray[np.int64]
    false: NDArray[np.int64]


def count_positions(read: Read, *, squares: int = SQUARES) -> PositionMap | None:
    """Count the messages of each square of a map that holds all of them, in two passes over partitions.

    Returns
    -------
    PositionMap or None
        None where no message has a position.
    """
    ends = [frame[[X_POS, Y_POS]].agg(["min", "max"]).to_numpy(float) for frame in _known(read)]
    if not ends:
        return None
    (west, south), (east, north) = np.min(ends, axis=0)[0], np.max(ends, axis=0)[1]
    counts = np.zeros((2, squares, squares), np.int64)
    edges = [np.linspace(low, _beyond(low, high), squares + 1) for low, high in ((south, north), (west, east))]
    for frame in _known(read):
        is_false = frame[IS_FALSE].to_numpy() == 1
        for kind in (0, 1):
            chosen = frame[is_false == kind]
            found, *_ = np.histogram2d(chosen[Y_POS].to_numpy(float), chosen[X_POS].to_numpy(float), bins=edges)
            counts[kind] += found.astype(np.int64)
    return PositionMap(edges[1][0], edges[1][-1], edges[0][0], edges[0][-1], *counts)


def outline_places(clean: CleanParams) -> list[NDArray[np.float64]]:
    """Return the circles of the filters by place, each shape (corners, 2), in the coordinates of the positions."""
    filters: Any = clean.filters  # its fields come from the registry
    circles = [] if filters.within is None else [filters.within]
    circles += [] if filters.places is None else filters.places.centres
    bearings, found = np.linspace(0, 360, _CORNERS), []
    for circle in circles:
        lon, lat = (np.full(_CORNERS, value) for value in (circle.longitude, circle.latitude))
        east, north = direct(lon, lat, bearings, np.full(_CORNERS, circle.radius_m))
        if clean.coordinates == "local" and clean.centre is not None:
            east, north = to_local(east, north, lon0=clean.centre.longitude, lat0=clean.centre.latitude)
        found.append(np.column_stack((east, north)))
    return found


def plot_map(counted: PositionMap, places: Sequence[NDArray[np.float64]], path: Path, *, is_local: bool) -> None:
    """Draw two maps side by side, of true claims and of false ones, darker where there are more, with the places.

    Parameters
    ----------
    counted
        Messages by square.
    places
        Outlines, numbered in their order.
    path
        File to write.
    is_local
        Whether positions are metres from the centre, and not degrees.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - 0.3 s that only plots need
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(10.4, 5.2), dpi=150)
    FigureCanvasAgg(figure)
    extent = (counted.west, counted.east, counted.south, counted.north)
    squeezed = 1.0 if is_local else max(np.cos(np.radians((counted.south + counted.north) / 2)), 0.01)
    unit = ("metres east", "metres north") if is_local else ("longitude, degrees", "latitude, degrees")
    for side, (title, counts) in enumerate((("true", counted.true), ("false", counted.false))):
        axes = figure.add_axes((0.08 + 0.48 * side, 0.12, 0.42, 0.78))
        shown = np.ma.masked_equal(np.log1p(counts), 0)
        axes.imshow(shown, cmap="Reds" if side else "Greys", origin="lower", extent=extent, vmin=-1)
        for number, outline in enumerate(places, 1):
            axes.plot(*outline.T, color="tab:blue", linewidth=1)
            axes.annotate(f"place {number}", outline[0], color="tab:blue", annotation_clip=True)
        axes.set_aspect(1 / squeezed)
        axes.set(
            xlim=extent[:2], ylim=extent[2:], xlabel=unit[0], title=f"{counts.sum():,} {title} claims of positions"
        )
        if not side:
            axes.set_ylabel(unit[1])
    with naming(path), path.open("wb") as stream:
        figure.savefig(stream, format="png")
        stream.flush()
        os.fsync(stream.fileno())


def _known(read: Read) -> Iterator[pd.DataFrame]:
    """Give partitions without the messages whose position is not known; none that is empty."""
    for frame in read(_COLUMNS):
        known = np.isfinite(frame[[X_POS, Y_POS]].to_numpy(float, na_value=np.nan)).all(axis=1)
        if known.any():
            yield frame[known]


def _beyond(low: float, high: float) -> float:
    """Return an end that is past the beginning."""
    return high if high > low else low + max(abs(low), 1.0) * 1e-9
