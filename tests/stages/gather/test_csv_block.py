import csv
import io
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.kernels.csv.bounds import count_lines
from cdpipe.stages.gather.csv_block import first_cells, gather_csv, read_header

NAMES = ("coreData_id", "coreData_speed", "coreData_msgCnt", "metadata_generatedAt")
LINE = b"A1,1.5,7,2020-02-20T21:45:20Z"
HEADER = b"coreData_id,coreData_speed,coreData_msgCnt,metadata_generatedAt\n"


def gather(*lines, header=HEADER, columns=NAMES, end=b"\n", first_row=0, first_line=2):
    return gather_csv(
        end.join(lines) + end,
        file="f.csv",
        header=read_header(header),
        columns=columns,
        first_row=first_row,
        first_line=first_line,
        required=columns,
    )


def cells(frame, name):
    return [None if pd.isna(value) else value for value in frame[name]]


def test_a_plain_line_becomes_a_typed_row():
    frame = gather(LINE).frame
    assert list(frame) == ["row_number", *NAMES, "time_is_coarse"]
    assert frame.dtypes.astype(str).tolist() == ["int64", "category", "float64", "Int64", "datetime64[us]", "int8"]
    assert frame.iloc[0].tolist() == [0, "A1", 1.5, 7, pd.Timestamp("2020-02-20T21:45:20"), 1]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_quotes_doubled_quotes_commas_and_line_ends_are_those_of_the_csv_module(end):
    lines = [
        b'"a,b",1,2,',
        b'"say ""hi""",1,2,',
        b'"",1,2,',
        b'"""",1,"2",',
        b' x y ,"1.5",2,"2020-01-01 00:00:00"',
        b"ab,,,",
        b"  ,,,",
    ]
    frame = gather(*lines, end=end).frame
    rows = list(csv.reader(io.StringIO((end.join(lines)).decode(), newline="")))
    assert cells(frame, "coreData_id") == [row[0] if row[0].strip() else None for row in rows]
    assert cells(frame, "coreData_speed") == [float(row[1]) if row[1] else None for row in rows]
    assert cells(frame, "coreData_msgCnt") == [int(row[2]) if row[2] else None for row in rows]


FIELD = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=["Cs", "Zl", "Zp"]), max_size=6
)


