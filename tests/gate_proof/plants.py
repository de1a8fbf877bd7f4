"""Plants: which work is added to which stage, how, and which resource it takes."""

import re
from pathlib import Path
from typing import Final, NamedTuple

WORK: Final = Path(__file__).with_name("planted_work.py")
LEVELS: Final = (0.03, 0.05, 0.10, 0.30)

_FRAMES: Final = {
    "clean": ("cdpipe/stages/clean.py", "apply"),
    "attack": ("cdpipe/stages/attack.py", "apply"),
    "features": ("cdpipe/stages/features.py", "apply"),
    "train": ("cdpipe/training/train.py", "train"),
    "gather": ("cdpipe/engine/api/reading.py", "gather"),
    "job": ("cdpipe/pipeline.py", "run"),
}
"""Of each stage the module and the function that all of its work goes through."""

_COMPUTING: Final = frozenset({"cpu_seconds"})


class Plant(NamedTuple):
    """Work of a kind in a stage.

    Attributes
    ----------
    stage, kind
        Key of `_FRAMES`, and function of `planted_work`.
    resources
        Names of those that it takes, any of them is right.
    benchmark
        Beginning of the name of the benchmark that shall see it: an expression.
    power
        How its cost grows with its amount.
    most
        Amount beyond which calibration does not go.
    """

    stage: str
    kind: str
    resources: frozenset[str]
    benchmark: str
    power: float = 1.0
    most: float = 1e6

    @property
    def name(self) -> str:
        """Stage and kind."""
        return f"{self.stage}/{self.kind}"

    @property
    def is_of_memory(self) -> bool:
        """Whether it is memory that grows."""
        return self.kind in {"leak", "memory_growth"}


def _in_gate(stage: str, kind: str, *resources: str, **options: float) -> Plant:
    return Plant(stage, kind, frozenset(resources), rf"gate\.{stage.title()}\.", **options)


PLANTS: Final = (
    _in_gate("clean", "extra_pass", "cpu_seconds", "page_faults"),
    _in_gate("clean", "copies", "page_faults", "cpu_seconds"),
    _in_gate("clean", "per_row_call", "cpu_seconds"),
    _in_gate("attack", "extra_pass", "cpu_seconds", "page_faults"),
    _in_gate("attack", "lost_vectorisation", "cpu_seconds"),
    _in_gate("features", "copies", "page_faults", "cpu_seconds"),
    _in_gate("features", "quadratic", "cpu_seconds", power=2.0),
    _in_gate("train", "lost_vectorisation", "cpu_seconds"),
    _in_gate("gather", "reread", "read_bytes"),
    _in_gate("job", "reread", "read_bytes"),
    _in_gate("job", "smaller_partitions", "tasks"),
    Plant("clean", "leak", frozenset({"kept_bytes", "peak_bytes"}), r"clean\.Spatial\.peakmem_run\('1M'\)"),
    Plant("clean", "memory_growth", frozenset({"peak_bytes"}), r"clean\.Spatial\.peakmem_run\('1M'\)"),
)


def plant(root: Path, planted: Plant, amount: float) -> None:
    """Add the work to a checkout of the project: a module with the amount in it, and a wrapper behind the function.

    Parameters
    ----------
    root
        Folder of the checkout.
    planted
        What to add.
    amount
        How much of it.

    Raises
    ------
    ValueError
        If the function is not where it was.
    """
    module, function = _FRAMES[planted.stage]
    path = root / module
    source = path.read_text(encoding="utf-8")
    if not re.search(rf"^def {function}\(", source, re.MULTILINE):
        raise ValueError(f"{path}: has no function {function!r} to plant work in; name it in {Path(__file__).name}")
    work = WORK.read_text(encoding="utf-8").replace('"CDPIPE_PLANTED", "0"', f'"CDPIPE_PLANTED", "{amount!r}"')
    (root / "cdpipe" / "planted.py").write_text(work, encoding="utf-8")
    path.write_text(
        f"{source}\n\nfrom functools import wraps as _wraps\n\nfrom cdpipe import planted as _planted\n\n"
        f"_unplanted = {function}\n\n\n@_wraps(_unplanted)\ndef {function}(given, *rest, **options):\n"
        f"    return _planted.{planted.kind}(_unplanted, given, *rest, **options)\n",
        encoding="utf-8",
    )
