"""Sizes: which parameter of a benchmark says how much work it has, and how much a value of it is."""

import ast
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

ROWS: Final = "rows"
CORES: Final = "cores"
PARTITION: Final = "partition_rows"

_NO_SIZES: Final = frozenset(
    {CORES, PARTITION, "threads", "n_threads", "nthreads", "workers", "n_workers", "processes", "jobs", "n_jobs",
     "njobs", "seed", "random_state"}
)  # fmt: skip
"""Numbers of something else than work."""

_COUNT: Final = re.compile(r"(\d+(?:\.\d+)?(?:[eE]\+?\d+)?)\s*([kKMG]?)")
_SCALE: Final = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_NUMPY: Final = re.compile(r"(?:np|numpy)\.\w+\((.+)\)", re.DOTALL)


@lru_cache(maxsize=4096)
def parse_rows(text: str) -> int | None:
    """Return the rows that a parameter value such as `'10M'`, `250k`, `1e6` or `np.int64(1000)` says, None if none."""
    match = _COUNT.fullmatch(unquote(text).strip().replace("_", ""))
    if match is None:
        return None
    rows = float(match[1]) * _SCALE[match[2]]
    return int(rows) if math.isfinite(rows) and rows.is_integer() and rows > 0 else None


@lru_cache(maxsize=4096)
def unquote(text: str) -> str:
    """Return the string a `repr` of a string says, or the number of a NumPy scalar's; any other text as it is."""
    scalar = _NUMPY.fullmatch(text)
    if scalar is not None:
        return unquote(scalar[1])
    if text[:1] in {"'", '"'}:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text
        return value if isinstance(value, str) and _is_text(value) else text
    return text


def _is_text(value: str) -> bool:
    """Return True if a string can be written at all: half of a surrogate pair, as in an odd file's name, cannot."""
    return not any("\ud800" <= sign <= "\udfff" for sign in value)


def choose_size(names: Sequence[str], params: Sequence[Sequence[str]], known: Sequence[str] = ()) -> str:
    """Return the parameter that is the size of a benchmark's work.

    Parameters
    ----------
    names, params
        Of all parameters the name, and asv's texts of the values.
    known
        Names that are sizes, the first that a benchmark has counts; `rows` always is one.

    Returns
    -------
    str
        The first known name; else of the parameters with several values, all of them positive whole numbers, the one
        that spans the largest factor; `""` if there is none. Numbers of threads and such are no sizes.
    """
    for name in (*known, ROWS):
        if name in names:
            return name
    spans = {}
    for name, axis in zip(names, params, strict=True):
        counts = [parse_rows(text) for text in axis]
        if name not in _NO_SIZES and len(set(counts)) > 1 and None not in counts:
            whole = [count for count in counts if count]
            spans[name] = max(whole) / min(whole)
    return max(spans, key=lambda name: spans[name], default="")
