import csv as oracle
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import load_plain

from cdpipe.kernels.csv import bounds as csv

PLAIN = load_plain("csv.bounds")
QUOTED = re.compile(rb'"((?:[^"]|"")*)"(?=,|\Z)', re.DOTALL)
BACKSLASHED = re.compile(rb'"((?:[^"\\]|\\.|\\\Z)*)"(?=,|\Z)', re.DOTALL)
fields = st.text('ab",; é0\t\x00|', max_size=9)
tables = st.integers(2, 6).flatmap(lambda n: st.lists(st.lists(fields, min_size=n, max_size=n), min_size=1))
hostile = st.lists(
    st.sampled_from(
        [b'"', b'""', b'\\"', b"\\", b'"\\"', b",", b",,", b"\n", b"\r\n", b"\r", b" ", b"a", b"bcdefghi", b"\xff"]
    )
)


def split(line, quoted=QUOTED):
    """Split a line by RFC 4180 or by backslashes, a field at a time; None if a quote is open or misplaced."""
    found = []
    while True:
        match = quoted.match(line) if line.startswith(b'"') else re.match(rb"[^,]*", line)
        if match is None:
            return None
        text = match[0]
        if match.re is QUOTED:
            text = match[1].replace(b'""', b'"')
        elif match.re is BACKSLASHED:
            text = re.sub(rb'\\(["\\])', rb"\1", match[1])
        found.append(text)
        line = line[match.end() :]
        if not line:
            return found
        line = line[1:]


def expect(data, count):
    """Say which records `find_cells` must find: (line index, line, status, fields)."""
    lines = data.split(b"\n")[: -1 if data.endswith(b"\n") or not data else None]
    for index, raw in enumerate(lines):
        line = raw.rstrip(b"\r")
        if line.strip(b" "):
            found = split(line)
            if found is None or len(found) != count:
                other = split(line, BACKSLASHED)
                found = other if other is not None and len(other) == count else found
            status = 3 if found is None else 1 if len(found) < count else 2 if len(found) > count else 0
            yield index, line, status, found


def texts(data, cells, row):
    found = []
    for place in range(cells.starts.shape[0]):
        text = data[cells.starts[place, row] : cells.stops[place, row]]
        if cells.escaped[place, row] and cells.backslashed[row]:
            text = re.sub(rb'\\(["\\])', rb"\1", text)
        elif cells.escaped[place, row]:
            text = text.replace(b'""', b'"')
        found.append(text)
    return found


def check(data, count, places, module=csv):
    cells = module.find_cells(data, places, count)
    expected = list(expect(data, count))
    assert cells.status.tolist() == [status for _, _, status, _ in expected]
    assert cells.line_index.tolist() == [index for index, _, _, _ in expected]
    for row, (_, line, status, found) in enumerate(expected):
        assert data[cells.line_starts[row] : cells.line_stops[row]] == line
        wanted = [found[place] for place in places] if status == 0 else [b""] * len(places)
        assert texts(data, cells, row) == wanted


@given(
    tables,
    st.sampled_from(["\n", "\r\n", "\r\r\n"]),
    st.sampled_from([oracle.QUOTE_MINIMAL, oracle.QUOTE_ALL]),
    st.data(),
)
@settings(max_examples=80, deadline=None)
def test_what_the_csv_module_writes_is_read_back(table, line_end, quoting, draw):
    file = io.StringIO()
    oracle.writer(file, lineterminator=line_end, quoting=quoting).writerows(table)
    data = file.getvalue().encode()
    places = draw.draw(st.permutations(range(len(table[0]))))[: draw.draw(st.integers(0, len(table[0])))]
    cells = csv.find_cells(data, places, len(table[0]))
    assert not cells.status.any()
    assert cells.line_index.tolist() == list(range(len(table)))
    for row, record in enumerate(table):
        assert texts(data, cells, row) == [record[place].encode() for place in places]


