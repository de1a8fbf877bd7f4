import json

from cdpipe.engine.rejects import REJECTS, join_rejects, write_rejects
from cdpipe.stages.gather import Reject


def reject(line, text="x"):
    return Reject("m.csv", line, "too few fields", "too few fields", text)


def test_rejects_are_json_lines_in_the_order_of_rows_and_pieces_go(tmp_path):
    for index in (10, 2, 0):
        write_rejects([reject(100 * index), reject(100 * index + 1)], tmp_path, index)
    whole = join_rejects(tmp_path)
    assert whole == tmp_path / REJECTS
    assert [path.name for path in tmp_path.iterdir()] == [REJECTS]
    records = [json.loads(line) for line in whole.read_text().splitlines()]
    assert [record["line"] for record in records] == [0, 1, 200, 201, 1000, 1001]
    assert records[0] == reject(0)._asdict()


def test_text_of_any_sort_is_one_line(tmp_path):
    odd = 'naïve "quoted" \\ \r\n\t\u2028 \ufffd \x00'
    write_rejects([reject(1, odd)], tmp_path, 0)
    lines = join_rejects(tmp_path).read_bytes().split(b"\n")
    assert len(lines) == 2
    assert json.loads(lines[0])["text"] == odd


def test_none_is_an_empty_file(tmp_path):
    assert join_rejects(tmp_path).read_bytes() == b""


def test_a_partition_done_again_replaces_its_own(tmp_path):
    write_rejects([reject(1), reject(2)], tmp_path, 3)
    write_rejects([reject(1)], tmp_path, 3)
    assert len(join_rejects(tmp_path).read_text().splitlines()) == 1
