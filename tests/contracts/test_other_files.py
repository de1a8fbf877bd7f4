"""A run with other files than the one before gathers those that are new, and gives what a run without a cache does."""

import json

import pytest
from contract_data import assert_identical, config_of, read_dataset, read_rejects, write_dirty_csv
from observing import observing

from cdpipe import run
from cdpipe.columns import ROW_NUMBER
from cdpipe.engine.files.parts import read_part
from cdpipe.synthetic.generator import SynthParams, synthesize

ATTACK = {"kind": "offset_rand"}  # draws by row number
STAGES = {"gather": {"block_mb": 0.1}, "attack": ATTACK, "train": None}


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Four files of unlike lengths, each with lines that are no records, cut into two blocks or three."""
    folder = tmp_path_factory.mktemp("days")
    for day, rows in enumerate((500, 700, 400, 600)):
        write_dirty_csv(folder / f"day{day}.csv", rows=rows, seed=day)
    return [folder / f"day{day}.csv" for day in range(4)]


@pytest.fixture(scope="module")
def run_cold(tmp_path_factory):
    """Run without a cache, once for the same files and parameters; returns accounts, data set, parts and rejects."""
    known = {}

    def cold(paths, tables):
        name = json.dumps([[str(path), path.stat().st_mtime_ns] for path in paths]) + json.dumps(tables)
        if name not in known:
            out = tmp_path_factory.mktemp("cold")
            report = run(config_of(paths, out, **tables, cache={"enabled": False}))
            rejects = read_rejects(out / "out")
            dirty = {str(path) for path in paths if path.suffix == ".csv"}
            assert {reject["file"] for reject in rejects} >= dirty
            known[name] = (report.ledgers, *read_dataset(out / "out" / "dataset"), rejects)
        return known[name]

    return cold


@pytest.fixture
def check(tmp_path, run_cold):
    """Run with the cache of the runs before; returns how many rows were gathered."""

    def checked(paths, expected_cache, **tables):
        gathered = []

        def watch(label, done, total, outcome):
            if outcome is not None and "gather" in outcome.seconds:
                gathered.append(outcome.ledgers["gather"].rows_in)

        given = {**STAGES, **tables}
        report = run(config_of(paths, tmp_path, **given), observer=observing(on_partition=watch))
        assert report.cache == {"features": "miss", "gather": expected_cache}
        ledgers, expected, parts, rejects = run_cold(paths, given)
        assert report.ledgers == ledgers
        found, found_parts = read_dataset(tmp_path / "out" / "dataset")
        assert found_parts == parts
        assert_identical(found, expected)
        assert read_rejects(tmp_path / "out") == rejects
        return sum(gathered)

    return checked


def count(*paths):
    return sum(len(path.read_bytes().splitlines()) - 1 for path in paths)


def test_a_new_days_file_alone_is_gathered(days, check):
    assert check(days[:3], "miss") == count(*days[:3])
    assert check(days, "3 of 4 files") == count(days[3])


def test_a_file_that_comes_first_or_between_moves_the_others(days, check):
    assert check([days[1], days[3]], "miss") == count(days[1], days[3])
    assert check(days, "2 of 4 files") == count(days[0], days[2])


def test_files_in_another_order_are_not_gathered_again(days, check):
    check(days[:3], "miss")
    assert check([days[2], days[0], days[1]], "3 of 3 files") == 0


def test_a_file_that_is_gone_takes_nothing_with_it(days, check):
    check(days[:3], "miss")
    assert check([days[0], days[2]], "2 of 2 files") == 0


def test_a_file_that_was_replaced_is_gathered_again(tmp_path, days, check):
    mine = [tmp_path / path.name for path in days[:3]]
    for path, made in zip(days, mine, strict=False):
        made.write_bytes(path.read_bytes())
    check(mine, "miss")
    mine[1].write_bytes(days[3].read_bytes())
    assert check(mine, "2 of 3 files") == count(days[3])


def test_files_come_from_several_runs(days, check):
    check(days[:2], "miss")
    check(days[2:], "miss")
    assert check([days[3], days[0], days[2], days[1]], "4 of 4 files") == 0


def test_files_of_all_formats_are_taken_over(tmp_path, days, check):
    lines, table = tmp_path / "m.jsonl", tmp_path / "m.parquet"
    for path in (lines, table):
        synthesize(path, SynthParams(rows=300, dirty_share=0.05))
    records = lines.read_text().splitlines()
    lines.write_text("".join([*(f"{line}\n" for line in records[:200]), "not JSON\n\n", " ".join(records[200:]), "\n"]))
    check([table, lines, days[0]], "miss", clean={"position": "columns"})
    assert check([days[2], lines, days[0], table], "3 of 4 files", clean={"position": "columns"}) == count(days[2])


def test_what_is_taken_over_can_be_taken_over_again_and_needs_no_older_entry(days, check, tmp_path):
    check(days[:1], "miss")
    check(days[:2], "1 of 2 files")
    for entry in (tmp_path / "cache").glob("[0-9a-f][0-9a-f]/*"):
        manifest = json.loads((entry / "manifest.json").read_text())
        if manifest["stage"] == "gather" and manifest["rows"] < count(days[0]):
            for file in entry.iterdir():
                file.unlink()
            entry.rmdir()
    assert check([days[1], days[0], days[2]], "2 of 3 files") == count(days[2])


def test_a_later_run_starts_from_what_was_put_together(days, check, tmp_path):
    check(days[:2], "miss")
    check(days[1::-1], "2 of 2 files")
    assert check(days[1::-1], "hit", attack={**ATTACK, "seed": 7}) == 0


@pytest.mark.parametrize("changed", [{"block_mb": 0.05}, {"columns": ["coreData_heading"]}])
def test_files_that_were_gathered_in_another_way_are_gathered_again(days, check, changed):
    check(days[:2], "miss")
    assert check(days[:3], "miss", gather={**STAGES["gather"], **changed}) == count(*days[:3])


def test_a_file_that_lacks_a_column_changes_how_the_others_are_read(tmp_path, days, check):
    """The columns that are read by default are those that every file has."""
    header, *lines = days[3].read_text().splitlines()
    short = tmp_path / "short.csv"
    place = header.split(",").index("coreData_elevation")
    rows = [line.split(",") for line in [header, *lines[:200]] if line.count(",") == header.count(",")]
    short.write_text("".join(",".join(row[:place] + row[place + 1 :]) + "\n" for row in rows) + "only,two\n")
    features = {"columns": ["x_pos", "y_pos"]}
    check(days[:2], "miss", features=features)
    check([days[0], short], "1 of 2 files", features=features)


def test_a_part_is_numbered_from_its_file_on(days, check, tmp_path):
    check([days[1], days[0]], "miss")
    [entry] = [
        path.parent
        for path in (tmp_path / "cache").rglob("manifest.json")
        if json.loads(path.read_text())["stage"] == "gather"
    ]
    firsts = [read_part(path)[ROW_NUMBER].min() for path in sorted(entry.glob("part-*"))]
    assert firsts.count(0) == 2
