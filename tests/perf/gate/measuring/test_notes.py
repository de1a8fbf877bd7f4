import json

import pytest

from cdpipe.perf.gate.measuring.notes import Notes

SAMPLES = (1.0, 2.0, 3.0)


def use(others=0.0, *, seconds=0.5, wait=0.0):
    return {"seconds": seconds, "cpu_seconds": seconds, "wait_seconds": wait, "others_share": others, "tries": 1}


@pytest.fixture
def note(tmp_path):
    """Write a process's note and choose its calm samples."""
    path = tmp_path / "contention" / "notes.jsonl"
    notes = Notes(path)

    def chosen(*uses, name="a.time_b", params=("'1M'",), earlier=()):
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            for each in earlier:
                file.write(each + "\n")
        notes.skip()
        with path.open("a") as file:
            file.write(json.dumps({"benchmark": "a.time_b", "params": ["'1M'"], "samples": list(uses)}) + "\n")
        return notes.choose_calm(name, params, SAMPLES)

    return chosen


def test_calm_samples_alone_count(note):
    assert note(use(0.02), use(0.6), use(0.04)) == ((1.0, 3.0), pytest.approx(0.03))
    assert note(use(), use(), use()) == (SAMPLES, 0.0)


def test_short_samples_are_judged_by_what_they_waited(note):
    short = {"seconds": 0.01}
    calm = note(use(0.9, wait=0.0001, **short), use(0.0, wait=0.004, **short), use(0.9, wait=0.0, **short))
    assert calm == ((1.0, 3.0), pytest.approx(0.01))


@pytest.mark.parametrize(
    ("uses", "options"),
    [
        ((use(0.5), use(0.6), use(0.01)), {}),
        ((use(), use()), {}),
        ((use(), use(), use()), {"name": "a.time_c"}),
        ((use(), use(), use()), {"params": ("'2M'",)}),
        ((use(), use(), {"seconds": 1.0}), {}),
        ((use(), use(), use(seconds=0.0)), {}),
    ],
    ids=["too few calm", "other count", "other benchmark", "other size", "other format", "no time"],
)
def test_what_says_nothing_of_these_samples_changes_nothing(note, uses, options):
    assert note(*uses, **options) is None


def test_only_what_the_last_process_wrote_is_read(note, tmp_path):
    older = json.dumps({"benchmark": "a.time_b", "params": ["'1M'"], "samples": [use(0.9)] * 3})
    assert note(use(), use(), use(), earlier=[older, '{"cut']).others == 0.0
    notes = Notes(tmp_path / "contention" / "notes.jsonl")
    assert notes.choose_calm("a.time_b", ("'1M'",), SAMPLES) is None
    assert Notes(tmp_path / "none").choose_calm("a.time_b", ("'1M'",), SAMPLES) is None
