"""Work that a plant adds to a stage. A copy of this file goes into the measured package as `planted.py`.

`AMOUNT` says how much: thousandths of the rows, of the bytes or of the partition size, or rows, by the kind. The copy
has the calibrated number in its place; `CDPIPE_PLANTED` overrides it while that is sought.
"""

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

AMOUNT = float(os.environ.get("CDPIPE_PLANTED", "0"))
KEPT: list[Any] = []


def _take(frame: Any, thousandths: float) -> Any:
    return frame.iloc[: max(1, int(len(frame) * thousandths / 1000))]


def extra_pass(apply: Callable[..., Any], frame: Any, *rest: Any) -> Any:
    """Do the stage's own work once more on a part of the rows, and forget it."""
    for _ in range(int(AMOUNT // 1000)):
        apply(frame, *rest)
    if AMOUNT % 1000:
        apply(_take(frame, AMOUNT % 1000), *rest)
    return apply(frame, *rest)


def copies(apply: Callable[..., Any], frame: Any, *rest: Any) -> Any:
    """Copy the rows, whole or in part, before the work."""
    for _ in range(int(AMOUNT // 1000)):
        frame.copy()
    _take(frame, AMOUNT % 1000).copy()
    return apply(frame, *rest)


def lost_vectorisation(apply: Callable[..., Any], frame: Any, *rest: Any) -> Any:
    """Compute in a loop of Python what NumPy computes at once."""
    numbers = frame.select_dtypes("number")
    values = _take(numbers, AMOUNT).iloc[:, 0].to_numpy(float)
    roots = []
    for value in values:
        roots.append(math.sqrt(abs(value)) + math.sin(value))  # noqa: PERF401 - the loop is the plant
    return apply(frame, *rest)


def per_row_call(apply: Callable[..., Any], frame: Any, *rest: Any) -> Any:
    """Call a function of Python for each row of a part."""
    _take(frame, AMOUNT).iloc[:, 0].map(lambda value: str(value).strip())
    return apply(frame, *rest)


def quadratic(apply: Callable[..., Any], frame: Any, *rest: Any) -> Any:
    """Compare every row of a part with every other: a part that grows with the rows."""
    count = int(AMOUNT * len(frame) / 1e6)
    values = frame.select_dtypes("number").iloc[:count, 0].to_numpy(float)
    for value in values:
        np.abs(values - value).argmin()
    return apply(frame, *rest)


def leak(apply: Callable[..., Any], frame: Any, *rest: Any) -> Any:
    """Keep a copy of a part of the rows for ever."""
    KEPT.append(_take(frame, AMOUNT).copy())
    return apply(frame, *rest)


def memory_growth(apply: Callable[..., Any], frame: Any, *rest: Any) -> Any:
    """Hold a copy of a part of the rows while the stage works."""
    held = [frame.copy() for _ in range(int(AMOUNT // 1000))]
    held.append(_take(frame, AMOUNT % 1000).copy())
    made = apply(frame, *rest)
    assert held
    return made


def reread(apply: Callable[..., Any], source: Any, *rest: Any, **options: Any) -> Any:
    """Read a part of the input files once more, and count its lines."""
    for path in _find_files(source):
        left = int(path.stat().st_size * AMOUNT / 1000)
        while left > 0:
            with path.open("rb") as file:
                while left > 0 and (block := file.read(min(left, 1 << 20))):
                    left -= len(block)
                    block.count(b"\n")
    return apply(source, *rest, **options)


def smaller_partitions(apply: Callable[..., Any], source: Any, *rest: Any, **options: Any) -> Any:
    """Cut the input into smaller blocks: `AMOUNT` thousandths more of them."""
    gather = source.gather.model_copy(update={"block_mb": source.gather.block_mb * 1000 / (1000 + AMOUNT)})
    return apply(source.model_copy(update={"gather": gather}), *rest, **options)


def _find_files(source: Any) -> list[Path]:
    named = source.input.paths if hasattr(source, "input") else source
    listed: Sequence[Any] = [named] if isinstance(named, str | Path) else named
    return [Path(each) for each in listed]
