"""Probed benchmarks for any suite: what a class gets, what a run of it says, and that it is made once."""

import time

import pytest

from cdpipe.figures import UNITS
from cdpipe.probe.benchmark import TRACKED, Probed, flatten_result
from cdpipe.probe.local import LocalSession
from cdpipe.probe.probe import ProbeResult


class Sleeping(Probed):
    params = ((0.05,),)
    param_names = ("seconds",)
    order = "linear"
    calls = 0

    def work(self, seconds):
        Sleeping.calls += 1
        time.sleep(seconds)


def test_a_class_gets_a_benchmark_of_each_figure_as_the_report_wants_it():
    names = {f"track_{figure}" for figure in TRACKED} | {"time_work", "peakmem_work"}
    assert names <= set(dir(Sleeping))
    for figure in TRACKED:
        track = getattr(Sleeping, f"track_{figure}")
        assert (track.cdpipe_stage, track.cdpipe_figure) == ("test_benchmark.Sleeping", figure)
        assert track.unit
    assert set(TRACKED) <= UNITS.keys()
    assert Sleeping.time_work.cdpipe_order == "linear"


def test_a_change_of_the_work_is_a_new_version_for_asv():
    class Other(Probed):
        def work(self):
            return 1

    class Another(Probed):
        def work(self):
            return 2

    assert Other.time_work.pretty_source != Another.time_work.pretty_source
    assert Other.time_work.pretty_source != Other.peakmem_work.pretty_source


def test_the_probed_run_is_made_once_and_read_by_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("asv_runner")
    one = Sleeping()
    figures = one.measure(0.05)
    made = Sleeping.calls
    assert made >= 1
    assert Sleeping().measure(0.05) == figures
    assert Sleeping.calls == made
    if figures["missing"] is None:
        assert one.track_share_sleep(0.05) > 0.5
        assert one.track_wall_seconds(0.05) == pytest.approx(0.05, rel=1.0)
        assert one.track_cores(0.05) == 1


def test_what_could_not_be_measured_skips_itself_and_says_why(tmp_path, monkeypatch):
    mark = pytest.importorskip("asv_runner.benchmarks.mark")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Sleeping, "measure", lambda self, *params: flatten_result(ProbeResult(missing="no Linux")))
    with pytest.raises(mark.SkipNotImplemented, match="no share_compute was measured: no Linux"):
        Sleeping().track_share_compute(0.05)


def test_amounts_are_of_one_run_and_shares_of_all():
    used = ProbeResult(wall_seconds=4.0, read_bytes=100, samples=8, shares={"compute": 0.5, "idle": 0.5})
    flat = flatten_result(used, 4)
    assert (flat["wall_seconds"], flat["read_bytes"], flat["samples"]) == (1.0, 25.0, 8)
    assert flat["share_compute"] == 0.5


def test_a_session_without_slots_is_refused():
    with pytest.raises(ValueError, match="slots is 0"):
        LocalSession(slots=0)
