"""The race: a process with one thread in which all tell the history of the same messages, checked, then in rounds."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks._peers import stages as s
from benchmarks._peers.history import in_pandas, in_polars
from benchmarks._peers.history.definitions import GAP_S, TOLD, WINDOW
from benchmarks._peers.line import Line
from benchmarks._peers.messages import START_S
from benchmarks._peers.rounds import Sample, measure

Columns = Mapping[str, NDArray[Any]]

ROWS_A_VEHICLE: Final = 1_000
LEAST_VEHICLES: Final = 2
INTERVAL_US: Final = 100_000
LATE_US: Final = 50_000
"""Messages come up to this long after they were made, so that some overtake others of their vehicle."""
_THREADS: Final = ("POLARS_MAX_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_RELATIVE, _ABSOLUTE = 1e-4, 5e-3
"""Ours are float32, and each sums its windows its own way."""


def run(stage: s.Stage, *, rows: int, repeats: int) -> Line:
    """Measure history in a process of its own, in which polars has one thread; ours and pandas have no other anyway."""
    with _one_thread(), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        samples, wrong = pool.submit(race, rows, repeats).result()
    complaints = [f"{stage.name}, {each}" for each in wrong]
    return Line(stage, rows, samples, rows_out=dict.fromkeys(samples, rows), complaints=complaints)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def race(rows: int, repeats: int) -> tuple[dict[str, list[Sample]], list[str]]:
    """Measure everyone in this process; return samples by name, and what is wrong with results."""
    works = make_works(make_columns(rows))
    ours, wrong = works[s.OURS](), []
    for name in works:
        if name != s.OURS:
            wrong += [f"{name}: {each}" for each in compare(ours, works[name]())]
    del ours
    return measure(works, discard={}, repeats=repeats), wrong


def make_works(columns: Columns) -> dict[str, Callable[[], Any]]:
    """Return everyone's work, each with the messages as it has them in memory."""
    import pandas as pd
    import polars as pl

    binary, frame = pl.DataFrame(dict(columns)), pd.DataFrame(dict(columns))
    return {
        s.OURS: lambda: tell_ours(columns),
        "polars": lambda: in_polars.tell(binary),
        "pandas": lambda: in_pandas.tell(frame),
    }


def compare(ours: NDArray[np.float32], other: Any) -> Iterator[str]:
    """Say which columns, and how many of their values, are not ours."""
    for k, name in enumerate(TOLD):
        values = other[name].to_numpy()
        differs = np.abs(ours[k] - values)
        if "bearing" in name:  # a step of a millimetre has no direction to speak of, and -180 is 180
            differs = np.minimum(differs, np.abs(360 - differs))
        count = np.count_nonzero(~(differs <= _ABSOLUTE + _RELATIVE * np.abs(values)))
        if count:
            yield f"{count:,} values of {name} differ, by {differs.max():.3g} at most"


def make_columns(rows: int) -> dict[str, NDArray[Any]]:
    """Return messages of vehicles on circles, ten a second each, with noise of positions, speeds and headings."""
    rng = np.random.default_rng(s.SEED)
    vehicles = max(LEAST_VEHICLES, rows // ROWS_A_VEHICLE)
    vehicle = rng.integers(0, vehicles, rows)
    came_us = START_S * 1_000_000 + np.arange(rows) * (INTERVAL_US // vehicles)
    time_us = came_us - rng.integers(0, LATE_US, rows)
    radius_m, speed = rng.uniform(50, 500, vehicles)[vehicle], rng.uniform(3, 30, vehicles)[vehicle]
    turned = rng.uniform(0, 2 * np.pi, vehicles)[vehicle] + (time_us - START_S * 1_000_000) * 1e-6 * speed / radius_m
    north, east = (radius_m * turn(turned) + rng.normal(0, 0.3, rows) for turn in (np.sin, np.cos))
    return {
        "vehicle": vehicle.astype(np.int32),
        "time_us": time_us,
        "row": np.arange(rows),
        "x": s.CENTRE_LON + rng.normal(0, 0.1, vehicles)[vehicle] + east / s.METRES_A_DEGREE,
        "y": s.CENTRE_LAT + rng.normal(0, 0.1, vehicles)[vehicle] + north / s.METRES_A_DEGREE,
        "speed": speed + rng.normal(0, 0.2, rows),
        "heading": np.degrees(-turned) % 360,
    }


def tell_ours(columns: Columns) -> Any:
    """Return history, shape (18, n), by the kernels of cdpipe."""
    from cdpipe.kernels.buffers.selection import find_targets, reorder
    from cdpipe.kernels.sequences.history import Track, tell_history
    from cdpipe.kernels.sequences.sorting import order_rows

    vehicle = columns["vehicle"]
    sizes = np.bincount(vehicle)
    places = order_rows(vehicle, vehicles=sizes.size, time_us=columns["time_us"], row_number=columns["row"])
    targets = find_targets(places)
    track = (reorder(columns[name], targets) for name in ("time_us", "x", "y", "speed", "heading"))
    bounds = np.concatenate(([0], np.cumsum(sizes)))
    return tell_history(Track(bounds, *track), window=WINDOW, gap_s=GAP_S, is_geographic=True)
