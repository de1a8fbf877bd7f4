"""Refusals: types of columns that cannot mean what the column is called, and what to write instead."""

from typing import Final

from cdpipe.columns import VEHICLE_ID, Column, Kind

_HELD: Final[dict[Kind, str]] = {
    "text": "text",
    "label": "text",
    "float": "numbers",
    "integer": "whole numbers",
    "time": "times",
}
_AS_TEXT: Final = "write that column again as text"
_HINTS: Final = {
    "boolean": "true and false are no {0}; write the {0}, or leave the column out",
    "complex": "complex numbers are no measurements; write {0}",
    "date": "a date is no moment; write timestamps, or text with the time of day",
    "clock": "a time of day is no moment; write timestamps, or text with the date",
    "duration": "a duration is no moment; write timestamps, or text",
    "nested": "a cell holds several values; write the one that is meant as a column of its own",
    "coarse": "it tells epoch milliseconds to two minutes at best; write timestamps, whole numbers of 64 bits or text",
    "mixed": f"its values are of several types, or of one that no file has; {_AS_TEXT}",
}
_LOST_ZEROS: Final = f"ids read as numbers have lost their leading zeros; {_AS_TEXT}"
_OF_TIMES: Final = ("date", "clock", "duration")


def refuse(column: Column, held: str, sort: str) -> TypeError:
    """Make the error of a column that holds what it cannot mean.

    Parameters
    ----------
    column
        What it should be.
    held
        Name of the type that it has.
    sort
        What that is: a key of the hints, or `number`, or anything else.
    """
    wanted = _HELD.get(column.kind, column.kind)
    hint = _HINTS.get(sort, _AS_TEXT).format(wanted)
    if sort == "number" and column.name == VEHICLE_ID:
        hint = _LOST_ZEROS
    if sort in _OF_TIMES and column.kind != "time":
        hint = f"write {wanted}"
    return TypeError(f"column {column.name!r} must hold {wanted} but is {held}: {hint}")
