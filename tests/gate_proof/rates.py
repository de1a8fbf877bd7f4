"""Rates: what the records say of false alarms, of slowdowns that were found, of intervals, and of asv beside it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scipy.stats import binomtest

from cdpipe.perf.gate.deciding.series import measure_change
from cdpipe.perf.gate.deciding.signed_rank import estimate_shift

from .asv_rules import RULES, calls_worse
from .plants import PLANTS

WORSE: Final = frozenset({"slower", "larger", "higher"})
CHANGED: Final = WORSE | {"faster", "smaller", "lower"}
STEADY: Final = 0.03
WITHIN: Final = 0.05

Record = Mapping[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened, with the one-sided 95 % bounds of Clopper and Pearson.

    `wanted` is what it is held to: `<= 0.05` means the upper bound, `>= 0.9` the rate itself, `""` nothing.
    """

    what: str
    count: int
    of: int
    wanted: str = ""

    @property
    def rate(self) -> float:
        """Count / of; NaN where nothing was tried."""
        return self.count / self.of if self.of else float("nan")

    @property
    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound, each one-sided."""
        if not self.of:
            return 0.0, 1.0
        interval = binomtest(self.count, self.of).proportion_ci(confidence_level=0.90, method="exact")
        return float(interval.low), float(interval.high)

    @property
    def is_met(self) -> bool | None:
        """Whether it is what is wanted; None if nothing is wanted, or nothing was tried."""
        if not self.wanted or not self.of:
            return None
        sign, limit = self.wanted.split()
        return self.bounds[1] <= float(limit) if sign == "<=" else self.rate >= float(limit)

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        low, high = self.bounds
        met = {"wanted": self.wanted, "is_met": self.is_met} if self.wanted else {}
        return {"what": self.what, "count": self.count, "of": self.of, "low": low, "high": high, **met}


def count_rates(records: Sequence[Record]) -> list[Rate]:
    """Count all rates that the acceptance speaks of."""
    by_kind: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_kind[record["task"]["kind"]].append(record)
    truth = find_truth(by_kind["truth"])
    return [
        *_count_equal(by_kind["equal"]),
        *_count_bursts(by_kind["burst"]),
        *_count_planted(by_kind["planted"]),
        _count_covered([*by_kind["equal"], *by_kind["planted"]], truth),
        *_count_asv(by_kind["equal"], by_kind["planted"]),
    ]


def find_truth(records: Iterable[Record]) -> dict[tuple[str, float], float]:
    """Return the true change of each plant at each level: the estimate from all pairs of its long run."""
    found = {}
    for record in records:
        for row in record["outcome"]["benchmarks"]:
            differences = [measure_change(a, b) for a, b in zip(row["base"], row["head"], strict=True)]
            if differences:
                task = record["task"]
                found[task["plant"], task["level"]] = float(2.718281828459045 ** estimate_shift(differences).value - 1)
    return found


def _rows(records: Iterable[Record]) -> list[Row]:
    return [row for record in records if record["outcome"]["status"] != 3 for row in record["outcome"]["benchmarks"]]


def _is_alarm(record: Record) -> bool:
    return record["outcome"]["status"] != 3 and any(
        row["verdict"] in CHANGED for row in record["outcome"]["benchmarks"]
    )


def _count_equal(records: Sequence[Record]) -> list[Rate]:
    rows = _rows(records)
    within = [
        row["verdict"] == "no change" and row["interval"][0] > -WITHIN and row["interval"][1] < WITHIN for row in rows
    ]
    return [
        Rate("equal commits: runs with an alarm", sum(map(_is_alarm, records)), len(records), "<= 0.05"),
        Rate(
            "equal commits: benchmarks with an alarm",
            sum(row["verdict"] in CHANGED for row in rows),
            len(rows),
            "<= 0.01",
        ),
        Rate("equal commits: invalid runs", sum(r["outcome"]["status"] == 3 for r in records), len(records)),
        Rate("equal commits: no change, within 5 %", sum(within), len(rows), ">= 0.9"),
        Rate(
            "equal commits: benchmarks with a pair spread of at most 3 %",
            sum((row["spread"] or 1.0) <= STEADY for row in rows),
            len(rows),
        ),
    ]


def _count_bursts(records: Sequence[Record]) -> list[Rate]:
    equal = [record for record in records if not record["task"]["plant"]]
    planted = [record for record in records if record["task"]["plant"]]
    valid = _rows(planted)
    return [
        Rate("bursts: runs of equal commits with an alarm", sum(map(_is_alarm, equal)), len(equal)),
        Rate("bursts: invalid runs", sum(r["outcome"]["status"] == 3 for r in records), len(records)),
        Rate("bursts: planted 30 % found", sum(row["verdict"] in WORSE for row in valid), len(valid), ">= 0.9"),
    ]


def _count_planted(records: Sequence[Record]) -> list[Rate]:
    rates = []
    wanted = {0.05: ">= 0.9", 0.10: ">= 0.98", 0.30: ">= 0.98"}
    for level in sorted({record["task"]["level"] for record in records}):
        rows = _rows(record for record in records if record["task"]["level"] == level)
        steady = [row for row in rows if (row["spread"] or 0.0) <= STEADY]
        for what, chosen, limit in (("", rows, ""), (", pair spread at most 3 %", steady, wanted.get(level, ""))):
            found = sum(row["verdict"] in WORSE for row in chosen)
            rates.append(Rate(f"planted {level:.0%}: found{what}", found, len(chosen), limit))
    named = [
        (row["why"] or {}).get("resource") in plant.resources
        for record in records
        for plant in PLANTS
        if plant.name == record["task"]["plant"]
        for row in _rows([record])
        if row["verdict"] in WORSE
    ]
    return [*rates, Rate("planted and found: the resource is the planted one", sum(named), len(named), ">= 0.9")]


def _count_covered(records: Sequence[Record], truth: Mapping[tuple[str, float], float]) -> Rate:
    """Count the intervals that hold the truth: 0 of equal commits, what the long run gave of a plant."""
    covered = []
    for record in records:
        task = record["task"]
        true = 0.0 if not task["plant"] else truth.get((task["plant"], task["level"]))
        covered += [
            row["interval"][0] <= true <= row["interval"][1]
            for row in _rows([record])
            if true is not None and row["interval"] is not None
        ]
    return Rate("intervals of 95 % that hold the truth, after stopping", sum(covered), len(covered))


def _count_asv(equal: Sequence[Record], planted: Sequence[Record]) -> list[Rate]:
    """Count what asv says of the very samples that the gate took, by rule and level."""
    rates = []
    groups = [("equal commits: benchmarks called worse", equal)] + [
        (f"planted {level:.0%}: found", [record for record in planted if record["task"]["level"] == level])
        for level in sorted({record["task"]["level"] for record in planted})
    ]
    for rule in RULES:
        for what, records in groups:
            calls = [calls_worse(rule, *sides) for record in records for sides in _read_samples(record)]
            rates.append(Rate(f"{rule.name}: {what}", sum(calls), len(calls)))
    return rates


def _read_samples(record: Record) -> list[tuple[list[list[float]], list[list[float]]]]:
    """Return for each benchmark the samples of each process, both sides; disturbed ones too, as asv would have them."""
    sides: dict[str, tuple[list[list[float]], list[list[float]]]] = {}
    for pair in record["outcome"]["pairs"]:
        if pair["benchmark"] != "canary":
            base, head = sides.setdefault(pair["benchmark"], ([], []))
            base.append(pair["base"]["samples"])
            head.append(pair["head"]["samples"])
    return list(sides.values())
