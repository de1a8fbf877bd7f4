"""Measured numbers as people read them."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Final

_SECONDS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_COUNTS: Final = ((1e9, "G "), (1e6, "M "), (1e3, "k "), (1.0, ""))
_BYTES: Final = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


_TIMES: Final = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "µs", "μs", "usec", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
}
_SIZES: Final = {
    **dict.fromkeys(("B", "byte", "bytes"), 1.0),
    **{f"{sign}B": 10.0**power for sign, power in (("k", 3), ("K", 3), ("M", 6), ("G", 9), ("T", 12))},
    **{f"{sign}iB": 1024.0**power for sign, power in (("k", 1), ("K", 1), ("M", 2), ("G", 3), ("T", 4))},
    **{f"{sign}bytes": 10.0**power for sign, power in (("kilo", 3), ("mega", 6), ("giga", 9), ("tera", 12))},
}
_PERCENT: Final = ("%", "percent", "pct")
_SHARES: Final = ("share", "fraction", "ratio")
_SCALES: Final[Mapping[str, Mapping[str, float]]] = {
    "s": _TIMES,
    "B": _SIZES,
    "%": {**dict.fromkeys(_PERCENT, 1.0), **dict.fromkeys(_SHARES, 100.0)},
    "share": {**dict.fromkeys(_SHARES, 1.0), **dict.fromkeys(_PERCENT, 0.01)},
    "tasks": dict.fromkeys(("tasks", "task", "count"), 1.0),
    "cores": dict.fromkeys(("cores", "core", "threads", "slots", "count"), 1.0),
    "samples": dict.fromkeys(("samples", "looks", "count"), 1.0),
}
_WITH_UNIT: Final = re.compile(r"\s*([-+]?\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*([^\d\s]\S*)?\s*")


def read_unit(text: str, unit: str) -> float | None:
    """Return how many of `unit` (`s`, `B`, `%`, `share`, `tasks`, ...) one of the unit in a text is; None if not known.

    Bits (`Mb`) are no bytes, and are not known.
    """
    return _SCALES.get(unit, {unit: 1.0}).get(text.strip())


def list_units(unit: str) -> str:
    """List the names that `read_unit` knows of a unit."""
    return ", ".join(_SCALES.get(unit, {unit: 1.0}))


def read_quantity(text: str, unit: str) -> float | None:
    """Return a quantity such as `40 GB` or `100 ms` in a unit, None if it is none; a number alone is in that unit."""
    match = _WITH_UNIT.fullmatch(text)
    if match is None:
        return None
    factor = read_unit(match[2], unit) if match[2] else 1.0
    return None if factor is None else float(match[1]) * factor


def format_significant(value: float) -> str:
    """Write three significant digits, with no exponent below a million: `0.0123`, `87.5`, `15400`."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return f"{value:.3g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_percent(share: float) -> str:
    """Write a fraction in percent: `75 %`, `4.2 %`, `0 %`."""
    return f"{share * 100:.0f} %" if share >= 0.0995 or share == 0 else f"{share * 100:.1f} %"


def format_count(value: int) -> str:
    """Write a count short where that loses nothing: `10M`, `250k`, `1234`."""
    for factor, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= factor and value % factor == 0:
            return f"{value // factor}{sign}"
    return str(value)


def format_quantity(value: float, unit: str) -> str:
    """Write a number with its unit, scaled where the unit has larger and smaller ones.

    Parameters
    ----------
    value
        In `unit`.
    unit
        `s`, `B`, `rows/s`, `share` (0-1, written in percent), `tasks` (written bare), `x` (a factor), or any other,
        which is written after the number.
    """
    return _FORMATS[unit](value) if unit in _FORMATS else f"{format_significant(value)} {unit}"


def _scale(value: float, units: tuple[tuple[float, str], ...]) -> str:
    for factor, name in units:
        if abs(value) >= factor:
            return f"{format_significant(value / factor)} {name}"
    factor, name = units[-1] if value else next(unit for unit in units if unit[0] == 1.0)
    return f"{format_significant(value / factor)} {name}"


_LONG: Final = 1000
"""A factor from this on is written whole."""

_FORMATS: Final[Mapping[str, Callable[[float], str]]] = {
    "s": lambda value: _scale(value, _SECONDS),
    "B": lambda value: _scale(value, _BYTES),
    "share": lambda value: f"{format_significant(value * 100)} %",
    "tasks": lambda value: f"{value:,.0f}" if float(value).is_integer() else format_significant(value),
    "rows/s": lambda value: f"{_scale(value, _COUNTS)}rows/s",
    "x": lambda value: f"{f'{value:,.0f}' if value >= _LONG else format_significant(value)}x",
}