@given(
    st.lists(st.lists(st.text('ab",; \\é', max_size=9), min_size=3, max_size=3), min_size=1),
    st.sampled_from(["\n", "\r\n", "\r\r\n"]),
)
@settings(max_examples=80, deadline=None)
def test_what_the_csv_module_writes_with_backslashes_is_read_back_unless_it_is_fine_without(table, line_end):
    file = io.StringIO()
    form = {"doublequote": False, "escapechar": "\\", "quoting": oracle.QUOTE_ALL}
    oracle.writer(file, lineterminator=line_end, **form).writerows(table)
    data = file.getvalue().encode()
    cells = csv.find_cells(data, [0, 1, 2], 3)
    assert not cells.status.any()
    read = list(oracle.reader(io.StringIO(file.getvalue().replace("\r", ""), newline=""), **form))
    assert read == table
    for row, record in enumerate(read):
        line = data[cells.line_starts[row] : cells.line_stops[row]]
        plain = split(line)
        by_rfc = plain is not None and len(plain) == 3
        assert texts(data, cells, row) == (plain if by_rfc else [text.encode() for text in record])


@given(hostile.map(b"".join) | st.binary(max_size=60), st.integers(1, 4), st.data())
@settings(max_examples=150, deadline=None)
def test_hostile_bytes_compiled_and_plain(data, count, draw):
    places = draw.draw(st.permutations(range(count)))[: draw.draw(st.integers(0, count))]
    check(data, count, places)
    with np.errstate(over="ignore"):
        check(data, count, places, PLAIN)
        assert PLAIN.count_lines(data) == csv.count_lines(data) == data.count(b"\n") + (data[-1:] not in (b"", b"\n"))


@pytest.mark.parametrize("length", range(40))
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r", b"\r\r\n", b"\r\r\r"])
def test_blocks_of_every_length_end_right(length, end):
    check(b"ab,c\n" + b"x" * length + b",y" + end, 2, [1, 0])


def test_statuses_blank_lines_and_line_numbers():
    data = b'a,b,c\n\n1,2\n"x,y",2,3\r\n   \n1,2,3,4\n"open,2,3\n"a"b,2,3\n\r\n1,,"q""q"\n,,'
    cells = csv.find_cells(data, [2, 0], 3)
    ok, few, many, quote = csv.LINE_OK, csv.TOO_FEW_FIELDS, csv.TOO_MANY_FIELDS, csv.BAD_QUOTE
    assert cells.status.tolist() == [ok, few, ok, many, quote, quote, ok, ok]
    assert cells.line_index.tolist() == [0, 2, 3, 5, 6, 7, 9, 10]
    assert [texts(data, cells, row) for row in (0, 2, 6, 7)] == [
        [b"c", b"a"],
        [b"3", b"x,y"],
        [b'q"q', b"1"],
        [b"", b""],
    ]
    assert cells.escaped.tolist() == [[False] * 6 + [True, False], [False] * 8]
    assert csv.count_lines(data) == 11


def test_a_block_cut_at_any_line_end_gives_the_same_cells():
    data = b"".join(b'%d,"v%d",%s\r\n' % (i, i, b"z" * (i % 11)) for i in range(60))
    whole = csv.find_cells(data, [0, 1, 2], 3)
    expected = [texts(data, whole, row) for row in range(60)]
    for cut in (match.end() for match in re.finditer(b"\n", data)):
        found = []
        for part in (data[:cut], data[cut:]):
            cells = csv.find_cells(part, [0, 1, 2], 3)
            found += [texts(part, cells, row) for row in range(cells.status.size)]
        assert found == expected


def test_another_delimiter_and_columns_that_kernels_take_as_they_are():
    data = np.frombuffer(b"a\tb,b\t\n\t\t3\n", dtype=np.uint8)
    cells = csv.find_cells(data, [0, 1, 2], 3, delimiter=ord("\t"))
    assert [texts(bytes(data), cells, row) for row in (0, 1)] == [[b"a", b"b,b", b""], [b"", b"", b"3"]]
    assert all(cells.starts[j].flags.c_contiguous and cells.stops[j].flags.c_contiguous for j in range(3))
    assert len(csv._fill.signatures) == 1


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n", b"\n\n", b"  \n "])
def test_blocks_without_records(data):
    cells = csv.find_cells(data, [0], 1)
    assert cells.starts.shape == (1, 0)
    assert cells.status.size == 0


@pytest.mark.parametrize(
    ("places", "delimiter", "message"),
    [
        ([3], 44, "0 to 2"),
        ([-1], 44, "0 to 2"),
        ([1, 1], 44, "wanted twice"),
        ([0], 34, "cannot part"),
        ([0], 200, "200"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(places, delimiter, message):
    with pytest.raises(ValueError, match=message):
        csv.find_cells(b"1,2,3\n", places, 3, delimiter)
