"""Attribution: the bottleneck of a run, from its slots' time: a pure function of its figures.

`cdpipe.perf.analysis.slot_classes` says how the class follows from the shares. Here it becomes a finding: code,
evidence, and the gain to expect by Amdahl's law: a part `s` of the time, made `k` times smaller, makes the
whole 1 / (1 - s + s/k) times as fast (Amdahl 1967).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cdpipe.figures import SHARES
from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.causes import NEAR_LIMIT, Cause, Fact, cause_of, causes_of
from cdpipe.perf.analysis.idleness import find_idle_cause, say_at_once
from cdpipe.perf.analysis.slot_classes import (
    BUSY,
    CLASSES,
    DISTURBED,
    FULL,
    GROUPS,
    MARGIN,
    NEAR_LIMIT_PERCENT,
    UNKNOWN,
    WAITS,
    Floats,
    decide,
    group_shares,
    has_shares,
    read_shares,
)
from cdpipe.perf.wording.figures import format_figure
from cdpipe.perf.wording.units import format_percent, format_significant

_DRAWS: Final = 400
_SHOWN: Final = 0.05
_ENDLESS: Final = 100.0
_LITTLE: Final = 1.05
"""Fewer times as fast than this is nothing to promise."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What to expect if a share of the slots shrinks.

    `share` is of slots x wall; `by_half` is how many times as fast the run gets if half of it goes, `at_most` if all
    of it goes, infinite where nothing would be left.
    """

    share: float
    by_half: float
    at_most: float
    text: str


@dataclass(frozen=True, slots=True)
class Attribution:
    """What bounds a run.

    Attributes
    ----------
    bound, code, title
        The class, and the finding; code and title are `""` for *mixed*, *disturbed* and *insufficient data*.
    shares
        Fractions of slots x wall by name, `unattributed` among them; empty if they are no fractions of one whole.
    evidence
        Sentences: the shares, what decided, and the figures that support it.
    gain
        What to expect of it; None where no share names the class.
    memory_percent, samples
        What decided beside the shares: the peak in percent of the limit, NaN if it is not known, and how many looks
        the shares are worth, infinite if they were not sampled.
    """

    bound: Bound
    code: str
    title: str
    shares: Mapping[str, float]
    evidence: tuple[str, ...]
    gain: Gain | None = None
    memory_percent: float = math.nan
    samples: float = math.inf

    @property
    def probabilities(self) -> Mapping[Bound, float]:
        """How probable each class is that sampling noise leaves possible; empty if the shares were not sampled."""
        if not self.shares or self.bound is Bound.DISTURBED:
            return {}
        shares = np.array(list(self.shares.values()))
        return weigh_classes(shares, memory_percent=self.memory_percent, samples=self.samples)

    @property
    def contention(self) -> float:
        """How much of the slots' time other work had the cores; 0 if that is not known."""
        return self.shares.get("contention", 0.0)

    @property
    def is_beside_work(self) -> bool:
        """Whether other work had the cores for so much of the time that its figures are marked."""
        return self.contention >= BUSY


def attribute(figures: Mapping[str, float]) -> Attribution | None:
    """Say what bounds a run.

    Parameters
    ----------
    figures
        By name. `share_compute` and the others of `SHARES` are fractions of slots x wall; `memory_percent` decides
        with them; `samples` is the number of looks they are worth; the rest is evidence.

    Returns
    -------
    Attribution or None
        None if there is no share among the figures.
    """
    return attribute_all([figures])[0]


def attribute_all(runs: Sequence[Mapping[str, float]]) -> list[Attribution | None]:
    """Say what bounds each of many runs, as `attribute` does of one; faster, as it decides them all at once."""
    found: list[Attribution | None] = [None] * len(runs)
    places = [place for place, figures in enumerate(runs) if has_shares(figures)]
    if not places:
        return found
    shares = read_shares([runs[place] for place in places])
    memory = np.array([runs[place].get("memory_percent", math.nan) for place in places])
    samples = np.array([runs[place].get("samples", math.inf) for place in places])
    bounds = decide(shares, memory_percent=memory, samples=samples).tolist()
    grouped, known = group_shares(shares).tolist(), shares.tolist()
    for row, place in enumerate(places):
        groups = dict(zip(GROUPS, grouped[row], strict=True))
        named = dict(zip(SHARES, known[row], strict=True))
        found[place] = _describe(CLASSES[bounds[row]], named, groups, runs[place])
    return found


