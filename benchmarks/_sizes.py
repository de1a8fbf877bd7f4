"""The one table of sizes: which benchmarks run at how many rows, in the quick suite and in the full one.

A benchmark's parameter list is always the union of both, so that published graphs keep all sizes; a run selects by
the regular expression that `select` makes, and asv starts no process for what is not selected.
"""

import re
from dataclasses import dataclass
from typing import Final

WARM_UP: Final = "10k"
"""Size of the run before the first measured one, which compiles kernels and imports what is imported late."""

_LABEL: Final = re.compile(r"(\d+)([kM]?)")
_PANDAS: Final = r"baseline\.|imports\.timeraw_import_pandas"
"""Pattern of benchmarks that measure pandas and nothing of ours."""

ONE_A_UNIT: Final = ("tree_peak_bytes", "cpu_share", "wall_seconds", "tasks")
"""Of the figures of a probed run, what stands for those of its unit where each benchmark is tried once."""

ATTACKS: Final = ("offset_rand", "swap_rand")
"""Of the attacks, those that the quick suite measures in full: one that takes each message by itself, one that mixes
them. The others are timed."""

_SCALE: Final = {"": 1, "k": 1_000, "M": 1_000_000}


@dataclass(frozen=True, slots=True)
class Family:
    """Benchmarks that share their sizes.

    Attributes
    ----------
    names
        Pattern of their asv names, from the beginning.
    full, quick
        Sizes of each suite, as labels; none for benchmarks without `rows`. Four sizes over one and a half decades are
        the least that growth can be judged from (`cdpipe.perf.analysis.scaling`).
    data
        Kinds of input they read (`_data.KINDS`).
    gate
        Sizes at which a pull request is judged: large enough to agree with themselves, small enough to wait for.
    """

    names: str
    full: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    gate: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Sizes of both suites, ascending."""
        return sorted({*self.full, *self.quick}, key=count_rows)


FAMILIES: Final[dict[str, Family]] = {
    "gather": Family(r"gather\.", ("100k", "1M", "5M", "10M"), ("100k", "1M"), ("csv",)),
    "clean": Family(r"clean\.", ("100k", "1M", "5M", "10M"), ("100k", "1M"), ("raw", "gathered")),
    "attack": Family(r"attack\.", ("100k", "1M", "5M", "10M", "15M"), ("1M",), ("cleaned",)),
    "features": Family(r"features\.", ("100k", "1M", "5M", "10M", "15M"), ("100k", "1M"), ("attacked",)),
    "train": Family(r"train\.", ("10k", "50k", "100k", "1M"), ("10k",), ("features",)),
    "pipeline": Family(r"pipeline\.", ("10k", "50k", "100k", "1M"), ("10k",), ("csv",)),
    "lookup": Family(r"cache\.Lookup\.", ("10k", "1M"), ("10k",), ("csv", "features")),
    "study": Family(r"cache\.Study\.", ("10k",), ("10k",), ("csv",)),
    "kernels": Family(r"kernels\.", ("1M", "10M"), ("1M",), ("csv", "raw", "gathered")),
    "frames": Family(r"frames\.", ("100k", "1M", "5M", "10M", "15M"), ("1M",), ("cleaned", "attacked")),
    "baseline": Family(r"baseline\.", ("5M", "10M"), ("1M",), ("raw", "gathered", "cleaned", "attacked")),
    "curves": Family(r"curves\.", ("1M", "5M"), (), ("raw", "cleaned")),
    "job": Family(r"job\.", ("100k", "1M", "5M", "15M", "45M"), ("100k",), ("csv",)),
    "gate_files": Family(r"gate\.(Job|Gather)\.", ("100k", "300k"), (), ("csv",), ("300k",)),
    "gate_frames": Family(
        r"gate\.(Clean|Attack|Features)\.", ("100k", "1M"), (), ("raw", "cleaned", "attacked"), ("1M",)
    ),
    "gate_train": Family(r"gate\.Train\.", ("10k", "30k"), (), ("features",), ("30k",)),
    "imports": Family(r"imports\."),
}


def count_rows(label: str) -> int:
    """Return the rows that a label such as `250k` or `5M` means.

    Raises
    ------
    ValueError
        If it means no number of rows.
    """
    match = _LABEL.fullmatch(label)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{label!r} is no number of rows; write it as 500, 10k or 5M")
    return int(match[1]) * _SCALE[match[2]]


def sizes(suite: str, family: str) -> tuple[str, ...]:
    """Return a family's sizes in a suite.

    Parameters
    ----------
    suite
        `quick`, `full`, `smoke` (the smallest of both), `compare` (those of `quick`) or `gate`.
    family
        Key of `FAMILIES`.

    Raises
    ------
    ValueError
        If there is no such suite.
    """
    quick = FAMILIES[family].quick
    table = {
        "quick": quick,
        "full": FAMILIES[family].full,
        "smoke": tuple(FAMILIES[family].labels[:1]),
        "compare": quick,
        "gate": FAMILIES[family].gate,
    }
    if suite not in table:
        raise ValueError(f"there is no suite {suite!r}; use {', '.join(table)}")
    return table[suite]


def select(suite: str) -> str:
    r"""Return the regular expression that selects a suite, for asv's `--bench`.

    asv matches it against `name(param, param)`, each parameter as its `repr`, `rows` first:
    `clean.Spatial.time_run('1M')`, `clean.Spatial.track_bytes('1M', 'read_bytes')`. All but `full` take of sizes
    below a family's largest the time alone: peak memory costs a process each, and so does each figure that is tracked.
    `quick` takes memory and tracked figures of two attacks, `smoke` one figure of each unit. `compare` leaves out what
    says nothing of a commit's speed: asv takes any change of a `track_` by a tenth for a regression if it is upwards,
    busier processors too, and pandas is not ours, whether it works or is imported.
    """
    choices = []
    for name, family in FAMILIES.items():
        labels = sizes(suite, name)
        whole = labels if suite == "full" else labels[-1:]
        partly = labels[: len(labels) - len(whole)]
        if whole:
            choices.append(rf"{family.names}[\w.]*\('({'|'.join(whole)})'[,)]")
        elif not family.labels and suite != "gate":
            choices.append(family.names)
        if partly:
            choices.append(rf"{family.names}\w+\.time_run\('({'|'.join(partly)})'[,)]")
    only = ""
    if suite == "compare":
        only = rf"(?!{_PANDAS})(?=[\w.]*\.(time|timeraw|peakmem)_)"
    elif suite == "quick":
        only = rf"(?!attack\.Attack\.(?!time_)\w+\('\w+', '(?!{'|'.join(ATTACKS)}))"
    elif suite == "smoke":
        only = rf"(?![\w.]+\.track_(bytes|share|seconds|count)\((?!.*'({'|'.join(ONE_A_UNIT)})'\)))"
    return f"^{only}({'|'.join(choices)})"
