import json

import pytest
from foreign import numbered, written

from cdpipe.config.model import load_config
from cdpipe.studies.importing.writing import find_sources, import_files


@pytest.fixture
def sources(tmp_path):
    for name, said in (("a", numbered()), ("b", written()), ("c", {"rows": 1})):
        (tmp_path / f"{name}.json").write_text(json.dumps(said))
    return find_sources([tmp_path])


def test_several_files_at_once_and_one_that_is_none_stops_nothing(sources):
    a, b, c = import_files(sources)
    assert [each.target.name for each in (a, b)] == ["a.toml", "b.toml"]
    assert c.target is None
    assert "has none of the tables" in c.problem
    for each in (a, b):
        config = load_config(each.target)
        assert config.model_dump(exclude_unset=True)["attack"]["kind"] == each.imported.tables["attack"]["kind"]
        text = each.target.read_text()
        assert all(remark.sentence in text for remark in each.imported.remarks)


def test_what_was_made_here_is_replaced_and_nothing_else(sources, tmp_path):
    first, *_ = import_files(sources)
    again, *_ = import_files(sources, data="other.csv")
    assert again.problem == ""
    assert "other.csv" in first.target.read_text()
    first.target.write_text(first.target.read_text().replace("0.3", "0.4"))
    changed, *_ = import_files(sources)
    assert "was changed since" in changed.problem
    assert "0.4" in first.target.read_text()
    (tmp_path / "b.toml").unlink()
    (tmp_path / "b.toml").write_text("mine = 1")
    _, mine, _ = import_files(sources)
    assert "was not made by an import" in mine.problem
    assert (tmp_path / "b.toml").read_text() == "mine = 1"


def test_a_link_is_not_followed(sources, tmp_path):
    (tmp_path / "mine").write_text("")
    (tmp_path / "a.toml").symlink_to(tmp_path / "mine")
    a, *_ = import_files(sources)
    assert "is there already" in a.problem
    assert (tmp_path / "mine").read_text() == ""


def test_two_files_of_one_name_do_not_become_one(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.json").write_text(json.dumps(numbered()))
    outcomes = list(import_files([tmp_path / "x/a.json", tmp_path / "y/a.json"], folder=tmp_path / "out"))
    assert [each.target is None for each in outcomes] == [False, True]
    assert "is made of" in outcomes[1].problem
