"""The class from the shares: what is known by construction, every edge, and what the finding says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.figures import SHARES, UNITS
from cdpipe.perf.analysis.attribution import attribute, expect_gain, name_bound, weigh_classes
from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.causes import CAUSES
from cdpipe.perf.analysis.slot_classes import (
    CLASSES,
    DISTURBED,
    FULL,
    GROUPS,
    MARGIN,
    complete_shares,
    decide,
    group_shares,
)

wholes = st.lists(st.floats(0, 1), min_size=len(SHARES), max_size=len(SHARES)).filter(lambda parts: sum(parts) > 0.01)


def figures(*, samples=None, memory_percent=None, **shares):
    beside = {"samples": samples, "memory_percent": memory_percent}
    known = {f"share_{name}": value for name, value in shares.items()}
    return known | {name: value for name, value in beside.items() if value is not None}


def bound(**known):
    return attribute(figures(**known)).bound


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        # what the shares of known workloads are, by construction
        ({"compute": 0.98, "idle": 0.02}, Bound.COMPUTE),
        ({"compute": 15 / 16, "idle": 1 / 16}, Bound.COMPUTE),  # 15 of 16 slots
        ({"compute": 1 / 16, "idle": 15 / 16}, Bound.PARALLELISM),  # a chain on 16 slots
        ({"compute": 1.0}, Bound.COMPUTE),  # one slot, a chain or pure Python: nothing else can be gained there
        ({"compute": 0.5, "idle": 0.5}, Bound.PARALLELISM),
        ({"compute": 0.62, "idle": 0.38}, Bound.PARALLELISM),  # one straggler
        ({"compute": 0.5, "gil": 0.5}, Bound.LOCK),
        ({"compute": 0.5, "gil": 0.28, "lock": 0.22}, Bound.LOCK),  # together they lead
        ({"sleep": 0.5, "lock": 0.5}, Bound.LOCK),  # one sleeps and has the lock, the other waits for it
        ({"disk": 0.5, "lock": 0.48, "compute": 0.02}, Bound.LOCK),
        ({"disk": 0.6, "lock": 0.4}, Bound.DISK),  # not for all of the time
        ({"disk": 0.5, "gil": 0.5}, Bound.MIXED),  # who has the GIL does not wait for the disk
        ({"compute": 0.45, "lock": 0.3, "idle": 0.25}, Bound.MIXED),
        ({"compute": 0.6, "contention": 0.35, "idle": 0.05}, Bound.COMPUTE),  # another program has the other core
        ({"compute": 0.3, "contention": 0.2, "gil": 0.5}, Bound.LOCK),
        ({"compute": 0.45, "contention": 0.3, "idle": 0.25}, Bound.PARALLELISM),  # a straggler beside other work
        ({"compute": 0.2, "contention": 0.3, "disk": 0.5}, Bound.DISK),
        ({"compute": 0.12, "contention": 0.59, "disk": 0.29}, Bound.DISK),  # alone it would be no other
        ({"compute": 0.1, "contention": 0.6, "disk": 0.3}, Bound.DISTURBED),
        ({"compute": 0.1, "contention": 0.89, "idle": 0.01}, Bound.DISTURBED),
        ({"contention": 1.0}, Bound.DISTURBED),
        ({"compute": 0.4, "gc": 0.4, "idle": 0.2}, Bound.COMPUTE),
        ({"compute": 0.4, "scheduling": 0.4, "idle": 0.2}, Bound.SCHEDULER),  # tasks of 1 ms
        ({"compute": 0.5, "serialisation": 0.45, "network": 0.05}, Bound.SERIALISATION),
        ({"compute": 0.3, "disk": 0.7}, Bound.DISK),
        ({"compute": 0.2, "disk": 0.75, "idle": 0.05}, Bound.DISK),
        ({"memory": 0.6, "disk": 0.1, "compute": 0.3}, Bound.MEMORY),
        ({"network": 0.8, "compute": 0.2}, Bound.NETWORK),
        ({"sleep": 0.95, "compute": 0.05}, Bound.WAITING),
        ({"compute": 0.5, "disk": 0.5}, Bound.MIXED),  # half of the time each, in the same slots
        ({"compute": 0.5, "sleep": 0.5}, Bound.MIXED),
        ({"compute": 0.4, "disk": 0.3, "network": 0.3}, Bound.MIXED),
        ({"compute": 0.64, "disk": 0.09, "idle": 0.09, "gil": 0.09, "sleep": 0.09}, Bound.MIXED),
    ],
)
def test_the_class_of_known_workloads(shares, expected):
    assert bound(**shares) is expected


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"compute": 0.7, "idle": 0.3}, Bound.COMPUTE),
        ({"compute": 0.69, "idle": 0.31}, Bound.PARALLELISM),
        ({"compute": 0.2, "disk": 0.45, "network": 0.35}, Bound.DISK),
        ({"compute": 0.2, "disk": 0.44, "network": 0.36}, Bound.MIXED),
        ({"compute": 0.45, "disk": 0.55}, Bound.DISK),
        ({"compute": 0.46, "disk": 0.54}, Bound.MIXED),
        ({"compute": 0.65, "disk": 0.1, "unattributed": 0.25}, Bound.INSUFFICIENT),
        ({"compute": 0.66, "disk": 0.1, "unattributed": 0.24}, Bound.MIXED),
        ({"compute": 0.75, "unattributed": 0.25}, Bound.COMPUTE),
        ({"compute": 0.2, "disk": 0.5, "unattributed": 0.3}, Bound.DISK),
        ({"compute": 0.2, "disk": 0.44, "unattributed": 0.36}, Bound.MIXED),  # it might all be the network
    ],
)
def test_the_edges(shares, expected):
    assert bound(**shares) is expected


def test_a_peak_near_the_limit_decides_whatever_the_shares():
    assert bound(compute=0.99, memory_percent=80.0) is Bound.MEMORY
    assert bound(compute=0.99, memory_percent=79.9) is Bound.COMPUTE
    assert attribute(figures(compute=0.99, memory_percent=90.0)).code == "A202"
    assert attribute(figures(compute=0.5, memory=0.5, memory_percent=90.0)).code == "A201"


def test_what_was_not_measured_is_unattributed_not_zero():
    known = attribute(figures(compute=0.5, disk=0.1))
    assert known.shares["unattributed"] == pytest.approx(0.4)
    assert known.bound is Bound.INSUFFICIENT
    assert attribute({"cpu_percent": 90.0}) is None


@pytest.mark.parametrize("shares", [{"compute": 1.5}, {"compute": 1.2, "idle": -0.2}, {"compute": math.nan}])
def test_what_are_no_fractions_of_one_whole_gives_no_class(shares):
    found = attribute(figures(**shares))
    assert (found.bound, found.gain, found.shares) == (Bound.INSUFFICIENT, None, {})
    assert "no fractions of one whole" in found.evidence[0]


def test_a_whole_that_rounding_made_too_large_is_a_whole():
    found = attribute(figures(compute=0.51, gil=0.5))
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert found.bound is Bound.LOCK


def oracle(shares, memory_percent, samples):
    """The four rules once more, for one run, in plain words."""
    if shares["contention"] >= DISTURBED:
        return Bound.DISTURBED
    samples = samples * (1 - shares["contention"])
    shares = {name: share / (1 - shares["contention"]) for name, share in shares.items()} | {"contention": 0.0}
    groups = {each: sum(shares[name] for name in names) for each, names in GROUPS.items()}
    full, unknown = groups.pop(Bound.COMPUTE), groups[Bound.INSUFFICIENT]
    if memory_percent >= 80:
        return Bound.MEMORY
    if full >= FULL:
        return Bound.COMPUTE
    (most, top), (second, _) = sorted(((share, each) for each, share in groups.items()), key=lambda pair: -pair[0])[:2]
    if top is Bound.INSUFFICIENT:
        return top if unknown >= 0.25 else Bound.MIXED
    if top in {Bound.DISK, Bound.NETWORK, Bound.MEMORY, Bound.WAITING}:
        second = max(second, full)
    waits = max(groups[each] for each in (Bound.DISK, Bound.NETWORK, Bound.MEMORY, Bound.WAITING))
    lock = groups[Bound.LOCK]
    of_holder = top in {Bound.DISK, Bound.NETWORK, Bound.MEMORY, Bound.WAITING, Bound.LOCK}
    if of_holder and lock + waits >= 0.7 - 1e-9 and lock >= waits - 0.1 and shares["lock"] >= shares["gil"]:
        others = (Bound.SCHEDULER, Bound.SERIALISATION, Bound.PARALLELISM, Bound.INSUFFICIENT)
        most, top, second = lock, Bound.LOCK, max(groups[each] for each in others)
    noise = math.sqrt(max(0.0, most + second - (most - second) ** 2) / samples)
    return top if most - second >= max(MARGIN, 2 * noise) else Bound.MIXED


@given(wholes, st.sampled_from([math.nan, 10.0, 95.0]), st.sampled_from([math.inf, 30, 1000]))
def test_the_rules_on_arrays_are_the_rules_in_words(parts, memory_percent, samples):
    shares = {name: part / sum(parts) for name, part in zip(SHARES, parts, strict=True)}
    known = figures(**shares, memory_percent=memory_percent, samples=samples)
    assert attribute(known).bound is oracle(attribute(known).shares, memory_percent, samples)


def test_many_runs_are_classed_as_each_alone():
    generator = np.random.default_rng(1)
    shares = complete_shares(generator.dirichlet(np.full(len(SHARES), 0.3), size=300))
    memory = np.where(generator.random(300) < 0.1, 90.0, np.nan)
    together = [CLASSES[place] for place in decide(shares, memory_percent=memory)]
    alone = [
        bound(**dict(zip(SHARES, row.tolist(), strict=True)), memory_percent=peak)
        for row, peak in zip(shares, memory.tolist(), strict=True)
    ]
    assert together == alone
    assert len(set(together)) > 8


def test_every_share_speaks_for_one_class():
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(SHARES)
    assert np.allclose(group_shares(np.eye(len(SHARES))).sum(axis=1), 1.0)


def test_other_work_on_the_machine_changes_no_class():
    alone = {"compute": 0.64, "idle": 0.36}
    for contention in (0.1, 0.3, 0.49, 0.59):
        beside = {name: share * (1 - contention) for name, share in alone.items()}
        found = attribute(figures(**beside, contention=contention))
        assert (found.bound, found.gain.share) == (Bound.PARALLELISM, pytest.approx(0.36 * (1 - contention)))
        assert f"other work had the cores for {contention * 100:.0f} % of the slots' time" in found.evidence[2]


def test_few_samples_need_a_larger_lead():
    shares = {"compute": 0.3, "disk": 0.43, "network": 0.27}
    assert bound(**shares) is Bound.DISK
    assert bound(**shares, samples=1000) is Bound.DISK
    assert bound(**shares, samples=60) is Bound.MIXED


def test_a_class_named_from_few_samples_is_seldom_wrong():
    truth = np.array([0.42, 0, 0.05, 0, 0, 0, 0.0, 0, 0, 0, 0, 0.53, 0])  # idle leads all others by far
    generator = np.random.default_rng(2)
    drawn = generator.multinomial(40, truth, size=2000) / 40
    named = np.bincount(decide(drawn, samples=40), minlength=len(CLASSES)) / 2000
    assert named[CLASSES.index(Bound.PARALLELISM)] > 0.95


def test_no_class_is_named_where_two_causes_are_equal():
    truth = np.zeros(len(SHARES))
    truth[[SHARES.index("network"), SHARES.index("idle")]] = 0.5
    generator = np.random.default_rng(3)
    for samples in (20, 100, 1000):
        drawn = generator.multinomial(samples, truth, size=2000) / samples
        named = np.bincount(decide(drawn, samples=samples), minlength=len(CLASSES)) / 2000
        assert named[CLASSES.index(Bound.MIXED)] > 0.94  # two standard deviations


def test_probabilities_are_those_of_drawing_again():
    shares = {"compute": 0.69, "idle": 0.31}
    found = attribute(figures(**shares, samples=50))
    assert sum(found.probabilities.values()) == pytest.approx(1.0)
    chance = 1 - _binomial_below(35, 50, 0.69)  # 35 of 50 are 70 %: compute-bound
    assert found.probabilities[Bound.COMPUTE] == pytest.approx(chance, abs=0.08)
    assert found.probabilities == attribute(figures(**shares, samples=50)).probabilities
    assert not attribute(figures(**shares)).probabilities
    assert weigh_classes(np.eye(len(SHARES))[0], memory_percent=math.nan, samples=9) == {Bound.COMPUTE: 1.0}


def _binomial_below(count, n, p):
    return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(count))


@given(st.floats(0, 1))
def test_gains_are_amdahl_s(share):
    gain = expect_gain(share, "computing")
    serial = 1 - share
    assert gain.by_half == pytest.approx(1 / (serial + share / 2))
    assert gain.at_most == (math.inf if serial == 0 else pytest.approx(1 / serial))


def test_beside_other_work_a_gain_is_of_the_run_as_it_was():
    """Of 10 s in which others had the cores for 5, all waiting for the disk was 4 s, and half of that is 2."""
    found = attribute(figures(contention=0.5, disk=0.4, compute=0.1))
    assert found.bound is Bound.DISK
    assert found.gain.share == pytest.approx(0.4)
    assert 10 * (1 - 1 / found.gain.by_half) == pytest.approx(2.0)
    assert "40 % of the slots' time" in found.gain.text


def test_what_is_disturbed_has_no_finding_whatever_its_memory():
    found = attribute(figures(compute=0.11, contention=0.89, memory_percent=95.0, samples=40))
    assert (found.bound, found.code, found.title, found.gain) == (Bound.DISTURBED, "", "", None)
    assert found.probabilities == {}
    assert "other work had the cores for 89 % of the slots' time" in found.evidence[1]
    assert "measure again" in found.evidence[1]


def test_computing_is_no_more_than_it_was():
    """A run of 58 % computing beside 38 % contention: the class is of what is left, and the gain of the whole."""
    found = attribute(figures(compute=0.58, contention=0.38, idle=0.04))
    assert found.bound is Bound.COMPUTE
    assert found.gain.share == pytest.approx(0.58)
    assert found.evidence[1].startswith("computing fills 94 % of the slots' time that nobody else used")


def test_garbage_is_named_beside_computing():
    assert "computing and collecting garbage" in attribute(figures(compute=0.6, gc=0.2, idle=0.2)).gain.text
    assert "computing:" in attribute(figures(compute=0.79, gc=0.01, idle=0.2)).gain.text


@pytest.mark.parametrize(
    ("shares", "samples", "said"),
    [
        ({"gil": 0.25, "idle": 0.2, "compute": 0.55}, math.inf, "no cause leads the next by 10 % of the slots"),
        ({"gil": 0.25, "idle": 0.1, "compute": 0.65}, 20, "leads the next by 15 %, within the noise of 20 looks"),
        ({"disk": 0.45, "compute": 0.4, "idle": 0.15}, math.inf, "no cause leads the next by 10 % of the slots"),
        ({"idle": 0.2, "compute": 0.58}, math.inf, "22 % of the slots' time is not attributed and might be any"),
    ],
)
def test_why_it_is_mixed_is_true(shares, samples, said):
    found = attribute(figures(**shares) | {"samples": samples})
    assert found.bound is Bound.MIXED
    assert said in found.evidence[1]


def test_a_gain_reads_plainly():
    assert expect_gain(0.5, "waiting for the lock").text == (
        "50 % of the slots' time is spent waiting for the lock: half of it gone, and the run is 1.33 times as fast; "
        "all of it gone, at most 2 times"
    )
    assert expect_gain(0.99, "computing", computing=True).text.endswith("; there is little else to gain")
    assert expect_gain(1.0, "waiting").text.endswith("2 times as fast; all of it gone, over 100 times")
    assert attribute(figures(compute=0.8, idle=0.2)).gain.text == (
        "80 % of the slots' time is spent computing: half of it gone, and the run is 1.67 times as fast; "
        "all else gone, at most 1.25 times"
    )


def test_a_finding_has_its_evidence_and_only_of_what_was_measured():
    known = figures(compute=0.4, scheduling=0.4, idle=0.2) | {"task_seconds_p50": 0.001, "tasks": 12_000.0}
    found = attribute(known)
    assert (found.code, found.bound) == ("A601", Bound.SCHEDULER)
    assert found.evidence == (
        "scheduling 40 %, compute 40 %, idle 20 % of slots x wall",
        "it takes 40 % of the slots' time, the next cause 20 %",
        "12,000 tasks, half of them shorter than 1 ms",
    )
    assert found.gain.share == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("share", "code", "name"), [("gil", "A701", "lock-bound (GIL)"), ("lock", "A702", "lock-bound")]
)
def test_which_lock_is_said(share, code, name):
    found = attribute(figures(compute=0.4, **{share: 0.6}))
    assert (found.code, name_bound(found)) == (code, name)


@pytest.mark.parametrize(("share", "code"), [("compute", "A101"), ("gc", "A103")])
def test_what_fills_the_slots_is_said(share, code):
    assert attribute(figures(**{share: 0.9})).code == code


def test_every_cause_can_be_found_and_is_whole():
    codes = [cause.code for cause in CAUSES]
    assert len(set(codes)) == len(codes)
    found = {attribute(figures(**{name: 1.0})).code for name in SHARES} | {"A202", ""}
    assert found | {"A902", "A903", "A904", "A905"} == {*codes, ""}  # tests of idleness find these
    for cause in CAUSES:
        assert cause.title
        assert cause.remedies
        assert cause.decider in {"", *GROUPS[cause.bound]}
        for fact in cause.facts:
            assert fact.text.count("{}") == len(fact.needs)
            assert set(fact.needs) <= UNITS.keys()
