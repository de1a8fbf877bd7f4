"""Timed benchmarks that know when they were disturbed: counters are faked, but for one test of the real ones."""

import json
import time
from types import SimpleNamespace

import pytest
from asv_runner.benchmarks import benchmark_types
from asv_runner.discovery import disc_benchmarks

from benchmarks import _contention, _sizes, _time_type
from benchmarks.__main__ import main
from benchmarks._contention import LONG_S, MOST_OTHERS, MOST_WAIT, Stopwatch, Use
from benchmarks._time_type import MOST_TRIES, PatientTime, PatientTimer, PatientTimeraw, register

QUIET = Use(0.01, 0.01, 0.0, 0.0)
WAITED = Use(0.01, 0.01, 0.005, 0.0)
LESS = Use(0.01, 0.01, 0.002, 0.0)


class Scripted:
    """A timer whose tries take what the test says; each is so many seconds, and so disturbed."""

    def __init__(self, *tries):
        self.clock = SimpleNamespace(use=None)
        self.left = list(tries)

    def timeit(self, number):
        seconds, self.clock.use = self.left.pop(0)
        return seconds


def measure(*tries):
    scripted = Scripted(*tries)
    timer = PatientTimer(scripted, scripted.clock)
    return timer.timeit(1), timer.tries, scripted.left


def test_a_quiet_sample_is_measured_once():
    assert measure((0.5, QUIET), (0.1, QUIET)) == (0.5, [1], [(0.1, QUIET)])


def test_a_disturbed_sample_is_measured_again_until_it_is_quiet():
    assert measure((0.9, WAITED), (0.5, QUIET), (0.1, QUIET)) == (0.5, [2], [(0.1, QUIET)])


def test_of_disturbed_samples_the_least_disturbed_counts_and_not_the_fastest():
    assert MOST_TRIES == 3
    assert measure((0.1, WAITED), (0.9, LESS), (0.2, WAITED), (0.0, QUIET)) == (0.9, [3], [(0.0, QUIET)])


@pytest.mark.parametrize(
    ("use", "is_disturbed"),
    [
        (Use(0.1, 0.1, 0.1 * MOST_WAIT * 1.1, 0.0), True),
        (Use(0.1, 0.1, 0.1 * MOST_WAIT * 0.9, 0.0), False),
        (Use(0.1, 0.1, 0.0, 0.5), False),  # ticks of 10 ms say little of a tenth of a second
        (Use(LONG_S, 0.1, 0.0, MOST_OTHERS * 1.1), True),
        (Use(LONG_S, 0.1, 0.0, MOST_OTHERS * 0.9), False),
        (Use(2.0, 4.0, 1.0, 0.0), False),  # its own threads waited for each other
        (Use(0.0, 0.0, 0.0, 0.0), False),
    ],
)
def test_short_samples_are_judged_by_what_they_waited_and_long_ones_by_others(use, is_disturbed):
    assert (use.disturbance > 1) == is_disturbed


@pytest.fixture
def counters(monkeypatch):
    """Counters that stand still until the test moves them."""
    moved = SimpleNamespace(busy=100.0, own=7.0, waits={1: 1_000_000, 2: 5}, now=50.0)
    monkeypatch.setattr(_contention, "read_busy", lambda: moved.busy)
    monkeypatch.setattr(_contention, "read_own", lambda: moved.own)
    monkeypatch.setattr(_contention, "read_waits", lambda: dict(moved.waits))
    monkeypatch.setattr(_contention, "find_processors", lambda: {0, 1})
    monkeypatch.setattr(_contention.time, "perf_counter", lambda: moved.now)
    return moved


def test_what_others_used_is_all_less_our_own(counters):
    clock = Stopwatch(lambda: counters.now)
    assert clock() == 50.0
    counters.busy, counters.own, counters.now = 103.0, 8.0, 52.0
    counters.waits = {1: 501_000_000, 3: 250_000_000}
    assert clock() == 52.0
    assert clock.use == Use(2.0, 1.0, pytest.approx(0.75), pytest.approx(0.5))


def test_what_is_timed_in_several_pieces_is_added_up(counters):
    clock = Stopwatch(lambda: counters.now)
    for busy, seconds in ((2.0, 1.0), (0.0, 3.0)):
        clock()
        counters.busy += busy
        counters.now += seconds
        clock()
        counters.busy += 9.0  # between them, in a setup
    assert clock.use == Use(4.0, 0.0, 0.0, pytest.approx(0.25))


def test_the_kernel_s_counters_are_read():
    end = time.process_time() + 0.05
    before = _contention.read_busy(), _contention.read_own()
    while time.process_time() < end:
        pass
    assert _contention.read_own() - before[1] >= 0.04
    assert _contention.read_busy() >= before[0] > 0
    waits = _contention.read_waits()
    assert waits
    assert all(wait >= 0 for wait in waits.values())


def test_all_timed_benchmarks_of_the_suite_are_patient_and_still_asv_s_own():
    register()
    assert [each for each in benchmark_types if each in (PatientTime, PatientTimeraw)] == [PatientTimeraw, PatientTime]
    found = {
        each.name: each
        for each in disc_benchmarks(str(_contention.Path(_sizes.__file__).parent))
        if each.type == "time"
    }
    assert {type(each) for each in found.values()} == {PatientTime, PatientTimeraw}
    assert type(found["imports.timeraw_help"]) is PatientTimeraw
    assert {each.unit for each in found.values()} == {"seconds"}


