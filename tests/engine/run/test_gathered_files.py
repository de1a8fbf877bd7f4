"""What an entry of gathering holds of each file, and what a draft takes over of it."""

import json
import os

import pytest

from cdpipe.engine.cache.entry import Entry
from cdpipe.engine.cache.manifest import File, Manifest, Part
from cdpipe.engine.files.digests import DamageError, hash_file
from cdpipe.engine.files.parts import note_part
from cdpipe.engine.files.rejects import REJECTS, join_rejects
from cdpipe.engine.run.gathered_files import FILES, GatheredFile, GatheredPart, load_entry, take_over, write_files
from cdpipe.stages.ledger import Ledger


def part(numbers, *, bad=0):
    return GatheredPart(numbers=numbers, ledger=Ledger("gather", numbers, numbers - bad, {"bad": bad} if bad else {}))


def reject(file, line):
    return json.dumps({"file": file, "line": line, "code": "bad", "reason": "bad", "text": ""}) + "\n"


@pytest.fixture
def entry(tmp_path):
    """Files a (two parts, three rejects), b (one part, none) and c (one part, two rejects)."""
    folder = tmp_path / "entry"
    folder.mkdir()
    for place in range(4):
        (folder / f"part-{place:06d}.parquet").write_text(f"part-{place:06d}.parquet")
    write_files(
        folder,
        [
            GatheredFile(key="a", parts=(part(10, bad=1), part(5, bad=2))),
            GatheredFile(key="b", parts=(part(7),)),
            GatheredFile(key="c", parts=(part(4, bad=2),)),
        ],
    )
    lines = [reject("a", line) for line in (1, 12, 13)] + [reject("c", line) for line in (2, 3)]
    (folder / REJECTS).write_text("".join(lines))
    return describe(folder)


def describe(folder):
    """The entry of the files that are there now."""
    parts = [Part(name=path.name, **note_part(path, 1)._asdict()) for path in sorted(folder.glob("part-*"))]
    others = [
        File(name=path.name, bytes=path.stat().st_size, digest=hash_file(path)) for path in folder.glob("*.json*")
    ]
    manifest = Manifest.model_construct(stage="gather", key="k", parts=tuple(parts), attachments=tuple(others))
    return Entry(folder, manifest)


@pytest.fixture
def draft(tmp_path):
    folder = tmp_path / "draft"
    folder.mkdir()
    return folder


def test_every_part_knows_its_file_and_how_many_row_numbers_it_takes(entry):
    loaded = load_entry(entry)
    assert [part.path for part in loaded] == [entry.directory / part.name for part in entry.manifest.parts]
    assert [part.block.rows for part in loaded] == [10, 5, 7, 4]
    assert [part.gathered.rows_out for part in loaded] == [9, 3, 7, 2]
    assert loaded[0].block.file is loaded[1].block.file
    assert len({id(part.block.file) for part in loaded}) == 3


def test_parts_and_rejects_go_where_they_are_wanted(entry, draft):
    taken = take_over(entry, {"c": [1], "a": [2, 3], "new": [0]}, draft)
    assert {place: part.path.name for place, part in taken.items()} == {
        1: "part-000003.parquet",
        2: "part-000000.parquet",
        3: "part-000001.parquet",
    }
    for place, part in taken.items():
        assert (draft / f"part-{place:06d}.parquet").samefile(part.path)
    found = [
        json.loads(line) for line in join_rejects(draft, Ledger("gather", 5, 0, {"few": 5})).read_text().splitlines()
    ]
    assert [(each["file"], each["line"]) for each in found] == [("c", 2), ("c", 3), ("a", 1), ("a", 12), ("a", 13)]


def test_a_file_that_is_cut_into_other_blocks_is_left(entry, draft):
    assert take_over(entry, {"a": [0], "b": [1, 2]}, draft) == {}
    assert list(draft.iterdir()) == []


@pytest.mark.parametrize(("lines", "files"), [(5, "abc"), (4, "ab"), (3, "ab"), (2, "b"), (0, "b")])
def test_a_file_whose_rejects_were_not_all_kept_is_left(entry, draft, lines, files):
    path = entry.directory / REJECTS
    kept = path.read_text().splitlines(keepends=True)[:lines]
    note = json.dumps({"file": "", "line": 0, "code": "further rejects", "reason": "more", "text": ""}) + "\n"
    path.write_text("".join([*kept, note]))
    taken = take_over(describe(entry.directory), {"a": [0, 1], "b": [2], "c": [3]}, draft)
    places = {"a": {0, 1}, "b": {2}, "c": {3}}
    assert taken.keys() == set().union(*(places[file] for file in files))


def test_without_links_parts_are_copied(entry, draft, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    assert take_over(entry, {"b": [0]}, draft).keys() == {0}
    assert (draft / "part-000000.parquet").read_text() == "part-000002.parquet"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-20],
        lambda _: "[]",
        lambda text: text.replace('"rows_out":9', '"rows_out":8'),
        lambda text: text.replace('"numbers":10', '"numbers":-1'),
        None,
    ],
)
def test_an_account_of_files_that_cannot_be_right_is_damage(entry, draft, change):
    path = entry.directory / FILES
    if change is None:
        path.unlink()
    else:
        before = path.read_text()
        path.write_text(change(before))
        assert path.read_text() != before
    for damaged in (entry, describe(entry.directory)):
        with pytest.raises(DamageError, match=r"files\.json"):
            load_entry(damaged)
        with pytest.raises(DamageError, match=r"files\.json"):
            take_over(damaged, {"a": [0, 1]}, draft)


def test_rejects_that_are_not_what_was_written_are_damage(entry, draft):
    path = entry.directory / REJECTS
    path.write_text(path.read_text().replace("12", "13"))
    with pytest.raises(DamageError, match=r"rejects\.jsonl has other bytes"):
        take_over(entry, {"a": [0, 1]}, draft)
    assert list(draft.iterdir()) == []
    assert list(draft.iterdir()) == []
