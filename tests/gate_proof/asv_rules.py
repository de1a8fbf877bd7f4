"""The decisions that `asv continuous` makes of the same samples: at its defaults, and with all samples there are."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from asv.commands.compare import _is_result_better
from asv_runner.statistics import compute_stats


class Rule(NamedTuple):
    """How asv is run: processes a side, samples a process, and the factor that a change must exceed; None for all."""

    name: str
    rounds: int | None
    samples: int | None
    factor: float


RULES: Final = (
    Rule("asv continuous, defaults", 2, 5, 1.1),
    Rule("asv continuous, all samples, factor 1.1", None, None, 1.1),
    Rule("asv continuous, all samples, factor 1.05", None, None, 1.05),
    Rule("asv continuous, all samples, factor 1.02", None, None, 1.02),
)


def calls_worse(rule: Rule, base: Sequence[Sequence[float]], head: Sequence[Sequence[float]]) -> bool:
    """Return True if asv would call the head worse.

    Parameters
    ----------
    rule
        How it is run.
    base, head
        Samples of each process, in order.
    """
    (a, a_stats), (b, b_stats) = (_summarise(rule, side) for side in (base, head))
    return bool(_is_result_better(a, b, a_stats, b_stats, rule.factor))


def _summarise(rule: Rule, side: Sequence[Sequence[float]]) -> tuple[float, tuple[dict[str, float], list[float]]]:
    samples = [sample for process in side[: rule.rounds] for sample in process[: rule.samples]]
    value, stats = compute_stats(samples, 1)
    return float(value), (stats, samples)
