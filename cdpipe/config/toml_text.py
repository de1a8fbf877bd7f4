"""TOML text: values and tables of a configuration, written so that `tomllib` reads them back."""

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def show_value(value: Any) -> str:  # noqa: ANN401 - whatever a key may hold
    """Return a value as TOML, tables in braces.

    Raises
    ------
    TypeError
        If TOML has no such value.

    Examples
    --------
    >>> show_value({"centres": [{"latitude": 41.5, "on": True}], "names": ("a", "b")})
    '{ centres = [{ latitude = 41.5, on = true }], names = ["a", "b"] }'
    """
    match value:
        case bool():
            return str(value).lower()
        case dt.date() | int() | float():
            return str(value)
        case str() | Path():
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(show_value(each) for each in value)}]"
        case Mapping():
            inside = ", ".join(f"{_key(name)} = {show_value(each)}" for name, each in value.items())
            return f"{{ {inside} }}" if inside else "{}"
    raise TypeError(f"{type(value).__name__} has no form in TOML: {value!r}")


def show_tables(tables: Mapping[str, Any]) -> str:
    """Return a document: plain keys first, then a header for each table; a pair of latitude and longitude is a value.

    Examples
    --------
    >>> print(show_tables({"clean": {"filters": {"dates": {"first": "2021-04-01"}}, "coordinates": "local"}}))
    [clean]
    coordinates = "local"
    <BLANKLINE>
    [clean.filters.dates]
    first = "2021-04-01"
    """
    return "\n".join(_lines(tables, "")).lstrip("\n")


def _lines(table: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield a table's own keys below its header, then its sub-tables."""
    below = {name: each for name, each in table.items() if _is_section(each)}
    own = {name: each for name, each in table.items() if name not in below}
    if path and (own or not below):
        yield from ("", f"[{path}]")
    yield from (f"{_key(name)} = {show_value(each)}" for name, each in own.items())
    for name, each in below.items():
        yield from _lines(each, f"{path}.{_key(name)}".lstrip("."))


def _is_section(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) != {"latitude", "longitude"}


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else show_value(name)
