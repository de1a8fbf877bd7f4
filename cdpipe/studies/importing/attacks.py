"""Attacks: who attacks and how, of a foreign configuration."""

from collections.abc import Iterator
from typing import Any, Final

from cdpipe.studies.importing.file_name import find_ratios
from cdpipe.studies.importing.given import Given, Setting, as_flag, as_number, as_share, show
from cdpipe.studies.importing.spellings import ATTACKS, fold

_TABLES: Final = ("attacks", "attack", "attack_parameters")
_KINDS: Final = (
    *(f"{table}.{key}" for table in _TABLES for key in ("type", "attack_type")),
    "template_config.attack_type",
)
_LEAST: Final = ("min_distance", "offset_distance_min", "min_dist")
_MOST: Final = ("max_distance", "offset_distance_max", "max_dist")
_FAR: Final = ("distance_meters", "distance", "offset_distance")
_WAY: Final = ("direction_angle", "offset_direction", "direction")
_RANGED: Final = frozenset({"offset_rand", "offset_const_per_id", "override_rand"})
_AIMED: Final = frozenset({"offset_const", "override_const"})


def each_table(*keys: str) -> tuple[str, ...]:
    """Return the dotted names that keys of the attack have, in each of the tables that it may be."""
    return tuple(f"{table}.{key}" for key in keys for table in _TABLES)


def read_attack(given: Given, *, stem: str, uses_metres: bool) -> Iterator[Setting]:
    """Give the attack.

    Parameters
    ----------
    given
        The tables.
    stem
        The file's name, which may say shares of attackers.
    uses_metres
        Whether positions are metres from the centre, as angles depend on it.
    """
    enabled = given.take(*each_table("enabled"))
    label = given.take(*each_table("label_column"), "ml.label")
    if label is not None and fold(label) != "isattacker":
        given.say("changed", f"the label {show(label)}: is called isAttacker here")
    nobody = (Setting(("attack", "ratio"), 0.0, ""), Setting(("train", "classifiers"), [], ""))
    if enabled is not None and as_flag(enabled) is False:
        given.say(
            "changed", "the attack is not enabled: nobody attacks, and no classifier is trained, for there is one class"
        )
        yield from nobody
        _forget(given)
        return
    said = given.take(*_KINDS)
    kind = None if said is None else ATTACKS.get(fold(said), str(said))
    if kind is not None:
        if kind == "swap_rand" and "position" in fold(said):
            given.say(
                "changed", f"the attack {show(said)}: each message takes another's position; no vehicles are paired"
            )
        settings: dict[str, Any] = {"kind": kind, **_read_how(given, kind, uses_metres=uses_metres)}
        yield Setting(("attack",), settings, f"the attack {show(said)}", nobody)
    elif any(given.tables.get(name) for name in (*_TABLES, "template_config")):
        given.lose(f"the attack: {given.name(*_TABLES)} has no type; offset_rand stands for it")
    else:
        given.say("changed", "the file names no attack; offset_rand by three vehicles in ten stands there; name yours")
    yield from _read_who(given, stem)


def _read_how(given: Given, kind: str, *, uses_metres: bool) -> dict[str, float]:
    """Return the distances and the bearing of a kind of attack, by our keys."""
    found: dict[str, float] = {}
    if kind in _RANGED:
        found |= _numbers(
            given,
            min_m=_LEAST,
            max_m=_MOST,
        )
        _read_directions(given)
    if kind in _AIMED:
        found |= _numbers(given, distance_m=_FAR)
        keys = each_table(*_WAY)
        angle = given.take(*keys)
        if (degrees := as_number(angle)) is not None and abs(degrees) < 1e9:
            found["bearing_deg"] = ((90 - degrees) if uses_metres else degrees) % 360
            way = "counter-clockwise from east there" if uses_metres else "clockwise from north there too"
            given.say(
                "changed", f"{given.name(*keys)} = {show(angle)}: is {way}, so bearing_deg is {found['bearing_deg']:g}"
            )
        elif angle is not None:
            given.lose(f"{given.name(*keys)} = {show(angle)}: is no angle")
    _leave_out(given, kind)
    return found


