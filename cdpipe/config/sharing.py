"""Values that the tables of a configuration take from each other, so that nobody writes them twice."""

from typing import Any, Final

from pydantic import BaseModel

from cdpipe.columns import BY_NAME, GENERATED_AT, GIVEN, SOURCE, VEHICLE_ID, canonical
from cdpipe.config.layouts import share_layout
from cdpipe.config.messages import as_table
from cdpipe.stages import STAGES
from cdpipe.stages.attacks import SEQUENCES
from cdpipe.stages.features import SETS
from cdpipe.stages.history.columns import HEADING, SPEED

HISTORY_INPUTS: Final = (SPEED, HEADING)
_SOURCE_NAMES: Final = frozenset(column.name for column in (*SOURCE, *GIVEN))


def share_values(given: dict[str, Any]) -> dict[str, Any]:
    """Return tables that have taken from each other what they share: the seed, coordinates, the centre, columns.

    Raises
    ------
    ValueError
        If two tables say different coordinates.
    """
    tables = (given.get(name) for name in ("input", "labels", "clean", "attack", "features", "train"))
    if not all(table is None or isinstance(table, dict | BaseModel) for table in tables):
        return given  # one is no table at all, which validation says
    given = share_layout(given)
    shared = dict(given)
    clean = as_table(given.get("clean"))
    attack = as_table(given.get("attack"))
    attack.setdefault("kind", "offset_rand")
    if attack["kind"] != "given":
        _share_attack(attack, clean, given)
        _share_sides(attack, given)
    if given.get("train", {}) is not None:
        train = as_table(given.get("train"))
        if "seed" in given:
            train.setdefault("seed", given["seed"])
        shared["train"] = train
    shared["attack"] = attack
    shared["features"] = _share_features(as_table(given.get("features")), clean)
    shared["clean"] = _keep_features(clean, shared["features"], attack)
    return shared


def _share_features(features: dict[str, Any], clean: dict[str, Any]) -> dict[str, Any]:
    """Give features the coordinates of cleaning."""
    features.setdefault("coordinates", clean.get("coordinates", "geographic"))
    if features["coordinates"] != clean.get("coordinates", "geographic"):
        raise ValueError(
            f"features.coordinates is {features['coordinates']!r} but clean.coordinates is not; leave it out"
        )
    return features


def _share_attack(attack: dict[str, Any], clean: dict[str, Any], given: dict[str, Any]) -> None:
    """Give an attack the coordinates and centre of cleaning, and the seed."""
    attack.setdefault("coordinates", clean.get("coordinates", "geographic"))
    if clean.get("centre") is not None:
        attack.setdefault("centre", clean["centre"])
    if attack["coordinates"] != clean.get("coordinates", "geographic"):
        raise ValueError(f"attack.coordinates is {attack['coordinates']!r} but clean.coordinates is not; leave it out")
    if "seed" in given:
        attack.setdefault("seed", given["seed"])


def _name_claimed(attack: dict[str, Any]) -> list[str]:
    """Return the columns that an attack, or those of a mix, change."""
    given = attack.get("kinds", ()) if attack.get("kind") == "mix" else (attack,)
    kinds = {each.get("kind") if isinstance(each, dict) else each for each in given if isinstance(each, dict | str)}
    return [name for each in SEQUENCES if each.model_fields["kind"].default in kinds for name in each.claimed]


def _share_sides(attack: dict[str, Any], given: dict[str, Any]) -> None:
    """Give an attack that differs by side what training says of sides."""
    train = as_table(given.get("train"))
    if attack.get("test_ratio") is None or train.get("split", "vehicle") not in ("row", "vehicle", "place"):
        return
    said: dict[str, Any] = {name: train[name] for name in ("test_ratio", "seed", "test_places") if name in train}
    if "seed" in given:
        said.setdefault("seed", given["seed"])
    attack.setdefault("sides", {"by": train.get("split", "vehicle"), **said})


def _keep_features(clean: dict[str, Any], features: dict[str, Any], attack: dict[str, Any]) -> dict[str, Any]:
    """Make cleaning keep the source columns that attacks, splits and features rest on."""
    default = STAGES[0].default().model_dump()["columns"]
    chosen = features.get("columns", STAGES[-1].default().model_dump()["columns"])
    names = SETS.get(chosen, ()) if isinstance(chosen, str) else chosen
    kept = clean.get("columns", default)
    lists = isinstance(kept, list | tuple) and isinstance(names, list | tuple)
    if not lists or not all(isinstance(name, str) for name in (*kept, *names)):
        return clean  # validation says what is wrong
    history = HISTORY_INPUTS if features.get("history") or features.get("checks") else ()
    needed = [canonical(name) for name in (GENERATED_AT, VEHICLE_ID, *names, *history, *_name_claimed(attack))]
    extra = [name for name in needed if name in _SOURCE_NAMES or name not in BY_NAME]
    return {**clean, "columns": tuple(dict.fromkeys([*map(canonical, kept), *extra]))}


def is_shared(place: tuple[int | str, ...], given: dict[str, Any]) -> bool:
    """Say whether a value at fault is one that its table took from another, where it is named already."""
    own = as_table(given.get(str(place[0]))) if place else {}
    if place[:1] == ("attack",) and "sides" in place[1:]:
        return "sides" not in own
    return any(key in place[1:] and key not in own for key in ("seed", "centre"))
