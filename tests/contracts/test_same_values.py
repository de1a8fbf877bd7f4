"""The same values in a CSV, JSON or Parquet file, as text or typed, or in a frame, give the same typed columns."""

import csv
import json
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.columns import BY_NAME, GENERATED_AT, LATITUDE, VEHICLE_ID
from cdpipe.engine.files.sources import SourceError, cut, find_sources, read_block
from cdpipe.stages.gather.conventions import USUAL, Convention
from cdpipe.stages.gather.gather import gather_table

COLUMNS = (GENERATED_AT, LATITUDE, VEHICLE_ID)
TIMES = """2017-12-05T16:33:58Z[UTC]|2017-12-05T16:33Z[UTC]|12/05/2017 04:33:58 PM|12/5/2017 16:33|2017-12-05
2017 Dec 05 04:33:58 PM|Dec 5, 2017 4:33:58 PM|2017-12-05 16:33:58 UTC|2017-12-05 16:33:58+00|1512491638
2017-12-05T11:33:58-05:00[America/New_York]|2017-12-05T11:33:58[America/New_York]|1512491638000|1512491638000.5|
1.512491638E12|2016-12-31T23:59:60Z|2017-12-05T16:33:60Z|20171205T163358Z|2017-12-05T16:33:58,123Z
2019-11-03 01:30:00.25 [ET]|2019-03-10 02:15:00 [ET]|2019-11-03 01:30:00[Nowhere/City]|2019-11-03 01:30:00
2017-12-05t16:33:58z|5/12/17 16:33:58|31/12/2017 16:33:58|soon"""
TIMES = [None, *(text for line in TIMES.splitlines() for text in line.split("|"))]
NUMBERS = st.integers(10**9, 2 * 10**14) | st.integers(10**12, 2 * 10**12) | st.none()


def nest(row):
    record = {}
    for name, value in row.items():
        *parents, key = BY_NAME[name].ode_path.split(".")
        inner = record
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[key] = float(value) if isinstance(value, Decimal) else value
    return json.dumps(record)


def write(path, rows, types):
    if path.suffix == ".csv":
        with path.open("w", newline="") as stream:
            csv.writer(stream).writerows([COLUMNS, *(row.values() for row in rows)])
    elif path.suffix == ".jsonl":
        path.write_text("".join(nest(row) + "\n" for row in rows))
    else:
        columns = zip(*(row.values() for row in rows), strict=True)
        table = {
            name: pa.array([value if value is None or kind != pa.string() else str(value) for value in values], kind)
            for name, values, kind in zip(COLUMNS, columns, types, strict=True)
        }
        pq.write_table(pa.table(table), path)
    return path


def read(path, convention):
    (file,) = find_sources([str(path)])
    (block,) = cut(file._replace(convention=convention), block_bytes=10**6)
    return read_block(block, columns=COLUMNS, first_row=0, rows_before_file=0, required=(GENERATED_AT,))


def tell(gathered):
    """What is read: text as text, and the account without the name of the file."""
    frame = gathered.frame.astype({VEHICLE_ID: "str"})
    problems = [(reject.line, reject.code) for reject in gathered.rejects]
    return frame, problems, gathered.ledger.notes


def read_any(made, convention):
    if not isinstance(made, pd.DataFrame):
        return read(made, convention)
    whole = {"file": "", "columns": COLUMNS, "first_row": 0, "first_line": 1, "required": (GENERATED_AT,)}
    return gather_table(made, **whole, convention=convention)


def check_same(made, convention=USUAL):
    """Check that the first, a CSV file, says what the others do."""
    (first, problems, notes), *others = [tell(read_any(each, convention)) for each in made]
    problems = [(line - 1, code) for line, code in problems]  # behind the header
    for frame, others_problems, others_notes in others:
        pd.testing.assert_frame_equal(frame, first, check_exact=True)
        assert (others_problems, others_notes) == (problems, notes)


