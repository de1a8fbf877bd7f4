"""Layouts: what a configuration takes from how the input's columns are named, so that nobody writes it twice."""

from collections.abc import Mapping
from typing import Any, Final

from cdpipe.columns import (
    GENERATED_AT,
    GIVEN_ATTACKER,
    GIVEN_FALSE,
    POSITION_X,
    POSITION_Y,
    REQUIRED,
    SOURCE,
    VEHICLE_ID,
    canonical,
)
from cdpipe.config.messages import as_table
from cdpipe.stages import STAGES
from cdpipe.stages.gather.column_map import POSITIONS, find_target

_SOURCE_NAMES: Final = frozenset(column.name for column in SOURCE)
_GIVEN: Final = "given"
_VEREMI: Final = (
    *(GENERATED_AT, VEHICLE_ID, POSITION_X, POSITION_Y, "coreData_speed", "coreData_heading"),
    *(GIVEN_ATTACKER, GIVEN_FALSE),
)
"""What all of VeReMi's files have, or most."""

_OWN: Final = "isAttacker"


def share_layout(given: dict[str, Any]) -> dict[str, Any]:
    """Return tables in which labels are columns of the input, and cleaning asks for what the input has.

    A file whose position is mapped is taken to have no columns but those that are mapped: of what cleaning requires,
    keeps and learns from by default, the others are left out.

    Raises
    ------
    ValueError
        If there are labels, and an attack that would write its own.
    """
    shared = dict(given)
    source, attack = as_table(given.get("input")), as_table(given.get("attack"))
    labels = given.get("labels")
    if labels is not None and attack.setdefault("kind", _GIVEN) != _GIVEN:
        raise ValueError(
            f'labels are taken with attack.kind = "given", not {attack["kind"]!r}; leave one of the two out'
        )
    columns = source.get("columns", {})
    if not isinstance(columns, Mapping):
        return given  # validation says what is wrong
    is_veremi = source.get("format") == "veremi"
    if is_veremi:
        attack.setdefault("kind", _GIVEN)
    is_named = attack.get("kind") == _GIVEN and (labels is not None or not is_veremi)
    columns = _name_labels(dict(columns), as_table(labels)) if is_named else dict(columns)
    targets = tuple(dict.fromkeys([*_find_targets(columns), *(_VEREMI if is_veremi else ())]))
    if not targets:
        return given
    shared["input"] = {**source, "columns": columns}
    shared["attack"] = attack
    shared["clean"] = _fit_cleaning(as_table(given.get("clean")), targets, labelled=attack.get("kind") == _GIVEN)
    if _is_foreign(targets):
        shared["features"] = _fit_features(as_table(given.get("features")), targets)
    return shared


def _name_labels(columns: dict[str, Any], labels: dict[str, Any]) -> dict[str, Any]:
    """Add the columns that hold labels to a column map."""
    honest = {"honest": list(labels["honest"])} if labels.get("honest") else {}
    named = {"attacker": labels.get("column", _OWN), "false": labels.get("false_column")}
    for role, name in named.items():
        is_said = role in columns or find_target(role) in columns
        if name is not None and (labels or not is_said):
            columns[role] = {"column": [name] if isinstance(name, str) else name, **honest}
    return columns


def _find_targets(columns: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the vocabulary's names of what is mapped; none if one is unknown, which validation says."""
    try:
        return tuple(find_target(str(role)) for role in columns)
    except ValueError:
        return ()


def _is_foreign(targets: tuple[str, ...]) -> bool:
    return any(set(names) <= set(targets) for names in POSITIONS)


def _fit_cleaning(clean: dict[str, Any], targets: tuple[str, ...], *, labelled: bool) -> dict[str, Any]:
    default = STAGES[0].default().model_dump()
    if _is_foreign(targets):
        places = {name for names in POSITIONS for name in names}
        clean.setdefault("required", tuple(name for name in REQUIRED if name in targets))
        clean.setdefault("columns", tuple(name for name in targets if name in _SOURCE_NAMES - places))
    if POSITION_X in targets:
        clean.setdefault("position", "metres")
        clean.setdefault("coordinates", "local")
    if labelled:
        given = tuple(name for name in (GIVEN_ATTACKER, GIVEN_FALSE) if name in targets)
        for key, extra in (("columns", given), ("required", given[:1])):
            names = clean.get(key, default[key])
            if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
                clean[key] = tuple(dict.fromkeys([*map(canonical, names), *extra]))
    return clean


def _fit_features(features: dict[str, Any], targets: tuple[str, ...]) -> dict[str, Any]:
    default = STAGES[-1].default().model_dump()["columns"]
    features.setdefault("columns", tuple(name for name in default if name not in _SOURCE_NAMES or name in targets))
    return features