@given(
    rows=st.lists(st.tuples(FIELD, FIELD), max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([0, 1]),
)
def test_whatever_the_csv_module_writes_is_read_back(rows, end, quoting):
    stream = io.StringIO()
    csv.writer(stream, lineterminator=end, quoting=quoting).writerows([*rows, ("last", "row")])
    gathered = gather_csv(
        stream.getvalue().encode(),
        file="f.csv",
        header=read_header(b"left,right\n"),
        columns=("right", "left"),
        first_row=0,
        first_line=2,
    )
    assert gathered.rejects == []
    for place, name in enumerate(("left", "right")):
        expected = [row[place] if row[place].encode().strip() else None for row in [*rows, ("last", "row")]]
        assert cells(gathered.frame, name) == expected


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(end):
    header = read_header(b"\xef\xbb\xbf" + b"COREDATA_ID,coreData_speed" + end + b"A1,2" + end)
    assert header.places == {"coreData_id": 0, "coreData_speed": 1}
    assert header.fields == 2
    assert header.bytes == 3 + 26 + len(end)


def test_a_header_may_be_quoted_and_without_line_end():
    header = read_header(b'"coreData_id","a ""b"", c"')
    assert header.places == {"coreData_id": 0, 'a "b", c': 1}
    assert header.bytes == len(b'"coreData_id","a ""b"", c"')


@pytest.mark.parametrize(
    ("head", "places"),
    [
        (b'coreData_id,"a \\"b\\", c"\r\r\n', {"coreData_id": 0, 'a "b", c': 1}),
        (b",coreData_id,,\n", {"coreData_id": 1}),
        (b'coreData_id,5" pipe\n', {"coreData_id": 0, '5" pipe': 1}),
        (b"x,coreData_id,x,COREDATA_ID\n", {"x": 0, "coreData_id": 1}),
    ],
)
def test_headers_of_other_shapes(head, places):
    header = read_header(head)
    assert header.places == places
    assert header.bytes == len(head)


def test_backslashes_before_quotes_lines_that_end_in_carriage_returns_and_what_is_neither():
    lines = [
        b'"{\\"width\\": 190, \\"length\\": 409}",1,2,',
        b'"a\\\\",1,2,',  # fine by RFC 4180, so that a backslash is one
        b'"say ""hi"" \\",1,2,',
        b'"a\\\\\\"b",1,2,',
        b'"a\\\\b","1","2","\\""',
        b'"a\\"b"c",1,2,',
    ]
    gathered = gather(*lines, end=b"\r\r\n")
    form = {"doublequote": False, "escapechar": "\\"}
    by_backslash = [next(csv.reader([lines[i].decode()], **form))[0] for i in (0, 3)]
    expected = [by_backslash[0], "a\\\\", 'say "hi" \\', by_backslash[1]]
    assert cells(gathered.frame, "coreData_id") == expected
    assert [(r.line, r.code, r.text) for r in gathered.rejects] == [
        (6, "metadata_generatedAt: not a timestamp", lines[4].decode()),
        (7, "quote not closed", lines[5].decode()),
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\n", b"\r\r\r\n"])
def test_carriage_returns_before_a_line_feed_end_the_line_and_others_are_characters(end):
    header = b"coreData_speed,note,coreData_id" + end
    lines = [b'1,"{""w"": 1}",A1', b"2,x\ry,A2", b"3,,", b"", b"4,z,A\r4"]
    gathered = gather(*lines, header=header, columns=("coreData_id", "note"), end=end)
    assert cells(gathered.frame, "note") == ['{"w": 1}', "x\ry", None, "z"]
    assert [str(each).strip() for each in cells(gathered.frame, "coreData_id")][:3] == ["A1", "A2", "None"]
    assert gathered.frame["row_number"].tolist() == [0, 1, 2, 4]
    assert [r.text for r in gather(b"1,2", header=header, end=end).rejects] == ["1,2"]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("coreData_id,b\n".encode("utf-16"), "UTF-16"),
        (b"PAR1\x00\x00\x15\x04", "binary"),
        (b"coreData_id,stra\xdfe\n", "line 1, byte 17: 0xdf is not UTF-8"),
        (b"\nA1,2\n", "line 1 is empty"),
        (b" , ,\n", "line 1 is empty"),
        (b'coreData_id,"coreData_speed\nA1,2\n', "line 1 does not name columns: a quote is open or misplaced"),
        (b'coreData_id,"spe\ned"\nA1,2\n', "without a line end in a name"),
        (b'"a"b,coreData_id\nA1,2\n', "for each quote in a quoted name"),
        (b"coreData_id,b\rA1,2\rA2,2\r", "lines must end with a line feed"),
    ],
)
def test_what_is_no_header_is_refused_with_its_place(head, message):
    with pytest.raises(ValueError, match=message):
        read_header(head)


def test_blank_lines_take_a_number_and_are_no_rows():
    gathered = gather(LINE, b"", LINE, b"", b"", LINE, first_row=100)
    assert gathered.frame["row_number"].tolist() == [100, 102, 105]
    assert (gathered.ledger.rows_in, gathered.ledger.rows_out, gathered.rejects) == (3, 3, [])


def test_bad_cells_reject_their_own_line_alone_with_its_place_and_text():
    lines = [LINE, b"A2,foo,7,", LINE, b"A3,1,7.5,", b"A4,1,7,2020-13-01T00:00:00Z", b"\xff\xfe,1,7,", LINE]
    gathered = gather(*lines, first_row=10, first_line=50)
    assert gathered.frame["row_number"].tolist() == [10, 12, 16]
    assert cells(gathered.frame, "coreData_id") == ["A1"] * 3
    assert [(r.line, r.code) for r in gathered.rejects] == [
        (51, "coreData_speed: not a number"),
        (53, "coreData_msgCnt: not an integer"),
        (54, "metadata_generatedAt: not a timestamp"),
        (55, "coreData_id: not UTF-8 text"),
    ]
    assert gathered.rejects[0].reason == "coreData_speed: 'foo' is not a number"
    assert [r.text for r in gathered.rejects] == [lines[i].decode("utf-8", "replace") for i in (1, 3, 4, 5)]
    assert {r.file for r in gathered.rejects} == {"f.csv"}
    assert gathered.ledger.dropped == {r.code: 1 for r in gathered.rejects}