def make(kind, function, **attributes):
    return kind("module.time_it", function, [SimpleNamespace(**attributes)])


def test_samples_and_what_they_took_are_kept_beside_results_by_round(tmp_path, monkeypatch):
    monkeypatch.setenv("ASV_COMMIT", "c0ffee" * 6)
    monkeypatch.setenv("ASV_ENV_NAME", "virtualenv-py3.11")
    monkeypatch.setenv("ASV_CONF_DIR", str(tmp_path))
    (tmp_path / "asv.conf.json").write_text(json.dumps({"results_dir": "out/results"}))
    setups = []
    settings = {"number": 1, "repeat": 3, "warmup_time": 0, "params": [["a"]], "param_names": ["kind"]}
    for _ in range(2):
        benchmark = make(PatientTime, lambda kind: None, setup=setups.append, **settings)
        benchmark.set_param_idx(0)
        benchmark.do_setup()
        assert len(benchmark.do_run()["samples"]) == 3
    assert len(setups) >= 6
    path = tmp_path / "out/results/contention/c0ffeec0-virtualenv-py3.11.jsonl"
    with path.open("a") as file:
        file.write('{"cut')
    notes = _contention.read_notes(path)
    assert [(note["benchmark"], note["params"], note["round"]) for note in notes] == [
        ("module.time_it", ["'a'"], 1),
        ("module.time_it", ["'a'"], 2),
    ]
    for note in notes:
        assert len(note["samples"]) == 3
        assert note["samples"][0].keys() == {"seconds", "cpu_seconds", "wait_seconds", "others_share", "tries"}


@pytest.mark.parametrize("missing", ["ASV_COMMIT", "ASV_CONF_DIR"])
def test_outside_of_asv_nothing_is_written(tmp_path, monkeypatch, missing):
    monkeypatch.setenv("ASV_COMMIT", "c0ffee" * 6)
    monkeypatch.setenv("ASV_ENV_NAME", "virtualenv-py3.11")
    monkeypatch.setenv("ASV_CONF_DIR", str(tmp_path))
    (tmp_path / "asv.conf.json").write_text("{}")
    assert _contention.find_notes() is not None
    monkeypatch.delenv(missing)
    assert _contention.find_notes() is None


@pytest.mark.parametrize("number", [1, 3])
def test_setup_is_outside_of_what_is_looked_at(monkeypatch, number):
    monkeypatch.setattr(_time_type, "keep", lambda *args: kept.append(args))
    kept = []
    settings = {"number": number, "repeat": 2, "warmup_time": 0}
    benchmark = make(PatientTime, lambda: time.sleep(0.002), setup=lambda: time.sleep(0.05), **settings)
    benchmark.do_setup()
    benchmark.do_run()
    ((_name, _params, uses, tries),) = kept
    assert len(uses) == len(tries) == 2
    assert all(0.002 * number <= use.seconds for use in uses)
    assert min(use.cpu_seconds for use in uses) < 0.05


def test_a_process_a_sample_is_looked_at_from_outside(monkeypatch):
    monkeypatch.setattr(_time_type, "keep", lambda *args: kept.append(args))
    kept = []
    benchmark = make(PatientTimeraw, lambda: "pass", number=1, repeat=2, warmup_time=0)
    benchmark.do_setup()
    samples = benchmark.do_run()["samples"]
    ((_name, _params, uses, _tries),) = kept
    assert all(use.seconds > sample for use, sample in zip(uses, samples, strict=True))
    assert all(use.cpu_seconds > 0 for use in uses)


def test_what_stayed_disturbed_is_named(tmp_path, capsys):
    quiet = {"seconds": 0.1, "cpu_seconds": 0.1, "wait_seconds": 0.0, "others_share": 0.0, "tries": 1}
    disturbed = quiet | {"wait_seconds": 0.05, "tries": 3}
    notes = [
        {"benchmark": "a.time_x", "params": ["'1M'"], "round": 1, "samples": [quiet, disturbed, disturbed]},
        {"benchmark": "a.time_x", "params": ["'1M'"], "round": 2, "samples": [quiet | {"tries": 2}]},
        {"benchmark": "b.time_y", "params": [], "round": 1, "samples": [quiet]},
    ]
    folder = tmp_path / "contention"
    folder.mkdir()
    (folder / "c0ffeec0-env.jsonl").write_text("".join(json.dumps(note) + "\n" for note in notes))
    assert main(["disturbed", "c0ffee" * 6, str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "3 of 5 timed samples were disturbed and measured again; in these some stayed disturbed:",
        "  a.time_x('1M'), round 1: 2 samples",
    ]
    (folder / "c0ffeec0-env.jsonl").write_text(json.dumps(notes[1]) + "\n")
    main(["disturbed", "c0ffee" * 6, str(tmp_path)])
    assert capsys.readouterr().out == "1 of 1 timed samples were disturbed and measured again; none stayed so.\n"
    main(["disturbed", "deadbeef", str(tmp_path)])
    assert "No timed sample of deadbeef" in capsys.readouterr().out
