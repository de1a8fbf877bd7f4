import csv as oracle
import datetime as dt
import math
import re

import made_files
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import MALFORMED, NULL, OK, as_cells, bits, load_plain, read_float
from vehicle_ids import is_null, strip

from cdpipe.kernels.buffers import cells as memory
from cdpipe.kernels.csv import bounds as csv
from cdpipe.kernels.text import hex_ids as hexids
from cdpipe.kernels.text import numbers, timestamps
from cdpipe.kernels.text import wkt_points as points

PLAIN = load_plain("text.wkt_points")
POINT = re.compile(rb"point\s*\(\s*(\S+)\s+(\S+)\s*\)", re.IGNORECASE)
coordinates = st.floats(-180, 180).map(repr) | st.sampled_from(["nan", "NULL", "1e400", "5e-324", "x", "1.5.", "-"])
blanks = st.text(" \t", max_size=2)


def read_point(text):
    word = strip(text)
    if is_null(word):
        return math.nan, math.nan, NULL
    match = POINT.fullmatch(word)
    if not match:
        return math.nan, math.nan, MALFORMED
    (lon, lon_status), (lat, lat_status) = read_float(match[1]), read_float(match[2])
    status = MALFORMED if MALFORMED in (lon_status, lat_status) else max(lon_status, lat_status)
    return (lon, lat, OK) if status == OK else (math.nan, math.nan, status)


def check(texts, module=points):
    lon, lat, status = module.parse_point(*as_cells(texts))
    expected = [read_point(text) for text in texts]
    assert status.tolist() == [code for _, _, code in expected]
    assert bits(lon) == bits([value for value, _, _ in expected])
    assert bits(lat) == bits([value for _, value, _ in expected])


@pytest.mark.parametrize("module", [points, PLAIN], ids=["compiled", "plain"])
def test_points_met_in_files_and_points_that_are_none(module):
    texts = [b"POINT (-105.123456 41.123456)", b"POINT(-105.1 41.2)", b"point ( 1 2 )", b" Point\t(1e2 -.5) ", b"POINT"]
    texts += [
        b"POINT (1 2",
        b"POINT 1 2)",
        b"POINT (1)",
        b"POINT ()",
        b"POINT (1 2 3)",
        b"POINT (1,2)",
        b"POINT ((1 2))",
    ]
    texts += [
        b"POINT (1 2) x",
        b"LINE (1 2)",
        b"POINT (nan nan)",
        b"POINT (1 null)",
        b"POINT (x nan)",
        b"POINT (1 inf)",
    ]
    texts += [b"", b"  ", b"nan", b"None", b"(1 2)", b"POINTS (1 2)", b"P0INT (1 2)", b"POINT (", b")", b"POINT )1 2("]
    texts += [
        b"POINT (5e-324 1)",
        b"POINT (1 123456789012345678901234567890)",
        b"POINT (5e-324 nan)",
        b"POINT (5e-324 y)",
    ]
    with np.errstate(over="ignore"):
        check(texts, module)


@given(st.lists(st.tuples(coordinates, coordinates, blanks, blanks, blanks)))
@settings(max_examples=100, deadline=None)
def test_points_are_read_as_python_reads_their_numbers(pairs):
    check([f"{c}POINT{a}({b}{lon} {c}{lat}{a}){b}".encode() for lon, lat, a, b, c in pairs])


@given(st.lists(st.binary(max_size=16) | st.text("POINTpoint() 1.-\t", max_size=24).map(str.encode)))
@settings(max_examples=100, deadline=None)
def test_hostile_bytes_compiled_and_plain(texts):
    check(texts)
    with np.errstate(over="ignore"):
        check(texts, PLAIN)


def test_every_shortening_of_a_point():
    whole = b"POINT (-105.5 41.25)"
    check([whole[:length] for length in range(len(whole) + 1)] + [whole[length:] for length in range(len(whole))])


@pytest.mark.parametrize("module", [points, PLAIN], ids=["compiled", "plain"])
def test_every_byte_of_a_point_changed_with_much_behind_it_and_with_nothing(module):
    """What is read at once, and what character by character, is told apart by every byte; a blank behind is no gap."""
    whole = b"POINT (-105.1234567 41.1234567)"
    changed = [whole[:i] + bytes([byte]) + whole[i + 1 :] for byte in b" \t(),.-0pP" for i in range(len(whole))]
    longer = [b"POINT (%s %s)" % (b"-" + b"1" * n + b".5", b"0." + b"2" * n) for n in range(1, 40)]
    with np.errstate(over="ignore"):
        check([*changed, *longer, b" " * 100], module)
        check(changed, module)


def test_a_bad_point_leaves_its_neighbours_alone():
    column = pa.array(["POINT (1 2)", "POINT 3 4", None, "point(5 6)"], type=pa.large_string())
    _, offsets, text = column.buffers()
    bounds = memory.view_int64(offsets)
    lon, lat, status = points.parse_point(text, bounds[:-1], bounds[1:])
    assert bits(lon) == bits([1, math.nan, math.nan, 5])
    assert bits(lat) == bits([2, math.nan, math.nan, 6])
    assert status.tolist() == [OK, MALFORMED, NULL, OK]
    assert len(points._parse_point.signatures) == 1


def test_a_published_file_is_read_to_the_last_cell(tmp_path):
    data = made_files.write_dot_csv(tmp_path / "dot.csv").read_bytes()
    header, *records = oracle.reader(data.decode().splitlines())
    body = data[data.index(b"\n") + 1 :]
    wanted = ["coreData_position", "coreData_position_lat", "coreData_position_long", "coreData_id", "coreData_secMark"]
    wanted += ["metadata_generatedAt", "metadata_serialId_streamId"]
    cells = csv.find_cells(body, [header.index(name) for name in wanted], len(header))
    assert (len(records), cells.status.any()) == (cells.status.size, False)
    column = {name: [record[header.index(name)] for record in records] for name in wanted}
    place = {name: (body, cells.starts[row], cells.stops[row]) for row, name in enumerate(wanted)}
    lon, lat, status = points.parse_point(*place["coreData_position"])
    assert not status.any()
    for name, values in (("coreData_position_lat", lat), ("coreData_position_long", lon)):
        assert bits(values) == bits([float(text) for text in column[name]])
        assert bits(numbers.parse_float(*place[name])[0]) == bits(values)
    assert hexids.parse_hex(*place["coreData_id"])[0].tolist() == [int(text, 16) for text in column["coreData_id"]]
    assert numbers.parse_integer(*place["coreData_secMark"])[0].tolist() == [int(t) for t in column["coreData_secMark"]]
    assert (numbers.parse_integer(*place["metadata_serialId_streamId"])[1] == NULL).all()
    us, status, _ = timestamps.parse_timestamps(*place["metadata_generatedAt"])
    moments = [dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC) for text in column["metadata_generatedAt"]]
    start = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert us.tolist() == [(moment - start) // dt.timedelta(microseconds=1) for moment in moments]
    assert not status.any()
