"""Scaling over cores: the same functions on one frame, and on partitions by Dask's threads."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from benchmarks._peers import ours
from benchmarks._peers.rounds import Sample, Spread, measure, spread
from benchmarks._peers.stages import CHAIN_ATTACK

ALL: Final = "clean, attack, features"
ONE_FRAME: Final = "cdpipe, one frame"

_Steps = Callable[[Any], Any]


class Scaling(NamedTuple):
    """How one function, or all of them, scales.

    Attributes
    ----------
    one_frame, partitions
        Samples of a round each.
    share
        Time on one frame and one thread, divided by cores times the time on partitions and threads: 1 is ideal.
    graph
        Processor time of the calling thread, which lays the graph and schedules and does nothing else, as a share of
        the wall time on partitions.
    """

    one_frame: list[Sample]
    partitions: list[Sample]
    share: Spread
    graph: Spread


def measure_scaling(one: ours.Ours, *, repeats: int) -> dict[str, Scaling]:
    """Measure each function alone and all in a row, interleaved; by name."""
    import pandas as pd
    from dask.system import cpu_count

    cores = cpu_count()
    found = {}
    for name, (start, steps) in _functions(one).items():
        parts = ours.partitions(start)
        whole = pd.concat(parts, ignore_index=True)
        del parts
        works = {"one": lambda steps=steps, whole=whole: steps(whole), "many": lambda f=start, s=steps: _compute(f, s)}
        for work in works.values():
            work()
        samples = measure(works, discard={}, repeats=repeats)
        pairs = zip(samples["one"], samples["many"], strict=True)
        found[name] = Scaling(
            samples["one"],
            samples["many"],
            spread([a.wall_s / (cores * b.wall_s) for a, b in pairs]),
            spread([sample.caller_s / sample.wall_s for sample in samples["many"]]),
        )
    return found


def _functions(one: ours.Ours) -> dict[str, tuple[Any, _Steps]]:
    """Return what is scaled: by name its input, and what it does to a pandas or a Dask frame."""
    import cdpipe

    attack = CHAIN_ATTACK
    raw, clean, attacked = one.load(one.parquet, "raw"), one.take("cleaned"), one.take("attacked")

    def every(frame: Any) -> Any:
        frame, cleaned = cdpipe.clean(frame, ours.clean_params())
        frame, moved = cdpipe.attack(frame, ours.attack_params(attack))
        frame, chosen = cdpipe.features(frame, ours.feature_params())
        return frame, cleaned, moved, chosen

    return {
        ALL: (raw, every),
        "clean": (raw, lambda frame: cdpipe.clean(frame, ours.clean_params())),
        "spatial/20km": (
            clean,
            lambda frame: cdpipe.clean(frame, ours.spatial_params(attack.radius_m)),
        ),
        attack.name: (clean, lambda frame: cdpipe.attack(frame, ours.attack_params(attack))),
        "features": (attacked, lambda frame: cdpipe.features(frame, ours.feature_params())),
    }


def _compute(frame: Any, steps: _Steps) -> list[Any]:
    return ours.compute(*steps(frame))
