import gzip
import os
from itertools import pairwise

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdpipe.engine.files.byte_ranges import count_lines_of
from cdpipe.engine.files.sources import (
    SourceError,
    absent_columns,
    available_columns,
    count_rows,
    cut,
    find_sources,
    read_block,
)
from cdpipe.kernels.csv.bounds import count_lines
from cdpipe.synthetic.generator import SynthParams, synthesize

COLUMNS = ("coreData_id", "coreData_speed")


def written(folder, lines, name="m.csv", header=b"coreData_id,coreData_speed\n"):
    path = folder / name
    path.write_bytes(header + lines)
    return str(path)


def paths(found):
    return [os.path.basename(file.path) for file in found]  # noqa: PTH119 - some are URLs


@pytest.fixture
def folder(tmp_path):
    for name in ("b.csv", "a.csv", "sub/c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        written(tmp_path, b"A,1\n", name)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["b.csv", "a.csv"], ["b.csv", "a.csv"]),
        (["*.csv"], ["a.csv", "b.csv"]),
        (["**/*.csv"], ["a.csv", "b.csv", "c.csv"]),
        (["[b]*.csv", "a.csv"], ["b.csv", "a.csv"]),
    ],
)
def test_files_come_in_the_order_given_and_those_of_a_glob_by_name(folder, given, names):
    assert paths(find_sources([str(folder / name) for name in given])) == names


@pytest.mark.parametrize("given", [[""], [" "], ["a.csv", "\t"]])
def test_an_empty_path_is_refused(folder, monkeypatch, given):
    monkeypatch.chdir(folder)
    with pytest.raises(SourceError, match=rf"input\.paths: path {len(given)} is empty"):
        find_sources(given)


@pytest.mark.parametrize(
    "again", ["{0}/a.csv", "{0}/*.csv", "a.csv", "./sub/../a.csv", "link.csv", "file://{0}/a.csv", "local://{0}/a.csv"]
)
def test_a_file_that_is_named_twice_is_refused_with_both_spellings(folder, monkeypatch, again):
    monkeypatch.chdir(folder)
    (folder / "link.csv").symlink_to(folder / "a.csv")
    again = again.format(folder)
    with pytest.raises(SourceError, match=r"a\.csv: is named twice|link\.csv: is named twice") as caught:
        find_sources(["b.csv", f"{folder}/a.csv", again] if "*" not in again else [f"{folder}/a.csv", again])
    assert repr(f"{folder}/a.csv") in str(caught.value)
    assert f"and {again!r}; name each file once" in str(caught.value)


