"""Rounds on simulated sides: the order, what is measured again, and what a disturbed machine makes of it."""

import math

import pytest

from cdpipe.perf.gate.deciding.series import Verdict
from cdpipe.perf.gate.deciding.verdicts import Criteria
from cdpipe.perf.gate.measuring.order import is_head_first, order_round
from cdpipe.perf.gate.measuring.rounds import CANARY, Reading, Side
from cdpipe.perf.gate.outcome import judge_validity

from ..simulated import SimulatedSides, measure


def rows_of(measured):
    from cdpipe.perf.gate.outcome import Row

    return tuple(map(Row, measured.series, measured.decisions))


def judge(measured):
    return judge_validity(
        rows=rows_of(measured),
        canary=measured.canary_decision,
        disturbed_share=measured.disturbed_share,
        pairs=len(measured.pairs),
    )


@pytest.mark.parametrize("seed", [0, 7])
def test_pairs_go_abba_and_each_side_is_first_half_of_the_time(seed):
    firsts = [is_head_first("b", pair, seed=seed) for pair in range(200)]
    assert all(first != second for first, second in zip(firsts[::2], firsts[1::2], strict=True))
    assert 30 < sum(firsts[::2]) < 70


def test_the_order_is_the_seed_s():
    names = list("abcdefgh")
    assert order_round(names, 3, seed=5) == order_round(names, 3, seed=5)
    assert sorted(order_round(names, 3, seed=5)) == names
    assert len({tuple(order_round(names, number, seed=5)) for number in range(5)}) > 1
    assert len({tuple(is_head_first(name, at, seed=5) for at in range(0, 40, 2)) for name in names}) == len(names)


def test_every_process_is_measured_in_turns_and_the_first_of_each_side_is_not_counted():
    sides = SimulatedSides({"a": 0.3})
    measured = measure(sides, ["a", "b"])
    assert sides.calls[:4] == [("a", "base"), ("a", "head"), ("b", "base"), ("b", "head")]
    by_name = {series.name: series for series in measured.series}
    processes = [call for call in sides.calls if call[0] == "a"]
    assert len(processes) == 2 + 2 * len(by_name["a"].base)
    assert len(by_name["a"].base) == len(by_name["a"].head)
    for pair in measured.pairs:
        if pair.benchmark == "a":
            assert pair.head_first == is_head_first("a", pair.number, seed=1)


def test_what_is_clear_ends_early():
    measured = measure(SimulatedSides({"slow": 0.5}, spread=0.01), ["slow", "same"])
    pairs = {series.name: len(series.base) for series in measured.series}
    verdicts = {series.name: each.verdict for series, each in zip(measured.series, measured.decisions, strict=True)}
    assert verdicts == {"slow": Verdict.SLOWER, "same": Verdict.NO_CHANGE}
    assert pairs["same"] == 6
    assert pairs["slow"] <= 12
    assert judge(measured) == ""


def test_a_benchmark_that_fails_or_is_missing_does_not_stop_the_others():
    class Sides(SimulatedSides):
        def measure(self, benchmark, side):
            if benchmark == "broken" and side is Side.HEAD:
                return Reading((), output="ValueError: planted")
            if benchmark == "new" and side is Side.BASE:
                return Reading((), is_skipped=True)
            if benchmark == "odd":
                return Reading((-1.0,))
            return super().measure(benchmark, side)

    measured = measure(Sides({}), ["broken", "new", "odd", "same"])
    assert [series.name for series in measured.series] == ["same"]
    assert measured.missing == {"new": Side.HEAD}
    failed = {(failure.benchmark, failure.side): failure.output for failure in measured.failures}
    assert failed["broken", Side.HEAD] == "ValueError: planted"
    assert "below 0" in failed["odd", Side.BASE]


def test_a_benchmark_that_fails_in_a_later_round_is_a_failure_too():
    class Sides(SimulatedSides):
        def measure(self, benchmark, side):
            if benchmark == "late" and len(self.calls) > 20:
                return Reading((), output="out of luck")
            return super().measure(benchmark, side)

    measured = measure(Sides({}, spread=0.06), ["late", "same"])
    assert [series.name for series in measured.series] == ["same"]
    assert {failure.output for failure in measured.failures} == {"out of luck"}
    assert len(measured.failures) == 1


