"""Places: two centres of a foreign configuration; one may test, or they are mixed by shares."""

from collections.abc import Iterator
from typing import Final

from cdpipe.studies.importing.data import RADIUS, Circle
from cdpipe.studies.importing.file_name import Shares, find_graft
from cdpipe.studies.importing.given import Given, Setting, as_flag, as_number, show

_POINTS: Final = "_special_features.multi_point"
_KEYS: Final[tuple[tuple[str, ...], ...]] = (
    ("x", "center_x", "longitude", "center_longitude"),
    ("y", "center_y", "latitude", "center_latitude"),
)
Centre = tuple[float, float]
"""Latitude and longitude, degrees."""


def read_places(given: Given, circle: Circle, *, stem: str) -> list[Setting]:
    """Return the places, and how they train and test; none if the file names no two."""
    points = given.tables.get("_special_features")
    points = points.get("multi_point") if isinstance(points, dict) else None
    separate = as_flag(given.take("_special_features.separate_points")) is True
    graft = _read_graft(given, stem)
    if not isinstance(points, dict) or not points:
        if separate or graft is not None:
            given.lose(
                "_special_features: two places are to train and test, and multi_point, which names them, is not there"
            )
        return []
    centres = [_read_point(given, name, circle) for name in points]
    radii = [_read_radius(given, name, circle) for name in points]
    if None in radii or None in centres:
        given.lose(f"{_POINTS} = {show(points)}: each place needs a centre in degrees and the radius of data.filtering")
        return []
    return list(
        _settle(
            given,
            [each for each in centres if each],
            [each for each in radii if each is not None],
            separate=separate,
            graft=graft,
        )
    )


def _settle(
    given: Given, centres: list[Centre], radii_m: list[float], *, separate: bool, graft: Shares | None
) -> Iterator[Setting]:
    places = [
        {"latitude": north, "longitude": east, "radius_m": radius_m}
        for (north, east), radius_m in zip(centres, radii_m, strict=True)
    ]
    first = Setting(("clean", "filters", "within"), places[0], "")
    yield Setting(("clean", "filters", "places"), {"centres": places}, f"{_POINTS}, {len(places)} places", (first,))
    if separate:
        yield Setting(
            ("train",), {"split": "place", "test_places": [len(places)]}, "separate_points = true: the last place tests"
        )
    elif graft is not None:
        yield Setting(("train", "place_shares"), list(graft), f"point_graft: shares {show(tuple(graft))}")
        given.say(
            "changed", f"point_graft: {graft.first:g} of the messages are of place 1, {graft.second:g} of place 2"
        )


def _read_graft(given: Given, stem: str) -> Shares | None:
    """Return the shares of two places; their digits ran into each other where the name was parsed."""
    enabled = given.take("_special_features.point_graft.enabled")
    params = given.take("_special_features.point_graft.params")
    if enabled is not None and as_flag(enabled) is False:
        return None
    shares = find_graft(stem)
    if shares is None and isinstance(params, list) and len(params) == 4:
        first, *middle, last = map(str, params)
        shares = find_graft(f"PtGraft{first}P{''.join(middle)}P{last}")
    if shares is None and isinstance(params, list) and len(params) == 2:
        numbers = [as_number(each) for each in params]
        if None not in numbers and sum(each or 0 for each in numbers) in {1, 100}:
            shares = Shares(*((each or 0) / sum(each or 0 for each in numbers) for each in numbers))
    if shares is None and (params is not None or as_flag(enabled) is True or "ptgraft" in stem.casefold()):
        said = f"point_graft.params = {show(params)}"
        given.lose(f"{said}: neither it nor the name tells the shares of the places; all messages are taken")
    return shares


def _read_radius(given: Given, name: str, circle: Circle) -> float | None:
    """Return a place's own radius, else that of the file."""
    own = given.take(*(f"{_POINTS}.{name}.{key}" for key in RADIUS))
    return circle.radius_m if own is None else as_number(own)


def _read_point(given: Given, name: str, circle: Circle) -> Centre | None:
    """Return a place's centre; the file's full centre where the point is that cut to whole degrees."""
    east, north = (given.take(*(f"{_POINTS}.{name}.{key}" for key in keys)) for keys in _KEYS)
    longitude, latitude = as_number(east), as_number(north)
    if longitude is None or latitude is None:
        return None
    said = f"{_POINTS}.{name} = {show((east, north))}"
    if not (longitude.is_integer() and latitude.is_integer()):
        return latitude, longitude
    full = circle.latitude, circle.longitude
    if full[0] is not None and full[1] is not None and (int(full[0]), int(full[1])) == (latitude, longitude):
        if full != (latitude, longitude):
            given.say(
                "changed", f"{said}: is the centre of data.filtering cut to whole degrees; that centre stands for it"
            )
        return full[0], full[1]
    given.say("changed", f"{said}: is in whole degrees, taken as they stand; if they were cut, correct the centre")
    return latitude, longitude


def tests_a_place(settings: list[Setting]) -> bool:
    """Return True if a place of its own tests."""
    return any(isinstance(each.value, dict) and "test_places" in each.value for each in settings)
