import json

import numpy as np
import pandas as pd
import pytest

from cdpipe.engine.files.long_lines import LONGEST_LINE, find_long_lines, strike_long_lines
from cdpipe.engine.files.sources import count_rows, cut, find_sources, read_block
from cdpipe.kernels.csv.bounds import count_lines

COLUMNS = ("coreData_id", "coreData_speed")
HEADER = "coreData_id,coreData_speed\n"
LONGEST = LONGEST_LINE["csv"]


@pytest.mark.parametrize("seed", range(30))
def test_lines_that_are_too_long_are_those_that_splitting_finds(seed):
    rng = np.random.default_rng(seed)
    lines = [b"x" * int(size) for size in rng.choice([0, 1, 5, 49, 50, 51, 52, 99, 100, 101, 300], 60)]
    text = b"\n".join(lines) + b"\n" * int(rng.integers(2))
    found = list(find_long_lines(np.frombuffer(text, np.uint8), 50))
    assert [text[a:b] for a, b in found] == [line for line in lines if len(line) > 50]
    assert all(a == 0 or text[a - 1 : a] == b"\n" for a, _ in found)


def test_struck_lines_leave_the_others_and_their_number():
    lines = [b"a,1", b"y" * (LONGEST + 1), b"b,2", b"z" * (3 * LONGEST), b"c" * LONGEST]
    text = b"\n".join(lines)
    struck, found = strike_long_lines(np.frombuffer(text, np.uint8).copy(), LONGEST)
    assert [line.strip() for line in struck.tobytes().split(b"\n")] == [b"a,1", b"", b"b,2", b"", lines[4]]
    assert [(each.line, each.length, each.text) for each in found] == [
        (1, LONGEST + 1, b"y" * 2000),
        (3, 3 * LONGEST, b"z" * 2000),
    ]


def read(path, block_bytes):
    """The rows, rejects and account of a file that is cut so, and the most bytes that one block has in memory."""
    (file,) = find_sources([str(path)])
    frames, rejects, rows_in, dropped, row, most = [], [], 0, {}, 0, 0
    for block in cut(file, block_bytes=block_bytes):
        part = read_block(block, columns=COLUMNS, first_row=row, rows_before_file=0, required=COLUMNS)
        row += count_rows(block).rows
        most = max(most, block.unpacked_bytes(2))
        frames.append(part.frame)
        rejects += part.rejects
        rows_in += part.ledger.rows_in
        for code, count in part.ledger.dropped.items():
            dropped[code] = dropped.get(code, 0) + count
    assert row == count_lines(path.read_bytes()) - (file.header is not None)
    assert rows_in == sum(map(len, frames)) + sum(dropped.values())
    return pd.concat(frames, ignore_index=True), rejects, dropped, most


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_long_line_of_csv_is_a_reject_with_its_place_wherever_the_file_is_cut(tmp_path, end):
    long = ["A," + "1" * LONGEST, '"' + "x" * (12 * LONGEST), "B,2" + "," * (5 * LONGEST)]
    lines = [*(f"{i:04X},{i}" for i in range(3)), long[0], '"open', long[1], "E,5", 'F,"6"', long[2]]
    path = tmp_path / "m.csv"
    path.write_text(HEADER + "\n".join(lines) + end)
    expected = None
    for block_bytes in (10**8, 8 * LONGEST, LONGEST, 1000, 20):
        frame, rejects, dropped, most = read(path, block_bytes)
        frame["coreData_id"] = frame["coreData_id"].astype(str)
        seen = frame.to_dict("list"), rejects, dropped
        expected = expected or seen
        assert seen == expected
        assert most <= max(block_bytes, 20) + 2 * LONGEST
    assert expected[0]["coreData_id"] == ["0000", "0001", "0002", "E", "F"]
    assert expected[0]["row_number"] == [0, 1, 2, 6, 7]
    assert [(each.line, each.code, each.text) for each in rejects if each.code == "line too long"] == [
        (line, "line too long", text[:2000]) for line, text in zip((5, 7, 10), long, strict=True)
    ]
    assert rejects[0].reason == f"a line of {LONGEST + 2:,} bytes, more than 262,144"
    assert expected[2] == {"line too long": 3, "quote not closed": 1}


def test_a_line_as_long_as_allowed_is_read(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(HEADER + "A" * (LONGEST - 2) + ",1\nB,2\n")
    for block_bytes in (10**8, 1000):
        frame, rejects, _, _ = read(path, block_bytes)
        assert (frame["coreData_speed"].tolist(), rejects) == ([1.0, 2.0], [])


def test_a_long_line_of_json_is_a_reject_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(LONGEST_LINE, "json", 5_000)
    record = {"metadata": {}, "payload": {"data": {"coreData": {"id": "A", "speed": 1.0}}}}
    texts = [json.dumps(record), json.dumps(record | {"x": "y" * 20_000}), "[" + json.dumps(record) * 100 + "]"]
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join([texts[0], texts[1], texts[0], texts[2], texts[0]]))
    expected = None
    for block_bytes in (10**7, 20_000, 3_000, 100):
        frame, rejects, dropped, _ = read(path, block_bytes)
        expected = expected or rejects
        assert rejects == expected
        assert frame["row_number"].tolist() == [0, 2, 4]
        assert dropped == {"line too long": 2}
    assert [(each.line, each.text) for each in rejects] == [(2, texts[1][:2000]), (4, texts[2][:2000])]
    assert "jq -c '.[]' FILE" in rejects[0].reason


def test_blocks_of_short_lines_are_smaller_and_of_usual_ones_are_not(tmp_path):
    usual, short = "A" * 100 + ",1\n", ",\n"
    path = tmp_path / "m.csv"
    path.write_text(HEADER + usual * 20_000 + short * 1_000_000 + usual * 20_000)
    (file,) = find_sources([str(path)])
    lines = [count_rows(block).rows for block in cut(file, block_bytes=1_000_000)]
    assert sum(lines) == 1_040_000
    assert max(lines) < 100_000
    path.write_text(HEADER + usual * 40_000)
    (file,) = find_sources([str(path)])
    assert len(cut(file, block_bytes=1_000_000)) == 5
