"""Data: the input, centre, radius, dates and columns of a foreign configuration."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from cdpipe.columns import BY_NAME, GENERATED_AT, RECEIVED_AT, VEHICLE_ID, canonical
from cdpipe.studies.importing.given import Given, Setting, as_number, show
from cdpipe.studies.importing.spellings import POSITIONS, fold

PLACEHOLDER: Final = "bsm.csv"
"""Input where the file names none."""

RADIUS: Final = ("distance_meters", "radius_meters", "radius_m")
_RADIUS: Final = tuple(f"data.filtering.{key}" for key in RADIUS)
_EAST: Final = ("data.filtering.center_x", "data.filtering.center_longitude", "data.filtering.centre_longitude")
_NORTH: Final = ("data.filtering.center_y", "data.filtering.center_latitude", "data.filtering.centre_latitude")
_UNFILTERED: Final = frozenset({"passthrough", "none", "nofilter", ""})
_CIRCLES: Final = frozenset(
    {"xyoffsetposition", "withinrange", "withinrangexy", "radius", "circle", "spatial", "within"}
)
_DATES: Final = ("%Y-%m-%d", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d")


class Circle(NamedTuple):
    """What is kept of a place: all within a radius of a centre. None where the file does not say."""

    latitude: float | None
    longitude: float | None
    radius_m: float | None

    @property
    def has_centre(self) -> bool:
        """Whether there is a centre."""
        return self.latitude is not None and self.longitude is not None


def read_input(given: Given, path: str | None) -> Iterator[Setting]:
    """Give the input: what the caller says, else what the file says, else a placeholder that is remarked."""
    source = given.take("data.source_file", "data.input_file", "data.source", "data.path")
    name = given.name("data.source_file", "data.input_file", "data.source", "data.path")
    rows = given.take("data.num_subsection_rows", "data.num_rows")
    if (count := as_number(rows)) is not None and count > 0:
        given.say(
            "changed", f"data.num_subsection_rows = {show(rows)}: no cap of rows is imitated; all messages are read"
        )
    if path is not None:
        yield Setting(("input", "paths"), [path], "--input")
        if source is not None:
            given.say("changed", f"{name} = {show(source)}: {show(path)} of the command line stands for it")
        return
    if source is None:
        given.say("changed", f"the file names no input: {PLACEHOLDER!r} stands there; name yours")
    placeholder = Setting(("input", "paths"), [PLACEHOLDER], "")
    paths = source if isinstance(source, list) else [PLACEHOLDER if source is None else source]
    yield Setting(("input", "paths"), paths, f"{name} = {show(source)}", (placeholder,))


def read_circle(given: Given) -> Circle:
    """Return the centre and radius of the file."""
    numbers = []
    for names in (_NORTH, _EAST, _RADIUS):
        value = given.take(*names)
        number = as_number(value)
        if value is not None and number is None:
            given.lose(f"{given.name(*names)} = {show(value)}: is no number")
        numbers.append(number)
    return Circle(*numbers)


def settle_place(given: Given, circle: Circle, *, has_places: bool) -> Iterator[Setting]:
    """Give the centre, the coordinates and the filter by radius."""
    kind = given.take("data.filtering.type")
    uses_metres = _uses_metres(given, kind)
    if circle.has_centre:
        centre = {"latitude": circle.latitude, "longitude": circle.longitude}
        yield Setting(("clean", "centre"), centre, f"the centre {show((circle.longitude, circle.latitude))}")
        if uses_metres:
            yield Setting(("clean", "coordinates"), "local", "positions in metres from the centre")
    elif uses_metres and kind is not None and circle.radius_m is not None:
        given.lose(
            f"data.filtering: has a radius of {circle.radius_m:g} m and no centre, so no message is left out, and "
            "positions stay in degrees; set clean.centre, clean.coordinates and clean.filters.within"
        )
    elif circle.radius_m is not None:
        given.lose(
            f"data.filtering: has a radius of {circle.radius_m:g} m and no centre, so no message is left out; set "
            "clean.filters.within"
        )
    elif uses_metres:
        given.lose("positions in metres: there is no centre, so they stay in degrees; set clean.centre")
    if (
        circle.has_centre
        and circle.radius_m is not None
        and not has_places
        and fold(kind or "within") not in _UNFILTERED
    ):
        within = {"latitude": circle.latitude, "longitude": circle.longitude, "radius_m": circle.radius_m}
        yield Setting(("clean", "filters", "within"), within, f"the radius {circle.radius_m:g}")


def _uses_metres(given: Given, kind: Any) -> bool:  # noqa: ANN401 - whatever stands there
    """Return True if positions are metres from the centre."""
    if kind is not None and fold(kind) not in _UNFILTERED | _CIRCLES:
        given.lose(
            f"data.filtering.type = {show(kind)}: no filter is known by that name; a radius is taken for a circle"
        )
    told = given.take("data.filtering.use_xy_coords", "data.coordinate_conversion.enabled")
    method = given.take("data.coordinate_conversion.method")
    if method is not None and fold(method) not in {"localprojection", "xy", "local"}:
        given.lose(f"data.coordinate_conversion.method = {show(method)}: only metres from the centre are known")
    given.take("data.coordinate_conversion.output_columns")
    if told is None:
        return fold(kind) in {"xyoffsetposition", "withinrangexy"}
    return told is True or fold(told) in {"true", "1", "yes"}


def read_dates(given: Given) -> Iterator[Setting]:
    """Give the range of days; without an end it is one day."""
    ends = [_read_day(given, end) for end in ("start", "end")]
    first, last = ends[0] or ends[1], ends[1] or ends[0]
    if first is None or last is None:
        return
    if first > last:
        given.say("changed", f"data.date_range: starts {first} after it ends {last}; they were swapped")
        first, last = last, first
    yield Setting(("clean", "filters", "dates"), {"first": first, "last": last}, f"the dates {first} to {last}")


def _read_day(given: Given, end: str) -> dt.date | None:
    text = given.take(f"data.date_range.{end}", f"data.date_range.{end}_date")
    parts = [given.take(f"data.date_range.{end}_{part}") for part in ("year", "month", "day")]
    if text is not None:
        found = _parse_day(str(text))
        if found is None:
            given.lose(f"data.date_range.{end} = {show(text)}: is no day; write YYYY-MM-DD")
        return found
    if parts == [None] * 3:
        return None
    if end == "end" and None in parts:
        parts = [_fill_in(given, part, said) for part, said in zip(("year", "month", "day"), parts, strict=True)]
    numbers = [as_number(part) for part in parts]
    try:
        return dt.date(*(int(number) for number in numbers if number is not None and number == int(number)))
    except (TypeError, ValueError, OverflowError):
        said = "-".join("?" if part is None else str(part) for part in parts)
        given.lose(f"data.date_range: {end}_year, {end}_month and {end}_day say {show(said)}, which is no day")
        return None


def _fill_in(given: Given, part: str, said: Any) -> Any:  # noqa: ANN401 - whatever stands there
    """Return a part of the last day; the first day's where only others are said."""
    first = given.take(f"data.date_range.start_{part}")
    if said is None and first is not None:
        given.say("changed", f"data.date_range: has no end_{part}; start_{part} = {show(first)} stands for it")
    return first if said is None else said