def row(time, latitude=41.2827318):
    return dict(zip(COLUMNS, (time, latitude, "5B820000"), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["America/Denver", "UTC"])
@given(times=st.lists(st.sampled_from(TIMES), min_size=1, max_size=20))
def test_times_that_are_text(tmp_path_factory, zone, times):
    folder, rows = tmp_path_factory.mktemp("same"), [row(time) for time in times]
    plain, bytes_ = (pa.string(), pa.float64(), pa.string()), (pa.binary(), pa.decimal128(12, 7), pa.large_string())
    packed = (pa.dictionary(pa.int32(), pa.string()), pa.string(), pa.dictionary(pa.int8(), pa.string()))
    texts = [{**each, LATITUDE: Decimal(str(each[LATITUDE]))} for each in rows]
    check_same(
        [
            write(folder / "m.csv", rows, ()),
            write(folder / "m.jsonl", rows, ()),
            write(folder / "text.parquet", rows, plain),
            write(folder / "bytes.parquet", texts, bytes_),
            write(folder / "packed.parquet", [{**each, LATITUDE: "41.2827318"} for each in rows], packed),
            pd.DataFrame(rows).astype({GENERATED_AT: "str"}),
            pd.DataFrame(rows).astype({GENERATED_AT: object, LATITUDE: object}),
            pd.DataFrame(rows).astype({GENERATED_AT: "category", VEHICLE_ID: "category"}),
        ],
        Convention(time_zone=zone),
    )


@given(numbers=st.lists(NUMBERS, min_size=1, max_size=12))
def test_times_that_are_numbers(tmp_path_factory, numbers):
    folder, rows = tmp_path_factory.mktemp("same"), [row(number) for number in numbers]
    made = [write(folder / "m.csv", rows, ()), write(folder / "m.jsonl", rows, ())]
    kinds = (pa.int64(), pa.uint64(), pa.float64(), pa.string(), pa.decimal128(20, 0))
    made += [write(folder / f"{i}.parquet", rows, (kind, pa.float64(), pa.string())) for i, kind in enumerate(kinds)]
    made += [pd.DataFrame(rows).astype({GENERATED_AT: kind}) for kind in ("Int64", "float64", "Float64", object)]
    check_same(made)


HALVES = st.integers(10**12, 2 * 10**12).map(lambda ms: ms + 0.5)


@pytest.mark.slow
@given(numbers=st.lists(HALVES | st.floats(1e9, 9e13), min_size=1, max_size=9))
def test_times_that_are_numbers_with_a_fraction(tmp_path_factory, numbers):
    folder, rows = tmp_path_factory.mktemp("same"), [row(number) for number in numbers]
    made = [write(folder / "m.csv", rows, ()), write(folder / "m.jsonl", rows, ())]
    kinds = (pa.float64(), pa.string())
    made += [write(folder / f"{i}.parquet", rows, (kind, pa.float64(), pa.string())) for i, kind in enumerate(kinds)]
    made += [pd.DataFrame(rows).astype({GENERATED_AT: kind}) for kind in ("float64", "Float64", object)]
    check_same(made)


@pytest.mark.parametrize(
    ("types", "values", "words"),
    [
        ((pa.date32(), pa.float64(), pa.string()), (17_000, 1.5, "A"), "_generatedAt' must hold times but is date32"),
        ((pa.string(), pa.bool_(), pa.string()), ("", True, "A"), "_position_lat' must hold numbers but is bool"),
        ((pa.string(), pa.float64(), pa.int64()), ("", 1.5, 12), "_id' must hold text but is int64: ids read as"),
        ((pa.string(), pa.float64(), pa.list_(pa.int8())), ("", 1.5, [1]), "is list<.*>: a cell holds several"),
    ],
)
def test_a_typed_column_that_cannot_be_read_is_refused_with_its_file(tmp_path, types, values, words):
    path = write(tmp_path / "m.parquet", [dict(zip(COLUMNS, values, strict=True))], types)
    with pytest.raises(SourceError, match=f"m.parquet: column .*{words}"):
        read(path, USUAL)


def test_a_row_with_bytes_that_are_no_text_is_rejected_and_shown(tmp_path):
    path = tmp_path / "m.parquet"
    table = {GENERATED_AT: [b"\xff\xfe", b"1512491638000"], LATITUDE: [1.5, 2.5], VEHICLE_ID: ["A", "B"]}
    pq.write_table(pa.table(table), path)
    gathered = read(path, USUAL)
    assert gathered.frame[GENERATED_AT].tolist() == [pd.Timestamp("2017-12-05T16:33:58")]
    assert [reject.reason for reject in gathered.rejects] == [rf"{GENERATED_AT}: '\\xff\\xfe' is not a timestamp"]