def test_a_disturbed_process_is_run_again_and_a_pair_that_stays_so_decides_nothing():
    turns = {"count": 0}

    def busy(name, side):
        turns["count"] += 1
        return 0.5 if turns["count"] % 3 == 0 else 0.0  # one in three: the repeat is calm

    measured = measure(SimulatedSides({}, busy=busy, spread=0.01), ["a"])
    assert sum(pair.again for pair in measured.pairs) > 0
    assert not any(pair.is_disturbed for pair in measured.pairs)
    assert measured.decisions[0].verdict is Verdict.NO_CHANGE
    assert judge(measured) == ""


@pytest.mark.parametrize("change", [0.0, 0.3])
def test_a_machine_that_others_have_is_invalid_and_not_red(change):
    measured = measure(SimulatedSides({"a": change}, busy=lambda name, side: 0.6), ["a", "b"])
    assert [decision.verdict for decision in measured.decisions] == [Verdict.CANNOT_TELL] * 2
    assert "other programs had the cores in 100% of the" in judge(measured)


@pytest.mark.parametrize("change", [0.0, 0.3])
def test_bursts_on_one_side_alone_raise_no_alarm_and_hide_no_slowdown(change):
    import numpy as np

    draws = np.random.default_rng(5)

    def busy(name, side):
        return 0.4 if side is Side.HEAD and name != CANARY and draws.random() < 0.3 else 0.0

    measured = measure(SimulatedSides({"a": change}, busy=busy, spread=0.03, seed=3), list("abcd"))
    verdicts = {series.name: each.verdict for series, each in zip(measured.series, measured.decisions, strict=True)}
    assert verdicts["a"] is (Verdict.SLOWER if change else Verdict.NO_CHANGE)
    assert {verdicts[name] for name in "bcd"} == {Verdict.NO_CHANGE}
    assert judge(measured) == ""


def test_a_canary_that_differs_between_the_sides_makes_the_run_invalid():
    class Sides(SimulatedSides):
        def watch_canary(self, side):
            reading = super().watch_canary(side)
            return Reading((reading.samples[0] * (1.06 if side is Side.HEAD else 1.0),))

    measured = measure(Sides({"a": 0.06}, spread=0.02), ["a"])
    assert measured.canary_decision.verdict is Verdict.SLOWER
    assert "the canary, which runs none of the project's code, was slower on the head by" in judge(measured)


def test_a_canary_that_moves_has_its_round_measured_again():
    class Sides(SimulatedSides):
        def watch_canary(self, side):
            reading = super().watch_canary(side)
            turn = sum(name == "canary" for name, _ in self.calls)
            return Reading((reading.samples[0] * (3.0 if 9 <= turn <= 14 else 1.0),))

    sides = Sides({}, spread=0.01)
    measured = measure(sides, ["a"])
    disturbed = [pair for pair in measured.pairs if pair.benchmark == "a" and pair.is_disturbed]
    assert len(disturbed) == 1
    assert measured.decisions[0].pairs == 6
    assert measured.decisions[0].verdict is Verdict.NO_CHANGE


def test_time_that_is_up_ends_it_and_is_said():
    measured = measure(SimulatedSides({}), ["a"], limit_s=-1)
    assert measured.is_out_of_time
    assert measured.decisions[0].pairs == 0
    assert measured.decisions[0].verdict is Verdict.CANNOT_TELL


def test_the_time_it_will_take_is_said_beforehand():
    said = []
    measure(SimulatedSides({}), ["a"], say=said.append, limit_s=600)
    times = "6 to 24 rounds take 0.0 to 0.0 min, and no longer than 10 min"
    assert said == [
        "1 benchmarks are tried on both sides first: 0.2 min, as a guess",
        f"1 benchmarks, 0 s a round: {times}; order drawn by seed 1",
    ]


def test_memory_and_counts_are_judged_like_times():
    for unit, verdict in (("bytes", Verdict.LARGER), ("tasks", Verdict.HIGHER)):
        measured = measure(SimulatedSides({"a": 0.2}, unit=1e6), ["a"], unit=unit, criteria=Criteria())
        assert measured.decisions[0].verdict is verdict


def test_seeds_make_the_same_run():
    runs = [measure(SimulatedSides({"a": 0.1}, seed=4), ["a", "b"], seed=9) for _ in range(2)]
    assert [series.base for series in runs[0].series] == [series.base for series in runs[1].series]
    assert math.isfinite(runs[0].decisions[0].change)
