"""JSON in every layout people have it in: the same records are read, with the same row numbers wherever it is cut."""

import json
import re

import pandas as pd
import pytest
from contract_data import config_of, read_rejects
from hypothesis import given
from hypothesis import strategies as st

from cdpipe import gather, read, run
from cdpipe.engine.files.sources import SourceError, count_rows, cut, find_sources, read_block
from cdpipe.stages.gather.gather import GatherParams

COLUMNS = ("coreData_id", "coreData_speed")
BETWEEN = re.compile(r"(?:[\s,\[\]]|\ufeff)*")


def record(number, **core):
    fields = {"id": f"{number:08X}", "speed": number / 4, "accelSet": {"accelYaw": 0.5}, "x": '}{ ,["\\', **core}
    part = [{"id": {"n": 1}}, {"id": {"n": 2}}]
    return {"metadata": {"a": [1, {}]}, "payload": {"data": {"coreData": fields, "partII": part}}}


RECORDS = [record(number) for number in range(7)]
TEXTS = [json.dumps(each) for each in RECORDS]
PRETTY = [json.dumps(each, indent=2) for each in RECORDS]
LAYOUTS = {
    "lines": "\n".join(TEXTS),
    "blank lines and line ends": "\r\n\n".join(TEXTS) + "\r\n \n",
    "carriage returns doubled": "\r\r\n".join(TEXTS) + "\r\r\n",
    "in a row": "".join(TEXTS),
    "in a row with blanks": " \t ".join(TEXTS) + "\n",
    "in a row only later": "\n".join(TEXTS[:3]) + "\n" + "".join(TEXTS[3:6]) + "\n" + TEXTS[6],
    "byte order marks": "\ufeff" + "\n\ufeff".join(TEXTS),
    "array": "[\n" + ",\n".join(TEXTS) + "\n]\n",
    "array, commas first": "[\n" + "\n,".join(TEXTS) + "\n]",
    "array, brackets beside records": "[" + ",\n".join(TEXTS) + "]",
    "array, byte order mark": "\ufeff[" + ",\r\n".join(TEXTS) + "]\r\n",
    "array, some on a line": "[" + ", ".join(TEXTS[:3]) + ",\n" + ",".join(TEXTS[3:]) + "]",
    "array on a line": json.dumps(RECORDS),
    "array, indented": "[\n  " + ",\n  ".join(TEXTS) + "\n]",
    "arrays, one after another": json.dumps(RECORDS[:3]) + "\n" + json.dumps(RECORDS[3:]) + "\n",
}
SPREAD = {
    "over several lines": "\n".join(PRETTY),
    "over several lines, tabs": "\n\n".join(json.dumps(each, indent="\t") for each in RECORDS) + "\n",
    "array over several lines": json.dumps(RECORDS, indent=4),
    "array over several lines, one row": "[" + ", ".join(PRETTY) + "]",
    "first over several lines, then not": "\r\n".join([*PRETTY[:2], *TEXTS[2:]]),
}


def decode(text):
    """Say which ids a text holds, by decoding one record after the other."""
    at, found = BETWEEN.match(text).end(), []
    while at < len(text):
        value, at = json.JSONDecoder().raw_decode(text, at)
        found.append(value["payload"]["data"]["coreData"]["id"])
        at = BETWEEN.match(text, at).end()
    return found


def written(folder, text):
    path = folder / "m.json"
    path.write_bytes(text.encode())
    return str(path)


def read_blocks(path, size):
    """Read a file in blocks of about `size` bytes: rows, rejects, notes and how many row numbers it takes."""
    (file,) = find_sources([path])
    row, further, frames, rejects, notes = 100, 0, [], [], {}
    for block in cut(file, block_bytes=size):
        found = read_block(block, columns=COLUMNS, first_row=row, rows_before_file=100, further=further)
        frames.append(found.frame.astype({"coreData_id": "str"}))
        rejects += found.rejects
        for name, count in found.ledger.notes.items():
            notes[name] = notes.get(name, 0) + count
        count = count_rows(block)
        row, further = row + count.rows, further + count.further
    return pd.concat(frames, ignore_index=True), rejects, notes, row


