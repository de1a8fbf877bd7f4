"""Results are exchanged all or not at all, at whatever moment the process that does it dies."""

import json
import os
import sys

import pytest

from cdpipe.engine.files.digests import Kept, hash_file
from cdpipe.engine.files.seals import seal
from cdpipe.engine.outputs import exchange as exchanging
from cdpipe.engine.outputs.exchange import JOURNAL, JournalError
from cdpipe.engine.outputs.output_folder import (
    DATASET,
    FAILED,
    REJECTS,
    REPORT,
    OutputError,
    Results,
    scratch_folder,
    sole_run,
)

STEPS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "open", "os.link", "ctypes.dlsym"}
CRASHED = 77


def keep(path):
    return Kept(path, hash_file(path))


def make_results(folder, results, text, *pictures, dataset=True):
    (folder / "part-000000.parquet").write_text(text)
    (folder / "rejects.jsonl").write_text(f"rejects of {text}")
    if dataset:
        results.add_dataset([keep(folder / "part-000000.parquet")])
    results.add_rejects(keep(folder / "rejects.jsonl"))
    for name in pictures:
        (results.folder / name).write_text(f"{name} of {text}")
    said = seal({"of": text, "versions": {"cdpipe": "1"}}, results.digests())
    (results.folder / REPORT).write_text(json.dumps(said))


def run_once(folder, text, *pictures, failed=False):
    out = folder / "out"
    with sole_run(out), scratch_folder(out) as scratch:
        results = Results(out, scratch)
        make_results(folder, results, text, *pictures, dataset=not failed)
        if failed:
            results.put_failed()
        else:
            results.put()


def look(out):
    """Return what is in the output folder, the report by what it is of."""
    found = {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}
    if REPORT in found:
        found[REPORT] = json.loads(found[REPORT])["of"]
    return found


def expect(text, *pictures):
    return {
        f"{DATASET}/part-000000.parquet": text,
        REJECTS: f"rejects of {text}",
        REPORT: text,
        **{name: f"{name} of {text}" for name in pictures},
    }


def crash_at(step, work):
    """Do some work in a process that ends, without any of Python's cleaning up, before its n-th change of files."""
    pid = os.fork()
    if pid == 0:
        try:
            left = step

            def count(event, _arguments):
                nonlocal left
                if event in STEPS:
                    left -= 1
                    if left == 0:
                        os._exit(CRASHED)

            sys.addaudithook(count)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(
    "swaps", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["exchanged at once", "renamed twice"]
)
def test_a_crash_at_any_step_leaves_all_of_the_one_run_or_of_the_other(tmp_path, monkeypatch, swaps):
    if not swaps:
        monkeypatch.setattr(exchanging, "_swap", lambda *_: False)
    earlier, later = expect("one", "confusion_A.png", "confusion_B.png"), expect("two", "confusion_B.png")
    step, seen = 0, []
    while True:
        step += 1
        folder = tmp_path / str(step)
        out = folder / "out"
        folder.mkdir()
        run_once(folder, "one", "confusion_A.png", "confusion_B.png")
        (out / "mine.txt").write_text("mine")
        code = crash_at(step, lambda folder=folder: run_once(folder, "two", "confusion_B.png"))
        assert code in (0, CRASHED)
        crash_at(1 + step % 7, lambda out=out: exchanging.complete_exchange(out))  # what mends it may die as well
        with sole_run(out), scratch_folder(out):
            pass
        found = look(out)
        assert found.pop("mine.txt") == "mine"
        assert found in (earlier, later)
        assert sorted(path.name for path in out.iterdir() if path.name.startswith(".")) == []
        seen.append(found == later)
        if code == 0:
            break
    assert step > 20
    assert seen == sorted(seen)  # from some step on it is the later run's
    assert not all(seen)


def test_results_of_a_failed_run_stand_beside_those_of_the_run_before(tmp_path):
    run_once(tmp_path, "one", "confusion_A.png")
    for text in ("two", "three"):
        run_once(tmp_path, text, failed=True)
        found = look(tmp_path / "out")
        assert {name: text for name, text in found.items() if not name.startswith(FAILED)} == expect(
            "one", "confusion_A.png"
        )
        assert found[f"{FAILED}/{REJECTS}"] == f"rejects of {text}"


def test_what_comes_to_stand_there_during_a_run_is_not_replaced(tmp_path):
    out = tmp_path / "out"
    with sole_run(out), scratch_folder(out) as scratch:
        results = Results(out, scratch)
        make_results(tmp_path, results, "one", "confusion_A.png")
        (out / "confusion_A.png").write_text("mine")
        with pytest.raises(OutputError, match=r"confusion_A\.png: is not of a run"):
            results.put()
    assert look(out) == {"confusion_A.png": "mine"}


def test_a_journal_that_cannot_be_read_is_named(tmp_path):
    run_once(tmp_path, "one")
    (tmp_path / "out" / JOURNAL).write_text('{"fresh": "x"')
    with (
        pytest.raises(OutputError, match=rf"{JOURNAL}: is damaged.*remove it, and run again"),
        sole_run(tmp_path / "out"),
    ):
        pytest.fail("it went on")
    with pytest.raises(JournalError):
        exchanging.complete_exchange(tmp_path / "out")
