"""Kernels alone: arrays in memory, one thread, nothing around them."""

from functools import cache
from typing import Any

import numpy as np

from benchmarks import _data
from benchmarks._data import LATITUDE_DEG, LONGITUDE_DEG
from benchmarks._sizes import count_rows
from benchmarks._stage import Sized, add

SEED, PURPOSE = 42, 1
CENTRE = {"lon0": LONGITUDE_DEG, "lat0": LATITUDE_DEG}


class Kernel(Sized):
    """What kernels' benchmarks share: `prepare` makes the arguments, once, outside the measured call."""

    def __init_subclass__(cls, *, kernel: str, kind: str, **rest: Any) -> None:
        """Make the benchmark of a kernel."""
        super().__init_subclass__(family="kernels", data=(kind,), **rest)

        def time_kernel(self: Kernel, rows: str) -> None:
            self.work(rows)

        add(cls, time_kernel, f"kernel/{kernel}", "kernel_seconds")

    def ready(self, rows: str) -> None:
        """Have the arguments there too."""
        super().ready(rows)
        arguments(type(self), rows)

    def prepare(self, rows: str) -> Any:
        """Return what `call` takes."""
        raise NotImplementedError

    def call(self, given: Any) -> None:
        """Call the kernel."""
        raise NotImplementedError

    def work(self, rows: str) -> None:
        self.call(arguments(type(self), rows))


class WithinRadius(Kernel, kernel="within_radius", kind="gathered"):
    """Geodesic distance of at most 20 km from a centre."""

    needs = ("cdpipe.kernels.circle:within_radius",)

    def prepare(self, rows: str) -> Any:
        return read_positions(rows)

    def call(self, given: Any) -> None:
        from cdpipe.kernels.circle import within_radius

        within_radius(*given, **CENTRE, radius_m=20_000.0)


class Direct(Kernel, kernel="direct", kind="gathered"):
    """Points moved along geodesics by 25 to 250 m."""

    needs = ("cdpipe.kernels.geodesy:direct",)

    def prepare(self, rows: str) -> Any:
        lon, lat = read_positions(rows)
        turns = np.random.default_rng(SEED).random((2, lon.size))
        return lon, lat, 360 * turns[0], 25 + 225 * turns[1]

    def call(self, given: Any) -> None:
        from cdpipe.kernels.geodesy import direct

        direct(*given)


class ToLocal(Kernel, kernel="to_local", kind="gathered"):
    """Metres east and north of a centre."""

    needs = ("cdpipe.kernels.geodesy:to_local",)

    def prepare(self, rows: str) -> Any:
        return read_positions(rows)

    def call(self, given: Any) -> None:
        from cdpipe.kernels.geodesy import to_local

        to_local(*given, **CENTRE)


class BearingsAndDistances(Kernel, kernel="bearings_and_distances", kind="gathered"):
    """Two draws a row from the counter-based generator."""

    needs = ("cdpipe.kernels.draws:bearings_and_distances",)

    def prepare(self, rows: str) -> Any:
        return np.arange(count_rows(rows))

    def call(self, given: Any) -> None:
        from cdpipe.kernels.draws import bearings_and_distances

        bearings_and_distances(given, seed=SEED, purpose=PURPOSE, min_m=25.0, max_m=250.0)


class CalendarParts(Kernel, kernel="calendar_parts", kind="gathered"):
    """Month, day, year, hour, minute and second of microseconds."""

    needs = ("cdpipe.kernels.timestamps:calendar_parts",)

    def prepare(self, rows: str) -> Any:
        return read_column("gathered", rows, "metadata_generatedAt").cast("int64").to_numpy()

    def call(self, given: Any) -> None:
        from cdpipe.kernels.timestamps import calendar_parts

        calendar_parts(given)


class ParseTimestamps(Kernel, kernel="parse_timestamps", kind="raw"):
    """`04/01/2021 12:00:00 AM` to microseconds."""

    needs = ("cdpipe.kernels.timestamps:parse_timestamps",)

    def prepare(self, rows: str) -> Any:
        return read_cells("raw", rows, "metadata_generatedAt")

    def call(self, given: Any) -> None:
        from cdpipe.kernels.timestamps import parse_timestamps

        parse_timestamps(*given)


class ParsePoint(Kernel, kernel="parse_point", kind="raw"):
    """`POINT (lon lat)` to two float64."""

    needs = ("cdpipe.kernels.points:parse_point",)

    def prepare(self, rows: str) -> Any:
        return read_cells("raw", rows, "coreData_position")

    def call(self, given: Any) -> None:
        from cdpipe.kernels.points import parse_point

        parse_point(*given)


class ParseHex(Kernel, kernel="parse_hex", kind="raw"):
    """Hexadecimal ids to 64-bit words."""

    needs = ("cdpipe.kernels.hexids:parse_hex",)

    def prepare(self, rows: str) -> Any:
        return read_cells("raw", rows, "coreData_id")

    def call(self, given: Any) -> None:
        from cdpipe.kernels.hexids import parse_hex

        parse_hex(*given)


class HashText(Kernel, kernel="hash_text", kind="raw"):
    """XXH64 of vehicle ids."""

    needs = ("cdpipe.kernels.hashing:hash_text",)

    def prepare(self, rows: str) -> Any:
        return read_cells("raw", rows, "coreData_id")

    def call(self, given: Any) -> None:
        from cdpipe.kernels.hashing import hash_text

        hash_text(*given)


class FindCells(Kernel, kernel="find_cells", kind="csv"):
    """Bounds of 12 of the 19 cells of each line of CSV text."""

    needs = ("cdpipe.kernels.csv:find_cells",)

    def prepare(self, rows: str) -> Any:
        return np.fromfile(_data.place("csv", rows), np.uint8)

    def call(self, given: Any) -> None:
        from cdpipe.kernels.csv import find_cells

        find_cells(given, [0, 1, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18], 19)


@cache
def arguments(cls: type[Kernel], rows: str) -> Any:
    """Return the kernel's arguments, made once a process."""
    return cls().prepare(rows)


def read_column(kind: str, rows: str, name: str) -> Any:
    """Return a column of a data set as one Arrow array."""
    import pyarrow.parquet as pq

    return pq.read_table(_data.place(kind, rows), columns=[name])[name].combine_chunks()


def read_positions(rows: str) -> tuple[Any, Any]:
    """Return longitudes and latitudes, NaN where there is none."""
    names = ("coreData_position_long", "coreData_position_lat")
    lon, lat = (read_column("gathered", rows, name).to_numpy(zero_copy_only=False) for name in names)
    return lon, lat


def read_cells(kind: str, rows: str, name: str) -> tuple[Any, Any, Any]:
    """Return a text column as bytes and the bounds of each cell."""
    column = read_column(kind, rows, name).cast("large_string")
    _nulls, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int64)[: len(column) + 1]
    return np.frombuffer(data, np.uint8), bounds[:-1], bounds[1:]