@pytest.mark.parametrize("layout", [*LAYOUTS, *SPREAD])
def test_every_layout_gives_the_records_a_decoder_finds(tmp_path, layout):
    text = {**LAYOUTS, **SPREAD}[layout]
    frame, rejects, notes, behind = read_blocks(written(tmp_path, text), 10**7)
    assert frame["coreData_id"].tolist() == decode(text) == [f"{number:08X}" for number in range(7)]
    assert frame["coreData_speed"].tolist() == [number / 4 for number in range(7)]
    assert (rejects, notes) == ([], {})
    rows = frame["row_number"].tolist()
    assert rows == sorted(set(rows))
    assert 100 <= rows[0] <= rows[-1] < behind
    assert behind - 100 <= max(text.count("\n"), 7) + 7


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [1, 200, 500, 1000])
def test_rows_and_their_numbers_do_not_depend_on_where_a_file_is_cut(tmp_path, layout, size):
    path = written(tmp_path, LAYOUTS[layout])
    whole, parts = read_blocks(path, 10**7), read_blocks(path, size)
    pd.testing.assert_frame_equal(parts[0], whole[0])
    assert parts[1:] == whole[1:]


ODD = ["", " ", "#", "{", "}", "]", "[", "{}", "1,", '"a": 1,', '{"a": {', *TEXTS[:2], TEXTS[0] + ",", PRETTY[3]]


@given(st.lists(st.lists(st.sampled_from(ODD), max_size=3).map("".join), min_size=1, max_size=8), st.integers(1, 900))
def test_whatever_stands_there_rows_rejects_and_counts_do_not_depend_on_the_cut(tmp_path_factory, lines, size):
    path = written(tmp_path_factory.mktemp("cut"), "\n".join(["#", *lines]))
    (file,) = find_sources([path])
    whole = read_blocks(path, 10**7)
    rows = whole[0]["row_number"]
    assert rows.is_unique
    if file.layout.spread_line == 0:
        parts = read_blocks(path, size)
        pd.testing.assert_frame_equal(parts[0], whole[0])
        assert parts[1:] == whole[1:]


@pytest.mark.parametrize("blocks", [1, 5])
def test_line_numbers_of_rejects_hold_behind_records_in_a_row_and_in_later_files(tmp_path, blocks):
    texts = {"a.jsonl": "".join(TEXTS[:3]) + "\n#\n" + TEXTS[3], "b.jsonl": "".join(TEXTS[4:]) + "\n\n#\n#"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    out, sources = tmp_path / str(blocks), [tmp_path / name for name in texts]
    gather(list(map(str, sources)), out, GatherParams(block_mb=0.001 * 10 / blocks))
    found = [(each["file"][-7:], each["line"]) for each in read_rejects(tmp_path / str(blocks))]
    assert found == [("a.jsonl", 2), ("b.jsonl", 3), ("b.jsonl", 4)]
    frame = read([str(path) for path in sources], GatherParams(block_mb=0.001 * 10 / blocks))[0].compute()
    assert frame["row_number"].tolist() == [0, 1, 2, 4, 5, 6, 7]
    assert frame["coreData_id"].tolist() == [f"{number:08X}" for number in range(7)]


def test_row_numbers_count_lines_and_further_records_on_them(tmp_path):
    text = f"{TEXTS[0]}\n\n{TEXTS[1]}{TEXTS[2]} {TEXTS[3]}\n{TEXTS[4]}"
    frame, *_ = read_blocks(written(tmp_path, text), 10**7)
    assert frame["row_number"].tolist() == [100, 102, 103, 104, 105]


def test_of_records_in_a_row_only_the_bad_one_is_rejected_with_its_line_and_text(tmp_path):
    bad, cell = TEXTS[1].replace('"metadata":', '"metadata" '), json.dumps(record(2, speed="fast"))
    text = f"\n{TEXTS[0]}{bad} {cell}{TEXTS[3]}\n{TEXTS[4]}"
    frame, rejects, _, _ = read_blocks(written(tmp_path, text), 10**7)
    assert frame["coreData_id"].tolist() == ["00000000", "00000003", "00000004"]
    assert frame["row_number"].tolist() == [101, 104, 105]
    assert sorted((each.line, each.code, each.text.strip()) for each in rejects) == [
        (2, "coreData_speed: not a number", cell),
        (2, "not JSON", bad),
    ]


BROKEN = [PRETTY[0], PRETTY[1].replace('"payload": {', '"payload": ['), *PRETTY[2:]]
LENGTH = PRETTY[0].count("\n") + 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n".join(BROKEN), LENGTH + 1),
        ("\n".join(BROKEN).replace("\n", "\n  "), LENGTH + 1),
        ("[" + ", ".join(BROKEN) + "]", LENGTH),
        (",\n".join(["[", *BROKEN, "]"]), LENGTH + 2),
    ],
    ids=["lines", "indented", "one after another", "array"],
)
def test_a_broken_record_over_several_lines_is_one_reject_and_the_next_is_read(tmp_path, text, line):
    frame, rejects, notes, _ = read_blocks(written(tmp_path, text), 10**7)
    assert frame["coreData_id"].tolist() == [f"{number:08X}" for number in (0, 2, 3, 4, 5, 6)]
    assert [(each.line, each.code) for each in rejects] == [(line, "not JSON")]
    assert notes == {}


