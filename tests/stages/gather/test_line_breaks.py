"""Which lines are parts of one record, against Python's csv module and by every way to cut a file."""

import csv
import io
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdpipe.stages.gather import line_breaks as linebreaks
from cdpipe.stages.gather.csv_block import gather_csv, read_header
from cdpipe.stages.gather.line_breaks import begins_record, find_broken, find_doubtful, find_record_start, is_record

NAMES = ("left", "middle", "right")
HEADER = b"left,middle,right\n"
CELL = st.text('ab",\n \\', max_size=6)
PIECES = [b'"', b'""', b'\\"', b"\\", b",", b"\n", b"\r\n", b"\n", b"a", b"1,2,3\n", b'x,"', b'"\n']


def gather(data, first_row=0):
    return gather_csv(
        data, file="f.csv", header=read_header(HEADER), columns=NAMES, first_row=first_row, first_line=first_row + 2
    )


def read_rows(data, first_row=0):
    gathered = gather(data, first_row)
    frame = gathered.frame.astype(object).where(gathered.frame.notna(), None)
    return frame.to_numpy().tolist(), gathered.rejects


@given(
    st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12),
    st.sampled_from(["\n", "\r\n", "\r\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@settings(max_examples=200, deadline=None)
def test_records_on_one_line_are_read_and_no_line_of_another_is(table, end, quoting):
    stream = io.StringIO()
    writer, numbers, parts, line = csv.writer(stream, lineterminator=end, quoting=quoting), [], [], 0
    for row in table:
        before = stream.tell()
        writer.writerow(row)
        lines = stream.getvalue()[before:].split("\n")[:-1]
        numbers.append(line if len(lines) == 1 else None)
        parts += [line + i + 2 for i, text in enumerate(lines) if len(lines) > 1 and text.rstrip("\r").strip(" ")]
        line += len(lines)
    rows, rejects = read_rows(stream.getvalue().encode())
    expected = [
        [number, *(cell if cell.strip(" ") else None for cell in row)]
        for number, row in zip(numbers, table, strict=True)
        if number is not None
    ]
    assert rows == expected
    assert [(reject.line, reject.code) for reject in rejects] == [(part, "line end within quotes") for part in parts]


def test_a_record_of_several_lines_is_rejected_line_by_line_and_the_next_is_read():
    data = b'1,2,3\n4,"x\n\n5,6,7\r\n y"" z",8\r\r\n9,10,11\n'
    gathered = gather(data)
    assert gathered.frame["row_number"].tolist() == [0, 5]
    assert [(r.line, r.code, r.text) for r in gathered.rejects] == [
        (3, "line end within quotes", '4,"x'),
        (5, "line end within quotes", "5,6,7"),
        (6, "line end within quotes", ' y"" z",8'),
    ]
    assert (gathered.ledger.rows_in, gathered.ledger.rows_out) == (5, 2)
    assert gathered.ledger.dropped == {"line end within quotes": 3}


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b'1,"2,3\n4,5,6\n7,8,9\n', [1, 2]),  # never closed
        (b'1,2,"{""a"": 1, ""b\n4,5,"{""a"": 1}"\n7,8,9\n', [1, 2]),  # cut off: what follows is no rest of it
        (b'1,"2,3\n4,5" pipe,6\n7,8,9\n', [1, 2]),
        (b'1,"2\n' + b"4,5,6\n" * 6_000 + b'7,8",9\n', list(range(1, 6_002))),  # closed too far off
        (b'1,"{\\"a\\": 1,\n4,5,6\n \\"b\\": 2}",3\n4,5,6\n', [3]),  # Spark's
        (b'1,"x\\"\n4,5,6\ny",3\n4,5,6\n', [3]),
        (b'1,"x\\",\n4,5,6\ny",3\n4,5,6\n', [0, 1, 3]),  # fine by RFC 4180, and stays so
        (b'1,"5\\"",3\n4,"6\\"",6\n7,8,9\n', [0, 1, 2]),  # Spark's inches
        (b'1,"\\"",3\n4,5,6\n7",8\n', []),  # one record by RFC 4180, whose first line is one with backslashes
        (b"1," + b"x" * 5_000 + b',"\\""\n4,5,6\n', [0, 1]),
        (b'1,"x","y\n4,5,6\nz"\n4,"a\nb",6\n7,8,9', [5]),
        (b'1,"a\nb","c\nd"\n7,8,9\n', [3]),  # two in one record
        (b'1,2,"a\n"', []),
    ],
)
def test_which_lines_are_messages(data, rows):
    gathered = gather(data)
    assert gathered.frame["row_number"].tolist() == rows
    lines = [line for line in data.split(b"\n") if line]
    assert gathered.ledger.rows_in == len(lines) == len(rows) + len(gathered.rejects)


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join), st.integers(1, 40), st.data())
@settings(max_examples=400, deadline=None)
def test_a_file_that_is_cut_where_records_surely_begin_gives_the_same(data, longest, draw):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linebreaks, "LONGEST_RECORD", longest)
        starts = [0, *(i + 1 for i, byte in enumerate(data) if byte == 10)]
        sure = [0]
        for start in starts[1:]:
            begin = max(0, start - longest)
            stop = min(len(data), start + draw.draw(st.integers(longest, 2 * longest)))
            whole = stop == len(data)
            text = data[begin:stop]
            found = find_record_start(text, start - begin, is_whole=whole)
            assert found == -1 or found >= start - begin
            if found == start - begin or begins_record(
                data[start : start + longest], is_whole=start + longest >= len(data)
            ):
                sure.append(start)
        bounds = [*draw.draw(st.lists(st.sampled_from(sure), unique=True).map(sorted)), len(data)]
        bounds = sorted({0, *bounds})
        rows, rejects, line = [], [], 0
        for a, b in pairwise(bounds):
            part = read_rows(data[a:b], line)
            rows, rejects, line = rows + part[0], rejects + part[1], line + data[a:b].count(b"\n")
        assert (rows, rejects) == read_rows(data)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
@settings(deadline=None)
def test_the_records_found_are_of_several_lines_and_do_not_overlap(data):
    starts = [0, *(i + 1 for i, byte in enumerate(data) if byte == 10 and i + 1 < len(data))]
    found = list(find_broken(data, starts))
    assert all(start < stop for start, stop in found)
    assert all(first[1] <= second[0] for first, second in pairwise(found))
    for start, stop in found:
        assert start in starts
        assert stop in {*starts, len(data)}
        assert not is_record(data[start:stop].rstrip(b"\r\n"))


@pytest.mark.parametrize("length", [0, 510, 511, 512, 513, 5_000])
def test_doubtful_lines_are_given_by_where_they_begin(length):
    data = b"1,2,3\n" + b"x" * length + b',"5\\"",\n1,"{\\"a\\": 1}",3\n' + b'"\\",' + b"y" * length
    assert find_doubtful(data) == {6, data.rindex(b"\n") + 1}


def test_files_with_ordinary_quotes_can_be_cut_at_any_line():
    lines = [b'1,2,"{""w"": 1}"\n', b'"1","2","3"\n', b"1,2,3\n", b'1,"",3\n', b'"","",""\n', b'1,5" x,3\n']
    for line in lines:
        assert begins_record(line * 100, is_whole=True)
    inches = b'1,5",3\n' * 100
    assert not begins_record(inches, is_whole=True)
    assert find_record_start(inches, 70, is_whole=True) == 70