def _describe(
    bound: Bound, shares: Mapping[str, float], groups: Mapping[Bound, float], figures: Mapping[str, float]
) -> Attribution:
    if math.isnan(shares["unattributed"]):
        text = "the shares are no fractions of one whole: one is negative, or they sum to more than 1"
        return Attribution(Bound.INSUFFICIENT, "", "", {}, (text,))
    if bound is Bound.DISTURBED:
        return Attribution(bound, "", "", shares, (_say_shares(shares), _say_disturbed(shares)))
    memory = figures.get("memory_percent", math.nan)
    cause = _find_cause(bound, shares, figures)
    facts = [_say_fact(fact, figures) for fact in cause.facts] if cause else []
    facts += [say_at_once(figures)] if bound is Bound.PARALLELISM else []
    samples = figures.get("samples", math.inf)
    is_apart = shares["contention"] >= _SHOWN
    decision = (
        _say_mixed(groups, samples) if bound is Bound.MIXED else _say_decision(bound, groups, memory, is_apart=is_apart)
    )
    return Attribution(
        bound=bound,
        code=cause.code if cause else "",
        title=cause.title if cause else "",
        shares=shares,
        evidence=tuple(filter(None, (_say_shares(shares), decision, _say_apart(shares), *facts))),
        gain=_expect(cause, shares) if cause and cause.gain else None,
        memory_percent=memory,
        samples=samples,
    )


def weigh_classes(shares: Floats, *, memory_percent: float, samples: float) -> Mapping[Bound, float]:
    """Return how probable each class is, given that shares were counted from `samples` looks at the slots.

    Shares are drawn anew from the multinomial distribution with those counts, and classed. The draws are the same
    each time. Empty if the number of samples is not known.
    """
    if not 1 <= samples < math.inf:
        return {}
    generator = np.random.Generator(np.random.Philox(key=0))
    drawn = generator.multinomial(round(samples), shares / shares.sum(), size=_DRAWS) / round(samples)
    counts = np.bincount(decide(drawn, memory_percent=memory_percent), minlength=len(CLASSES))
    ordered = sorted(zip(counts.tolist(), CLASSES, strict=True), key=lambda pair: -pair[0])
    return {bound: count / _DRAWS for count, bound in ordered if count}


def expect_gain(share: float, doing: str, *, computing: bool = False) -> Gain:
    """Say what a share of the slots is worth.

    Parameters
    ----------
    share
        Of slots x wall, 0-1.
    doing
        What the slots do in it: it follows "is spent".
    computing
        Whether it is computing. Some computing is always left, so then the rest's worth is said instead of its own.
    """
    by_half = 1 / (1 - share / 2)
    at_most = 1 / (1 - share) if share < 1 else math.inf
    spent = f"{format_percent(share)} of the slots' time is spent {doing}"
    text = f"{spent}: half of it gone, and the run is {by_half:.3g} times as fast"
    if computing:
        last = (
            f"all else gone, at most {1 / share:.3g} times" if share * _LITTLE < 1 else "there is little else to gain"
        )
    else:
        last = f"all of it gone, {f'at most {at_most:.3g}' if at_most <= _ENDLESS else f'over {_ENDLESS:g}'} times"
    return Gain(share, by_half, at_most, f"{text}; {last}")


def _expect(cause: Cause, shares: Mapping[str, float]) -> Gain:
    """Say what a cause is worth: of the run as it was, beside whatever else had the cores."""
    spent = sum(shares[name] for name in GROUPS[cause.bound])
    return expect_gain(spent, _name_doing(cause, shares), computing=cause.bound is Bound.COMPUTE)


def _name_doing(cause: Cause, shares: Mapping[str, float]) -> str:
    """Say what slots do: what is collected counts with computing, and is named where it is much."""
    return "computing and collecting garbage" if cause.code == "A101" and shares["gc"] >= _SHOWN else cause.gain


