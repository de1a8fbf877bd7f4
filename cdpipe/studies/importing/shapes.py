"""Shapes: short ways to write a table, written out as the long one."""

from typing import Any, Final

_COLUMNS: Final = "columns"
_ENABLED: Final = "enabled"


def write_out(tables: dict[str, Any]) -> dict[str, Any]:
    """Return tables in which a set of features, a flag, or points that stand by themselves are in their tables."""
    made = dict(tables)
    if isinstance(made.get("features"), str | list):
        made["features"] = {_COLUMNS: made["features"]}
    for name in ("cache", "dask", "dask_config"):
        if isinstance(made.get(name), bool):
            made[name] = {_ENABLED: made[name]}
    special = made.get("_special_features")
    if isinstance(special, dict):
        made["_special_features"] = _write_out_special(special)
    return made


def _write_out_special(special: dict[str, Any]) -> dict[str, Any]:
    made = dict(special)
    for name in ("multi_point", "point_graft"):
        if made.get(name) in (False, [], {}):
            made[name] = None
    if isinstance(made.get("point_graft"), list):
        made["point_graft"] = {"params": made["point_graft"]}
    elif made.get("point_graft") is True:
        made["point_graft"] = {_ENABLED: True}
    points = made.get("multi_point")
    if isinstance(points, dict) and isinstance(points.get("points"), list | dict):
        rest = {key: value for key, value in points.items() if key not in ("points", _ENABLED)}
        points = None if points.get(_ENABLED) is False else points["points"] if not rest else points
    if isinstance(points, list):
        points = {str(place): point for place, point in enumerate(points, 1)}
    if isinstance(points, dict):
        points = {str(name): _name_ends(point) for name, point in points.items()}
    return {**made, "multi_point": points}


def _name_ends(point: Any) -> Any:  # noqa: ANN401 - whatever stands there
    """Return a point of two numbers, east first, with their names; anything else as it is."""
    return dict(zip("xy", point, strict=True)) if isinstance(point, list) and len(point) == 2 else point