def test_a_url_that_is_named_twice_is_refused():
    with fsspec.open("memory://cdpipe-twice/a.csv", "wb") as stream:
        stream.write(b"coreData_id\nA\n")
    with pytest.raises(SourceError, match=r"by 'memory://cdpipe-twice/a\.csv' and 'memory:///cdpipe-twice/\*\.csv'"):
        find_sources(["memory://cdpipe-twice/a.csv", "memory:///cdpipe-twice/*.csv"])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_doubled_name_is_an_error_only_where_it_is_wanted(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    names = ["coreData_speed", "x", "COREDATA_ID", "x", "coreData_id", ""]
    if suffix == "csv":
        path.write_text(",".join(names) + "\n1.5,a,A,b,B,\n")
    else:
        pq.write_table(pa.Table.from_arrays([pa.array([v]) for v in (1.5, "a", "A", "b", "B", "")], names=names), path)
    files = find_sources([str(path)])
    assert available_columns(files) == ("coreData_speed", "x", "coreData_id")
    for name, a, b in (("coreData_id", 3, 5), ("x", 2, 4)):
        with pytest.raises(SourceError, match=rf"a\.{suffix}: columns {a} and {b} are both '{name}'; rename"):
            absent_columns(files, ("coreData_speed", name))
    assert absent_columns(files, ("coreData_speed",)) == {}
    (block,) = cut(files[0], block_bytes=100)
    gathered = read_block(block, columns=("coreData_speed",), first_row=0, rows_before_file=0)
    assert gathered.frame["coreData_speed"].tolist() == [1.5]


def test_a_file_whose_name_looks_like_a_glob_is_itself(tmp_path):
    assert paths(find_sources([written(tmp_path, b"A,1\n", "a[1].csv")])) == ["a[1].csv"]


def test_a_folder_is_its_parquet_files_but_hidden_ones(tmp_path):
    frame = pd.DataFrame({"coreData_id": ["A"], "coreData_speed": [1.0]})
    for name in ("part-1.parquet", "part-0.parquet", ".part-2.parquet.x", "_metadata.parquet"):
        frame.to_parquet(tmp_path / name)
    for folder in (".july.1a2b", "_temporary/0"):
        (tmp_path / folder).mkdir(parents=True)
        frame.to_parquet(tmp_path / folder / "part-3.parquet")
    assert paths(find_sources([str(tmp_path)])) == ["part-0.parquet", "part-1.parquet"]
    assert paths(find_sources([str(tmp_path / ".july.1a2b")])) == ["part-3.parquet"]  # asked for by its name


def test_urls_are_read_through_fsspec():
    with fsspec.open("memory://cdpipe-test/m1.csv", "wb") as stream:
        stream.write(b"coreData_id,coreData_speed\nA,1\nB,2\nC,3\n")
    (file,) = find_sources(["memory://cdpipe-test/*.csv"])
    blocks = cut(file, block_bytes=5)
    assert len(blocks) == 2
    frames = [read_block(block, columns=COLUMNS, first_row=0, rows_before_file=0).frame for block in blocks]
    assert [id_ for frame in frames for id_ in frame["coreData_id"]] == ["A", "B", "C"]
    with pytest.raises(SourceError, match=r"memory://cdpipe-test/\*\.json: no file matches"):
        find_sources(["memory://cdpipe-test/*.json"])


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_the_suffix_or_the_format_given_says_what_a_file_is(tmp_path, suffix):
    synthesize(tmp_path / f"m.{suffix}", SynthParams(rows=5))
    (by_suffix,) = find_sources([str(tmp_path / f"m.{suffix}")])
    (tmp_path / f"m.{suffix}").rename(tmp_path / "m.dat")
    (told,) = find_sources([str(tmp_path / "m.dat")], format_=by_suffix.format)
    assert told._replace(path="") == by_suffix._replace(path="")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.csv", None, "there is no such file"),
        ("*.csv", None, "no file matches"),
        ("a.csv", b"", "is empty"),
        ("a.jsonl", b" \n \n", "is empty"),
        ("a.csv", "coreData_id\nA\n".encode("utf-16"), "UTF-16"),
        ("a.csv", b"caf\xe9,b\n", "line 1, byte 4: 0xe9 is not UTF-8"),
        ("a.csv", gzip.compress(b"coreData_id\nA\n", mtime=0), "a.csv: "),
        ("a.parquet", b"PAR1 but not really", "a.parquet: "),
        ("a.parquet", b"", "a.parquet: "),
        ("a.txt", b"coreData_id\n", r"the suffix '\.txt' tells no format; use \.csv, .*or set input\.format"),
        ("a.csv", b'coreData_id,"coreData_speed\nA,B\n', "line 1 does not name columns"),
        ("a.csv", b"a," * (1 << 19) + b"coreData_id\nA\n", r"line 1 is longer than 1,048,576 bytes"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_way_out(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        find_sources([str(tmp_path / name)])
    assert str(tmp_path / name) in str(caught.value)


def test_a_folder_without_parquet_or_with_a_file_s_suffix_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"is a folder without Parquet files; name its files, e\.g\. .*/\*\.csv"):
        find_sources([str(tmp_path)])


def test_a_file_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    path = written(tmp_path, b"A,1\n")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("cdpipe.engine.files.sources.open_stream", refuse)  # root may read everything
    with pytest.raises(SourceError, match=r"m\.csv: may not be read; check its permissions"):
        find_sources([path])


LINES = st.lists(
    st.sampled_from([b"A,1", b"", b"B,2\r", b"ABCDEFGH,1.25", b'"q,"",",7', b"bad"]), min_size=1, max_size=30
)


@given(lines=LINES, size=st.integers(1, 60), last=st.sampled_from([b"", b"\n"]))
def test_blocks_are_whole_lines_in_order_and_give_the_same_rows_and_rejects(tmp_path_factory, lines, size, last):
    body = b"\n".join(lines) + last
    (file,) = find_sources([written(tmp_path_factory.mktemp("cut"), body)])
    blocks = cut(file, block_bytes=size)
    assert blocks[0].start == file.header.bytes
    assert blocks[-1].stop == file.size
    assert all(first.stop == second.start for first, second in pairwise(blocks))
    data = b"coreData_id,coreData_speed\n" + body
    assert all(data[block.stop - 1 : block.stop] == b"\n" for block in blocks[:-1])
    whole = read_block(cut(file, block_bytes=10**6)[0], columns=COLUMNS, first_row=7, rows_before_file=7)
    row, parts = 7, []
    for block in blocks:
        parts.append(read_block(block, columns=COLUMNS, first_row=row, rows_before_file=7))
        row += count_rows(block).rows
    # Each block numbers its labels for itself; what they say must be the same.
    together, expected = (
        pd.concat([frame.astype({"coreData_id": "str"}) for frame in frames], ignore_index=True)
        for frames in ([part.frame for part in parts], [whole.frame])
    )
    pd.testing.assert_frame_equal(together, expected)
    assert [reject for part in parts for reject in part.rejects] == whole.rejects
    assert {reject.line for reject in whole.rejects} == {i + 2 for i, line in enumerate(lines) if line == b"bad"}


PIECES = [b'"', b'""', b'\\"', b",", b"\n", b"\r\n", b"a", b"1,2\n", b'x,"', b'"\n', b'A,"b\nc"\n']


@given(
    body=st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join),
    size=st.integers(1, 60),
    longest=st.integers(1, 40),
    window=st.integers(1, 60),
)
@settings(deadline=None)
def test_records_with_line_ends_within_quotes_are_not_parted(tmp_path_factory, body, size, longest, window):
    (file,) = find_sources([written(tmp_path_factory.mktemp("cut"), body)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cdpipe.stages.gather.line_breaks.LONGEST_RECORD", longest)
        patch.setattr("cdpipe.engine.files.byte_ranges.LONGEST_RECORD", longest)
        patch.setattr("cdpipe.engine.files.byte_ranges._WINDOW", longest + window)
        blocks = cut(file, block_bytes=size)
        assert [block.start for block in blocks] == [file.header.bytes, *(block.stop for block in blocks[:-1])]
        assert blocks[-1].stop == file.size
        (whole,) = cut(file, block_bytes=10**6)
        expected = read_block(whole, columns=COLUMNS, first_row=0, rows_before_file=0)
        row, parts = 0, []
        for block in blocks:
            parts.append(read_block(block, columns=COLUMNS, first_row=row, rows_before_file=0))
            row += count_rows(block).rows
    assert [reject for part in parts for reject in part.rejects] == expected.rejects
    assert sum(part.ledger.rows_in for part in parts) == expected.ledger.rows_in
    numbers = [number for part in parts for number in part.frame["row_number"]]
    assert numbers == expected.frame["row_number"].tolist()


def test_blocks_of_a_file_of_long_cells_stay_small(tmp_path):
    record = b'A,"' + b"1,2\n" * 500 + b'"\n'
    (file,) = find_sources([written(tmp_path, record * 100 + b"B,3\n")])
    blocks = cut(file, block_bytes=10_000)
    assert max(block.size for block in blocks) <= 10_000 + len(record)
    parts = [read_block(block, columns=COLUMNS, first_row=0, rows_before_file=0) for block in blocks]
    assert pd.concat([part.frame for part in parts])["coreData_id"].tolist() == ["B"]
    assert sum(len(part.rejects) for part in parts) == 100 * 501


@given(
    st.lists(st.sampled_from([b"\n", b"ab\n", b"a,b\r\n", b"x" * 9]), max_size=40).map(b"".join),
    st.data(),
    st.booleans(),
)
def test_lines_are_counted_piece_by_piece_as_in_one(tmp_path_factory, data, draw, remote):
    start = draw.draw(st.integers(0, len(data)))
    stop = draw.draw(st.integers(start, len(data)))
    path = "memory://cdpipe-test/lines" if remote else str(tmp_path_factory.mktemp("count") / "lines")
    with fsspec.open(path, "wb") as stream:
        stream.write(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cdpipe.engine.files.byte_ranges._PIECE", draw.draw(st.integers(1, 20)))
        assert count_lines_of(path, start, stop) == count_lines(data[start:stop])
    with pytest.raises(OSError, match="became shorter"):
        count_lines_of(path, start, len(data) + 1)


def test_a_header_alone_is_a_block_of_nothing(tmp_path):
    (file,) = find_sources([written(tmp_path, b"")])
    (block,) = cut(file, block_bytes=100)
    assert count_rows(block).rows == 0
    assert read_block(block, columns=COLUMNS, first_row=0, rows_before_file=0).frame.empty


def test_row_groups_are_read_with_their_places(tmp_path):
    frame = pd.DataFrame({"COREDATA_ID": [f"A{i}" for i in range(100)], "coreData_speed": np.arange(100.0)})
    frame.loc[57, "coreData_speed"] = np.inf
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "m.parquet", row_group_size=10)
    (file,) = find_sources([str(tmp_path / "m.parquet")])
    blocks = cut(file, block_bytes=1)
    assert [block.rows for block in blocks] == [10] * 10
    assert sum(block.size for block in blocks) <= file.size
    parts = [
        read_block(b, columns=COLUMNS, first_row=1000 + 10 * i, rows_before_file=1000) for i, b in enumerate(blocks)
    ]
    assert pd.concat([p.frame for p in parts])["row_number"].tolist() == [1000 + i for i in range(100) if i != 57]
    assert [(r.line, r.code) for p in parts for r in p.rejects] == [(58, "coreData_speed: not a number")]
    assert len(cut(file, block_bytes=10**9)) == 1


def test_a_parquet_column_that_cannot_mean_what_it_is_called_is_refused_with_file_and_column(tmp_path):
    pd.DataFrame({"coreData_id": [1, 2], "coreData_speed": [1.0, 2.0]}).to_parquet(tmp_path / "m.parquet")
    (file,) = find_sources([str(tmp_path / "m.parquet")])
    with pytest.raises(SourceError, match=r"m\.parquet: column 'coreData_id' must hold text"):
        read_block(cut(file, block_bytes=10**6)[0], columns=COLUMNS, first_row=0, rows_before_file=0)


def test_a_file_that_became_shorter_is_not_read_as_if_it_had_not(tmp_path):
    path = written(tmp_path, b"A,1\n" * 100)
    (file,) = find_sources([path])
    (block,) = cut(file, block_bytes=10**6)
    os.truncate(path, 200)
    with pytest.raises(SourceError, match=r"m\.csv: became shorter"):
        read_block(block, columns=COLUMNS, first_row=0, rows_before_file=0)
    with pytest.raises(SourceError, match=r"m\.csv: became shorter"):
        count_rows(block)


def test_a_file_that_vanished_is_named(tmp_path):
    path = written(tmp_path, b"A,1\n")
    (file,) = find_sources([path])
    (block,) = cut(file, block_bytes=100)
    os.remove(path)  # noqa: PTH107
    with pytest.raises(SourceError, match=r"m\.csv: is not there; check the name"):
        read_block(block, columns=COLUMNS, first_row=0, rows_before_file=0)


def test_columns_of_several_files_are_shared_or_named_with_the_files_that_lack_them(tmp_path):
    full = written(tmp_path, b"A,1\n", "full.csv")
    short = written(tmp_path, b"A\n", "short.csv", b"COREDATA_ID\n")
    files = find_sources([full, short])
    assert available_columns(files) == ("coreData_id",)
    assert absent_columns(files, COLUMNS) == {"coreData_speed": (short,)}
    assert absent_columns(files, ("coreData_heading",)) == {"coreData_heading": (full, short)}
    with pytest.raises(SourceError, match=r"full\.csv: has no column 'weather'; it has coreData_id, coreData_speed"):
        absent_columns(files, ("weather",))


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    pipe = tmp_path / "m.csv"
    os.mkfifo(pipe)
    with pytest.raises(SourceError, match="is a pipe"):
        find_sources([str(pipe)])