def test_lines_of_another_shape_are_rejected_in_the_order_of_lines():
    lines = [b"A1,1", b"A1,foo,7,", LINE + b",more", b'"A1,1,7,', LINE]
    gathered = gather(*lines)
    assert [(r.line, r.code) for r in gathered.rejects] == [
        (2, "too few fields"),
        (3, "coreData_speed: not a number"),
        (4, "too many fields"),
        (5, "quote not closed"),
    ]
    assert gathered.frame["row_number"].tolist() == [4]
    assert (gathered.ledger.rows_in, gathered.ledger.rows_out) == (5, 1)


def test_a_row_with_two_bad_cells_is_one_reject_for_the_first_of_the_columns():
    gathered = gather(b"A1,foo,bar,", columns=("coreData_msgCnt", "coreData_speed"))
    assert [r.code for r in gathered.rejects] == ["coreData_msgCnt: not an integer"]


def test_only_wanted_columns_are_looked_at_and_absent_ones_are_null():
    gathered = gather(b"A1,foo,bar,baz", columns=("coreData_heading", "coreData_id"))
    assert gathered.rejects == []
    assert list(gathered.frame) == ["row_number", "coreData_heading", "coreData_id"]
    assert cells(gathered.frame, "coreData_heading") == [None]
    assert gathered.frame["coreData_heading"].dtype == "float64"


def test_a_long_line_and_a_long_value_are_cut_in_the_reject():
    gathered = gather(b"A1," + b"x" * 5_000 + b",7,")
    assert len(gathered.rejects[0].text) == 2_000
    assert gathered.rejects[0].reason == f"coreData_speed: {'x' * 80!r} is not a number"


def test_no_lines_give_a_frame_of_the_right_types():
    gathered = gather_csv(b"", file="f", header=read_header(HEADER), columns=NAMES, first_row=0, first_line=2)
    types = ["int64", "category", "float64", "Int64", "datetime64[us]", "int8"]
    assert gathered.frame.dtypes.astype(str).tolist() == types
    assert gathered.ledger.rows_in == 0


KINDS = [LINE, b"", b"A2,foo,7,", b"A1,1", b'"say ""x""",2,3,']


@given(picked=st.lists(st.sampled_from(KINDS), min_size=1, max_size=12), cuts=st.sets(st.integers(1, 11)))
def test_rows_numbers_and_rejects_do_not_depend_on_how_lines_are_cut_into_blocks(picked, cuts):
    whole = gather(*picked)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(picked)), len(picked)]
    parts, row, line = [], 0, 2
    for a, b in pairwise(bounds):
        parts.append(gather(*picked[a:b], first_row=row, first_line=line))
        lines = count_lines(b"\n".join(picked[a:b]) + b"\n")
        row, line = row + lines, line + lines
    together, expected = (
        pd.concat([frame.astype({"coreData_id": "str"}) for frame in frames], ignore_index=True)
        for frames in ([part.frame for part in parts], [whole.frame])
    )
    pd.testing.assert_frame_equal(together, expected)
    assert [reject for part in parts for reject in part.rejects] == whole.rejects


def test_first_cells_are_those_of_whole_records_however_they_are_quoted():
    header = read_header(b"coreData_id,coreData_speed,note\n")
    lines = [
        b'A1,1.5,"{\\"a\\": 1, \\"b\\": 2}"\r\r',
        b'A2,2.5,"x',
        b'y"',
        b"",
        b'"A""4",4.5,"{""a"": 1, ""b"": 2}"',
        b"A5,5.5",
        b"A6,6.5,cut",
    ]
    found = first_cells(
        b"coreData_id,coreData_speed,note\n" + b"\n".join(lines), header, ["coreData_speed", "coreData_id", "absent"]
    )
    assert found == {"coreData_speed": ["1.5", "2.5", "4.5"], "coreData_id": ["A1", "A2", 'A"4']}