def _find_cause(bound: Bound, shares: Mapping[str, float], figures: Mapping[str, float]) -> Cause | None:
    if bound is Bound.PARALLELISM:
        return cause_of(find_idle_cause(figures, shares["idle"]))
    near_limit = figures.get("memory_percent", math.nan) >= NEAR_LIMIT_PERCENT
    if bound is Bound.MEMORY and near_limit and shares["memory"] < MARGIN:
        return NEAR_LIMIT
    causes = causes_of(bound)
    return max(causes, key=lambda cause: shares.get(cause.decider, 0.0)) if causes else None


def _say_shares(shares: Mapping[str, float]) -> str:
    """List the shares from the largest on: those of 5 % or more, and at least two."""
    ordered = sorted(((share, name) for name, share in shares.items() if share > 0), reverse=True)
    shown = [pair for place, pair in enumerate(ordered) if place < 2 or pair[0] >= _SHOWN]
    return ", ".join(f"{name} {format_percent(share)}" for share, name in shown) + " of slots x wall"


def _say_decision(bound: Bound, groups: Mapping[Bound, float], memory_percent: float, *, is_apart: bool) -> str:
    full, enough = format_percent(groups[Bound.COMPUTE]), format_percent(FULL)
    left = " that nobody else used" if is_apart else ""
    if bound is Bound.MEMORY and memory_percent >= NEAR_LIMIT_PERCENT:
        peak = f"the peak of memory is {format_significant(memory_percent)} % of the limit"
        return f"{peak}: from {NEAR_LIMIT_PERCENT:g} % on that decides, as a larger run would not fit"
    if bound is Bound.COMPUTE:
        return f"computing fills {full} of the slots' time{left}: {enough} or more decide"
    others = (share for group, share in groups.items() if group is not Bound.COMPUTE)
    most, second, *_ = (format_percent(share) for share in sorted(others, reverse=True))
    if bound is not Bound.INSUFFICIENT:
        return f"it takes {format_percent(groups[bound])} of the slots' time{left}, the next cause {second}"
    return f"{most} of the slots' time{left} is not attributed: from {format_percent(UNKNOWN)} on that decides"


def _say_mixed(groups: Mapping[Bound, float], samples: float) -> str:
    """Say why no class was named: `decide` tells what is a cause's rival."""
    less = f"computing fills less than {format_percent(FULL)}"
    top = max((group for group in groups if group is not Bound.COMPUTE), key=lambda group: groups[group])
    if top is Bound.INSUFFICIENT:
        return (
            f"{format_percent(groups[top])} of the slots' time is not attributed and might be any cause's, and {less}"
        )
    rivals = (group for group in groups if group is not top and (group is not Bound.COMPUTE or top in WAITS))
    lead = groups[top] - max(groups[group] for group in rivals)
    if lead < MARGIN:
        return f"no cause leads the next by {format_percent(MARGIN)} of the slots, and {less}"
    looks = f"{format_significant(samples)} looks"
    return f"the largest cause leads the next by {format_percent(lead)}, within the noise of {looks}, and {less}"


def _say_apart(shares: Mapping[str, float]) -> str:
    if shares["contention"] < _SHOWN:
        return ""
    had = f"other work had the cores for {format_percent(shares['contention'])} of the slots' time"
    return f"{had}: the class is of the rest"


def _say_disturbed(shares: Mapping[str, float]) -> str:
    other = f"other work had the cores for {format_percent(shares['contention'])} of the slots' time"
    return f"{other}: from {format_percent(DISTURBED)} on nothing else can be told; measure again when it is idle"


def _say_fact(fact: Fact, figures: Mapping[str, float]) -> str:
    if not all(name in figures for name in fact.needs):
        return ""
    return fact.text.format(*(format_figure(name, figures[name]) for name in fact.needs))


def name_bound(attribution: Attribution) -> str:
    """Return the class in few words, with which lock it is."""
    return f"{attribution.bound} (GIL)" if attribution.code == "A701" else str(attribution.bound)