def _leave_out(given: Given, kind: str) -> None:
    """Name the settings of other kinds of attack, which nothing reads there either."""
    if kind not in _RANGED | _AIMED | {"swap_rand"}:
        return
    others = (*(() if kind in _RANGED else (*_LEAST, *_MOST)), *(() if kind in _AIMED else (*_FAR, *_WAY)))
    idle = [name for name in each_table(*others) if given.take(name) is not None]
    if idle:
        given.say("left out", f"settings of other attacks than this one: {', '.join(idle)}")


def _numbers(given: Given, **wanted: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for ours, keys in wanted.items():
        names = each_table(*keys)
        value = given.take(*names)
        number = as_number(value)
        if number is not None:
            found[ours] = number
        elif value is not None:
            given.lose(f"{given.name(*names)} = {show(value)}: is no number")
    return found


def _read_directions(given: Given) -> None:
    """See whether offsets go in all directions, as here."""
    names = each_table("offset_direction_min"), each_table("offset_direction_max")
    ends = [given.take(*each) for each in names]
    if ends == [None, None]:
        return
    numbers = [as_number(end) for end in ends]
    low, high = (numbers[0] or 0.0), (360.0 if numbers[1] is None else numbers[1])
    is_odd = any(number is None and end is not None for number, end in zip(numbers, ends, strict=True))
    if is_odd or high - low < 360:
        keys = f"{given.name(*names[0])} and {given.name(*names[1])}"
        given.lose(f"{keys}, {show(ends[0])} to {show(ends[1])}: offsets go in all directions here")


def _read_who(given: Given, stem: str) -> Iterator[Setting]:
    """Give the share of attackers, on both sides or on each, and the seed."""
    names = (*each_table("attack_ratio", "ratio", "malicious_ratio"), "template_config.malicious_ratio")
    ratio = as_share(given, *names)
    if ratio is not None:
        yield Setting(("attack", "ratio"), ratio, f"{given.name(*names)} = {show(ratio)}")
    yield from _read_sides(given, stem, ratio)
    seeds = (*each_table("random_seed", "seed", "random_state"), "template_config.seed")
    seed = given.take(*seeds)
    if seed is not None:
        given.say("changed", "seeds: the same number draws other vehicles and distances here than there")
        yield Setting(("attack", "seed"), seed, f"{given.name(*seeds)} = {show(seed)}")


def _read_sides(given: Given, stem: str, ratio: float | None) -> Iterator[Setting]:
    train_only = as_flag(given.take("_special_features.train_only_attacks"))
    test_only = as_flag(given.take("_special_features.test_only_attacks"))
    shares = find_ratios(stem)
    if shares is not None:
        yield Setting(
            ("attack",),
            {"ratio": shares.first, "test_ratio": shares.second},
            f"attackers: {shares.first:g} in training and {shares.second:g} in testing, as the name says",
        )
        said = f"{shares.first:g} in training and {shares.second:g} in testing"
        given.say("changed", f"attackers: the name says {said}, which its tables do not")
        return
    share = 0.3 if ratio is None else ratio
    if train_only:
        yield Setting(("attack", "test_ratio"), 0.0, "train_only_attacks = true")
    elif test_only:
        yield Setting(("attack",), {"ratio": 0.0, "test_ratio": share}, "test_only_attacks = true")


def _forget(given: Given) -> None:
    """Count what an attack that is not enabled would need as asked for."""
    sides = ("_special_features.train_only_attacks", "_special_features.test_only_attacks")
    for name in (*_KINDS, "template_config.malicious_ratio", "template_config.seed", *sides):
        given.take(name)
    for table in _TABLES:
        for key in given.tables.get(table, ()) if isinstance(given.tables.get(table), dict) else ():
            given.take(f"{table}.{key}")