def _parse_day(text: str) -> dt.date | None:
    day = re.split(r"[T ]", text.strip(), maxsplit=1)[0]
    for form in _DATES:
        try:
            return dt.datetime.strptime(day, form).replace(tzinfo=dt.UTC).date()
        except ValueError:
            continue
    return None


def read_columns(given: Given) -> Iterator[Setting]:
    """Give the columns that cleaning keeps."""
    names = ("data.columns", "data.columns_to_extract")
    listed = given.take(*names)
    if listed is None:
        return
    name = given.name(*names)
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        given.lose(f"{name} = {show(listed)}: is no list of names")
        return
    columns = [each for each in dict.fromkeys(map(canonical, listed)) if each not in POSITIONS]
    unknown = [each for each in columns if each not in BY_NAME]
    if unknown:
        given.say(
            "changed", f"{name}: {', '.join(map(show, unknown))} of the input is no column of BSMs; read as it is"
        )
    if RECEIVED_AT in columns and GENERATED_AT not in columns:
        given.say("changed", f"{name}: days and splits are those of {GENERATED_AT}, there they were of {RECEIVED_AT}")
    yield Setting(
        ("clean", "columns"), list(dict.fromkeys((GENERATED_AT, VEHICLE_ID, *columns))), f"{name} = {show(listed)}"
    )