@pytest.mark.parametrize(("layout", "query"), [("over several lines", "."), ("array over several lines", ".[]")])
def test_records_over_several_lines_that_do_not_fit_a_block_are_refused_before_anything_runs(tmp_path, layout, query):
    path = written(tmp_path, "# remark\n" + SPREAD[layout])
    line = 2 if query == "." else 3
    with pytest.raises(SourceError, match=rf"m\.json: line {line}: .*several lines.*jq -c '{re.escape(query)}' FILE"):
        run(config_of([path], tmp_path, gather={"block_mb": 0.001}))
    with pytest.raises(SourceError, match=r"or set gather\.block_mb to 0\.01"):
        read(path, GatherParams(block_mb=0.001))
    assert not (tmp_path / "out").exists()


def test_a_stretch_of_records_over_several_lines_is_a_reject_each_and_its_lines_are_counted(tmp_path):
    text = "\n".join([*TEXTS[:2], *PRETTY[2:5], *TEXTS[5:]])
    inside = sum(each.count("\n") for each in PRETTY[2:5])
    for size in (1, 10**7):
        frame, rejects, notes, _ = read_blocks(written(tmp_path, text), size)
        assert frame["coreData_id"].tolist() == [f"{number:08X}" for number in (0, 1, 5, 6)]
        assert [each.line for each in rejects] == [3 + i * (inside // 3 + 1) for i in range(3)]
        assert all("jq -c . FILE" in each.reason for each in rejects)
        assert notes == {"lines inside records over several lines": inside}


def test_a_command_reads_an_array_and_keeps_its_rejects(tmp_path):
    full = [
        record(i, heading=1.0, position={"latitude": 41.0, "longitude": -106.0, "elevation": 1.0}) for i in range(9)
    ]
    for each in full:
        each["metadata"]["recordGeneratedAt"] = "2020-01-01T00:00:00.5Z"
    texts = [json.dumps(each) for each in full]
    texts[4] = "nothing"
    path = written(tmp_path, "[\n" + ",\n".join(texts) + "\n]")
    report = run(config_of([path], tmp_path, train=None, attack={"choose_by": "row", "ratio": 0}))
    assert report.ledgers["features"].rows_out == 8
    assert [(each["line"], each["code"]) for each in read_rejects(tmp_path / "out")] == [(6, "not JSON")]


@pytest.mark.slow
def test_a_line_of_fifty_megabytes_is_a_row_or_a_reject(tmp_path):
    long = json.dumps(record(1, x="y" * 50_000_000))
    frame, rejects, _, _ = read_blocks(written(tmp_path, f"{TEXTS[0]}\n{long}\n{long[:-5]}\n{TEXTS[2]}"), 10**6)
    assert frame["coreData_id"].tolist() == ["00000000", "00000001", "00000002"]
    assert [(each.line, each.code, len(each.text)) for each in rejects] == [(3, "not JSON", 2000)]
