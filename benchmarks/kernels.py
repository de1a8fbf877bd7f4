"""Kernels alone: arrays in memory, one thread, nothing around them."""

import inspect
from typing import Any, Final

import numpy as np

from benchmarks import _data
from benchmarks._columns import read_cells, read_column, read_positions
from benchmarks._data import LATITUDE_DEG, LONGITUDE_DEG
from benchmarks._prepared import Prepared
from benchmarks._sized import Sized, offer
from benchmarks._sizes import count_rows

SEED, PURPOSE = 42, 1
CENTRE = {"lon0": LONGITUDE_DEG, "lat0": LATITUDE_DEG}


KERNELS: Final[dict[str, type[Sized]]] = {}


class Kernel(Prepared):
    """What kernels' benchmarks share: `prepare` makes the arguments."""

    def __init_subclass__(cls, *, kernel: str, kind: str, **rest: Any) -> None:
        """Have the benchmark of all kernels measure this one too, by its name."""
        super().__init_subclass__(family="kernels", data=(kind,), **rest)
        KERNELS[kernel] = cls


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
    """Month, day, year, hour, minute, second and half of the day of microseconds."""

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


class NumberCells(Kernel, kernel="number_cells", kind="raw"):
    """Vehicle ids to labels: the number of each one's text."""

    needs = ("cdpipe.kernels.labels:number_cells",)

    def prepare(self, rows: str) -> Any:
        return read_cells("raw", rows, "coreData_id")

    def call(self, given: Any) -> None:
        from cdpipe.kernels.labels import number_cells

        number_cells(*given)


class HashText(Kernel, kernel="hash_text", kind="raw"):
    """XXH64 of vehicle ids, one a row: where ids are labels, one a vehicle."""

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


class ReadRecords(Kernel, kernel="read_records", kind="csv"):
    """The 19 columns of CSV text as gathering types them: 8 floats, 5 integers, 2 times, 4 texts."""

    needs = ("cdpipe.kernels.records:read_records", "cdpipe.kernels.records:want")

    def prepare(self, rows: str) -> Any:
        from cdpipe.kernels.records import want

        floats, integers = (10, 11, 12, 13, 14, 15, 16, 17), (3, 4, 5, 6, 9)
        wanted = want(
            floats=floats,
            integers=integers,
            times=(0, 7),
            texts=(1, 2, 8, 18),
            float_nulls=[()] * len(floats),
            integer_nulls=[()] * len(integers),
        )
        return np.fromfile(_data.place("csv", rows), np.uint8), wanted

    def call(self, given: Any) -> None:
        from cdpipe.kernels.records import read_records

        read_records(*given, fields=19)


class KeptOf(Kernel, kernel="kept", kind="gathered"):
    """A column's values in the rows that stay, where one in a hundred does not: finding and copying them."""

    needs = ("cdpipe.kernels.rows:Kept",)

    def prepare(self, rows: str) -> Any:
        lon, _lat = read_positions(rows)
        return ~np.isnan(lon), lon

    def call(self, given: Any) -> None:
        from cdpipe.kernels.rows import Kept

        marks, values = given
        Kept(marks).of(values)


class JudgePositions(Kernel, kernel="judge_positions", kind="gathered"):
    """Which positions are missing or off the globe."""

    needs = ("cdpipe.kernels.positions:judge_positions",)

    def prepare(self, rows: str) -> Any:
        return read_positions(rows)

    def call(self, given: Any) -> None:
        from cdpipe.kernels.positions import judge_positions

        judge_positions(*given)


class Move(Kernel, kernel="move", kind="gathered"):
    """Points moved in the plane by 25 to 250 m."""

    needs = ("cdpipe.kernels.plane:move",)

    def prepare(self, rows: str) -> Any:
        count = count_rows(rows)
        x, y, turns, metres = np.random.default_rng(SEED).random((4, count))
        return 1e5 * x, 1e5 * y, 360 * turns, 25 + 225 * metres

    def call(self, given: Any) -> None:
        from cdpipe.kernels.plane import move

        move(*given)


class RefineSeconds(Kernel, kernel="refine_seconds", kind="gathered"):
    """Times of whole seconds, each refined to the nearest moment with its second mark."""

    needs = ("cdpipe.kernels.calendar:refine_seconds",)

    def prepare(self, rows: str) -> Any:
        from cdpipe.kernels.calendar import refine_seconds

        instants = read_column("gathered", rows, "metadata_generatedAt").cast("int64").to_numpy()
        marks = read_column("gathered", rows, "coreData_secMark").cast("int64").to_numpy()
        given = instants, marks, np.ones(instants.size, np.int8)
        return given[: len(inspect.signature(refine_seconds).parameters)]  # older commits take no flags

    def call(self, given: Any) -> None:
        from cdpipe.kernels.calendar import refine_seconds

        refine_seconds(*given)


def time_kernel(rows: str, kernel: str) -> None:
    """Call a kernel on arrays in memory."""
    KERNELS[kernel]().work(rows)


offer(time_kernel, KERNELS, "kernel/{kernel}", "kernel_seconds")
