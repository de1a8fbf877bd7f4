"""What cdpipe has made is known by seals, and what anybody changed is not."""

import json

import pytest

from cdpipe.engine.files.seals import FILES, SEAL, digest_file, find_own, seal


def write(folder, **said):
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(name)
    files = {name: digest_file(folder / name) for name in ("a.txt", "b.txt")}
    (folder / "report.json").write_text(json.dumps(seal({"x": 0.1, **said}, files), indent=2))


def test_files_as_they_were_left_are_own(tmp_path):
    write(tmp_path, name="\udcff", nested={"b": (1, 2), "a": None})
    assert find_own(tmp_path / "report.json") == {"report.json", "a.txt", "b.txt"}


@pytest.mark.parametrize("change", [lambda path: path.write_text("mine"), lambda path: path.unlink()])
def test_a_changed_or_missing_file_is_not(tmp_path, change):
    write(tmp_path)
    change(tmp_path / "a.txt")
    assert find_own(tmp_path / "report.json") == {"report.json", "b.txt"}


def test_a_link_is_not(tmp_path):
    write(tmp_path)
    (tmp_path / "a.txt").rename(tmp_path / "c.txt")
    (tmp_path / "a.txt").symlink_to(tmp_path / "c.txt")
    assert find_own(tmp_path / "report.json") == {"report.json", "b.txt"}


@pytest.mark.parametrize("key", ["x", FILES, SEAL])
def test_a_report_that_somebody_edited_vouches_for_nothing(tmp_path, key):
    write(tmp_path)
    said = json.loads((tmp_path / "report.json").read_text())
    said[key] = {"mine.txt": "0" * 64}
    (tmp_path / "report.json").write_text(json.dumps(said))
    assert find_own(tmp_path / "report.json") == set()


@pytest.mark.parametrize("text", ["", "[]", "1", "{", '{"a": 1}', '{"versions": 3}', "[" * 100_000])
def test_what_is_no_report_vouches_for_nothing(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    assert find_own(tmp_path / "report.json") == set()


def test_names_of_an_older_report_are_own(tmp_path):
    write(tmp_path)
    old = {"versions": {"cdpipe": "0.1"}, "outputs": {"a": "/x/a.txt", "gone": "/x/gone", "report": "/x/report.json"}}
    (tmp_path / "report.json").write_text(json.dumps(old))
    assert find_own(tmp_path / "report.json") == {"report.json", "a.txt"}
