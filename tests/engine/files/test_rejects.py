import json
import os

import pytest

from cdpipe.engine.files.rejects import FURTHER, REJECTS, count_further, join_rejects, share_rejects, write_rejects
from cdpipe.engine.files.sources import cut, find_sources, read_block
from cdpipe.stages.gather import gather
from cdpipe.stages.gather.gather import Reject
from cdpipe.stages.ledger import Ledger, add_ledgers

KEPT = gather.KEPT_REJECTS


def reject(line, text="x"):
    return Reject("m.csv", line, "too few fields", "too few fields", text)


def account(rejected):
    return Ledger("gather", rejected, 0, {"too few fields": rejected})


def test_rejects_are_json_lines_in_the_order_of_rows_and_pieces_go(tmp_path):
    for index in (10, 2, 0):
        write_rejects([reject(100 * index), reject(100 * index + 1)], tmp_path, index)
    whole = join_rejects(tmp_path, account(6))
    assert whole == tmp_path / REJECTS
    assert [path.name for path in tmp_path.iterdir()] == [REJECTS]
    records = [json.loads(line) for line in whole.read_text().splitlines()]
    assert [record["line"] for record in records] == [0, 1, 200, 201, 1000, 1001]
    assert records[0] == reject(0)._asdict()


def test_text_of_any_sort_is_one_line(tmp_path):
    odd = 'naïve "quoted" \\ \r\n\t\u2028 \ufffd \x00'
    write_rejects([reject(1, odd)], tmp_path, 0)
    lines = join_rejects(tmp_path, account(1)).read_bytes().split(b"\n")
    assert len(lines) == 2
    assert json.loads(lines[0])["text"] == odd


def test_none_is_an_empty_file(tmp_path):
    assert join_rejects(tmp_path, account(0)).read_bytes() == b""


def test_a_partition_done_again_replaces_its_own(tmp_path):
    write_rejects([reject(1), reject(2)], tmp_path, 3)
    write_rejects([reject(1)], tmp_path, 3)
    assert len(join_rejects(tmp_path, account(1)).read_text().splitlines()) == 1


def test_beyond_the_limit_the_last_line_says_how_many_there_are(tmp_path):
    for index in range(3):
        write_rejects([reject(index * KEPT + i) for i in range(KEPT // 2)], tmp_path, index)
    *records, last = map(json.loads, join_rejects(tmp_path, account(KEPT + 1_234)).read_text().splitlines())
    assert [each["line"] for each in records] == [*range(KEPT // 2), *range(KEPT, KEPT + KEPT // 2)]
    assert (last["code"], last["line"], count_further(account(KEPT + 1_234))) == (FURTHER, 0, 1_234)
    assert last["reason"].startswith("1,234 further records were rejected")


def test_another_folder_shares_the_file_and_has_a_copy_only_where_there_are_no_links(tmp_path, monkeypatch):
    write_rejects([reject(1)], tmp_path, 0)
    whole = join_rejects(tmp_path, account(1))
    for name in ("linked", "copied"):
        (tmp_path / name).mkdir()
        share_rejects(whole, tmp_path / name)
        assert (tmp_path / name / REJECTS).read_bytes() == whole.read_bytes()
        assert (tmp_path / name / REJECTS).samefile(whole) == (name == "linked")
        monkeypatch.setattr(os, "link", raising)


def raising(*_):
    raise OSError(18, "Invalid cross-device link")


HEADER = "coreData_id,coreData_speed\n"
LINES = {
    "csv": {
        "fields": "A\n",
        "quotes": '"A\n',
        "parted": '"A\nB",1\n',
        "cells": "A,fast\n",
    },
    "json": {
        "broken": "{\n",
        "cells": '{"metadata": {}, "payload": {"data": {"coreData": {"id": "A", "speed": "fast"}}}}\n',
    },
}


@pytest.mark.parametrize(("kind", "fault"), [(kind, fault) for kind, faults in LINES.items() for fault in faults])
def test_a_flood_of_rejects_is_counted_and_its_first_ones_kept_wherever_the_file_is_cut(
    tmp_path, monkeypatch, kind, fault
):
    for module in ("gather", "csv_block"):
        monkeypatch.setattr(f"cdpipe.stages.gather.{module}.KEPT_REJECTS", 10)
    monkeypatch.setattr("cdpipe.engine.files.rejects.KEPT_REJECTS", 10)
    text = LINES[kind][fault]
    path = tmp_path / f"m.{kind}"
    path.write_text((HEADER if kind == "csv" else "") + text * 50 + LINES[kind]["cells"] * 5 + text)
    (file,) = find_sources([str(path)])
    files, accounts = [], []
    for block_bytes in (10**6, 300):
        folder = tmp_path / str(block_bytes)
        folder.mkdir()
        row, parts = 0, []
        for index, block in enumerate(cut(file, block_bytes=block_bytes)):
            parts.append(
                read_block(
                    block,
                    columns=("coreData_id", "coreData_speed"),
                    first_row=row,
                    rows_before_file=0,
                    required=("coreData_speed",),
                )
            )
            assert len(parts[-1].rejects) <= 10
            write_rejects(parts[-1].rejects, folder, index)
            row += path.read_bytes()[block.start : block.stop].count(b"\n")
        accounts.append(add_ledgers(part.ledger for part in parts))
        files.append(join_rejects(folder, accounts[-1]).read_text())
    assert files[0] == files[1]
    assert accounts[0] == accounts[1]
    assert len(files[0].splitlines()) == 11
    assert sum(accounts[0].dropped.values()) == text.count("\n") * 51 + 5
    assert accounts[0].rows_out == 0
