"""The rows that all are measured on: a DOT CSV file and the same as Parquet, made once a machine, and frozen.

Unlike `benchmarks._messages`, any vehicle may send next: ids come in no order, as after many receivers were joined.
Nothing here imports cdpipe: what is measured must not make its own input.
"""

import shutil
from pathlib import Path
from typing import Final
from uuid import uuid4

import numpy as np

from benchmarks._data import LATITUDE_DEG, LONGITUDE_DEG, root

VERSION: Final = 2
"""In the folder's name; whoever changes what is made raises it, and a test with digests reminds them."""
CHUNK_ROWS: Final = 500_000
ROWS_A_VEHICLE: Final = 100
LEAST_VEHICLES: Final = 10
HOLES: Final = 0.01 / 3
"""Share of rows without a latitude, the same of rows without a longitude, and without an elevation."""
START_S: Final = 1_617_235_200
ROWS_A_SECOND: Final = 10
STAMP: Final = "%m/%d/%Y %I:%M:%S %p"

_ID_STEP: Final = 2_654_435_761  # odd, so that distinct vehicles have distinct ids modulo 2**32


def place(rows: int) -> tuple[Path, Path]:
    """Return where the CSV and the Parquet file of so many rows are or will be."""
    folder = root().with_name(f"peers-v{VERSION}") / str(rows)
    return folder / "messages.csv", folder / "messages.parquet"


def make(rows: int) -> tuple[Path, Path]:
    """Make both files, unless they are there; return where they are. They appear together and whole, or not at all.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    csv, parquet = place(rows)
    folder = csv.parent
    if not folder.exists():
        beside = folder.with_name(f".{rows}.{uuid4().hex}")
        try:
            beside.mkdir(parents=True)
            _write(rows, beside / csv.name, beside / parquet.name)
            try:
                beside.rename(folder)
            except OSError:
                if not folder.exists():  # else another process was faster, and made the same
                    raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return csv, parquet


def _write(rows: int, csv: Path, parquet: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    schema = messages(0, 1, rows).schema
    options = pa.csv.WriteOptions(quoting_style="none")
    with pa.csv.CSVWriter(csv, schema, write_options=options) as text, pq.ParquetWriter(parquet, schema) as binary:
        for start in range(0, rows, CHUNK_ROWS):
            part = messages(start, min(CHUNK_ROWS, rows - start), rows)
            text.write_table(part)
            binary.write_table(part)


def messages(start: int, count: int, rows: int):
    """Return `count` rows from `start` on, of the data set of `rows` rows, as a `pyarrow.Table`.

    Positions are around the centre, with deviations of 0.35 by 1.1 degrees: one in twenty is within 20 km of it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from benchmarks._messages import bell, draw

    row = np.arange(start, start + count, dtype=np.int64)
    vehicle = (draw(row, 1) * max(LEAST_VEHICLES, rows // ROWS_A_VEHICLE)).astype(np.uint64)
    ids = pa.array(np.char.mod("%08X", vehicle * np.uint64(_ID_STEP) & np.uint64(0xFFFFFFFF)))
    stamp = pc.strftime(pa.array(START_S + row // ROWS_A_SECOND, pa.timestamp("s")), format=STAMP)
    types = pa.array(["bsmTx", "bsmLogDuringEvent"]).take(pa.array(draw(row, 13) < 0.5).cast(pa.int8()))
    lat, lon = (LATITUDE_DEG + 0.35 * bell(row, 2)).round(7), (LONGITUDE_DEG + 1.1 * bell(row, 6)).round(7)
    none_lat, none_lon, none_elevation = (draw(row, purpose) < HOLES for purpose in (10, 11, 12))
    return pa.table(
        {
            "metadata_generatedAt": stamp,
            "metadata_recordType": types,
            "metadata_serialId_streamId": ids,
            "metadata_serialId_bundleSize": 1 + (199 * draw(row, 14)).astype(np.int64),
            "metadata_serialId_bundleId": row,
            "metadata_serialId_recordId": (200 * draw(row, 15)).astype(np.int64),
            "metadata_serialId_serialNumber": row,
            "metadata_receivedAt": stamp,
            "coreData_id": ids,
            "coreData_secMark": (60_000 * draw(row, 16)).astype(np.int64),
            "coreData_position_lat": pa.array(lat, mask=none_lat),
            "coreData_position_long": pa.array(lon, mask=none_lon),
            "coreData_accuracy_semiMajor": (2 + 5 * draw(row, 17)).round(2),
            "coreData_accuracy_semiMinor": (2 + 5 * draw(row, 18)).round(2),
            "coreData_elevation": pa.array((2100 + 60 * bell(row, 19)).round(1), mask=none_elevation),
            "coreData_accelset_accelYaw": (2 * bell(row, 23)).round(2),
            "coreData_speed": (36 * draw(row, 27)).round(2),
            "coreData_heading": (360 * draw(row, 28)).round(4) % 360,  # 360 means that it is unknown
            "coreData_position": _points(lon, lat),
        }
    )


def _points(lon: np.ndarray, lat: np.ndarray):
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = (pa.array(values).cast(pa.string()) for values in (lon, lat))
    return pc.binary_join_element_wise("POINT (", pc.binary_join_element_wise(*texts, " "), ")", "")
