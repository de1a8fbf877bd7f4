"""Stored results: the same verdicts from what asv has recorded of two commits, as far as its design allows.

asv does not keep which process a sample is of. Samples stand in the order of the rounds, equally many a round, where
`repeat` was one number; so rounds that are named give a figure a process, and the two sides' rounds are the pairs.
"""

from collections.abc import Sequence
from typing import Final

from cdpipe.perf.gate.deciding.looks import plan_looks
from cdpipe.perf.gate.deciding.series import Series, summarise_process
from cdpipe.perf.gate.deciding.verdicts import Criteria, decide
from cdpipe.perf.gate.measuring.rounds import Failure, Side
from cdpipe.perf.gate.outcome import Commit, Outcome, Row
from cdpipe.perf.results.directory import choose_headers, load_run
from cdpipe.perf.results.model import Header, Measurement, Results, ResultsError, State

_RECORD: Final = "asv continuous --interleave-rounds -a rounds=24 -a repeat=5 --record-samples"


def compare_stored(
    results: Results, base: Commit, head: Commit, *, rounds: int | None, machine: str | None, criteria: Criteria
) -> Outcome:
    """Compare two commits by what asv has stored of them.

    Parameters
    ----------
    results
        An open results directory.
    base, head
        The commits; both need results of one machine and environment.
    rounds
        Rounds in which both were measured; None for what each benchmark says of itself.
    machine
        Name of the machine; None if there is one alone.
    criteria
        When a difference counts. `most_pairs` is how many there are.

    Raises
    ------
    ResultsError
        If there are no results of a commit, or none of one machine and environment for both.
    """
    before, after = _choose(results, base, head, machine)
    sides = [
        {_name(item): item for item in load_run(results, header).measurements if item.state is not State.UNREADABLE}
        for header in (before, after)
    ]
    series: list[Series] = []
    failures: list[Failure] = []
    missing: dict[str, Side] = {}
    for name in sorted(sides[0].keys() | sides[1].keys()):
        pair = (sides[0].get(name), sides[1].get(name))
        states = [State.SKIPPED if item is None else item.state for item in pair]
        if State.FAILED in states:
            failures += [
                Failure(name, side, "failed when it was recorded")
                for side, state in zip(Side, states, strict=True)
                if state is State.FAILED
            ]
        elif pair[0] is not None and pair[1] is not None and set(states) == {State.MEASURED}:
            series.append(_pair_up(name, pair[0], pair[1], rounds))
        elif State.MEASURED in states:
            missing[name] = list(Side)[states.index(State.MEASURED)]
    most = max([criteria.most_pairs, *(len(each.base) for each in series)])
    looks = plan_looks(comparisons=max(1, len(series)), false_alarms=criteria.false_alarms, most_pairs=most)
    decisions = decide(series, looks=looks, criteria=criteria, ended=True)
    rows = tuple(sorted(map(Row, series, decisions), key=lambda row: row.rank))
    return Outcome(
        base=base,
        head=head,
        rows=rows,
        criteria=criteria,
        failures=tuple(failures),
        missing=missing,
        design=_describe_design(series, looks.counts[0]),
    )


def _choose(results: Results, base: Commit, head: Commit, machine: str | None) -> tuple[Header, Header]:
    headers = [choose_headers(results, commit=commit.hash, machine=machine) for commit in (base, head)]
    for before in headers[0]:
        for after in headers[1]:
            if (before.machine, before.environment) == (after.machine, after.environment):
                return before, after
    known = "; ".join(
        f"{commit.short}: {', '.join(f'{each.machine}, {each.environment}' for each in found)}"
        for commit, found in zip((base, head), headers, strict=True)
    )
    raise ResultsError(
        results.path, "env_name", f"no machine and environment measured both commits ({known})", "measure both on one"
    )


def _name(item: Measurement) -> str:
    return f"{item.benchmark.name}({', '.join(item.params)})" if item.params else item.benchmark.name


def _pair_up(name: str, before: Measurement, after: Measurement, rounds: int | None) -> Series:
    benchmark = before.benchmark
    figures = []
    for item in (before, after):
        samples = item.samples or (item.value,)
        chosen = rounds or (1 if not item.samples else benchmark.rounds)
        # Samples that rounds do not divide are of processes that took unequally many: then all count as one process.
        each = len(samples) // chosen if chosen and len(samples) % chosen == 0 else len(samples)
        parts = [samples[at : at + each] for at in range(0, len(samples), each)]
        figures.append([summarise_process(part, unit=benchmark.unit) for part in parts])
    least = min(map(len, figures))
    if any(value < 0 for side in figures for value in side):
        least = 0
    return Series(
        name, benchmark.unit, figures[0][:least], figures[1][:least], stage=benchmark.stage, figure=benchmark.measures
    )


def _describe_design(series: Sequence[Series], needed: int) -> tuple[str, ...]:
    most = max((len(each.base) for each in series), default=0)
    sentences = [
        f"Stored results: {most} rounds a side at most; samples of one round are one process and count once.",
        "If the rounds did not alternate between the commits, a drift of the machine counts as a change here.",
    ]
    if most < needed:
        sentences.append(
            f"A change among {len(series)} benchmarks takes {needed} rounds or more to be certain, whatever its size: "
            f"record them with `{_RECORD}`, or run `cdpipe compare` without --from-results."
        )
    return tuple(sentences)
