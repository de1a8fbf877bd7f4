"""Translation: a foreign configuration to ours, with a remark on everything that is lost or changed."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cdpipe.config.file import ConfigError
from cdpipe.config.model import parse_config
from cdpipe.studies.importing.attacks import read_attack
from cdpipe.studies.importing.data import PLACEHOLDER, read_circle, read_columns, read_dates, read_input, settle_place
from cdpipe.studies.importing.document import read_document
from cdpipe.studies.importing.given import Given, Remark, Setting, show
from cdpipe.studies.importing.learning import read_classifiers, read_features, read_importance, read_split
from cdpipe.studies.importing.places import read_places, tests_a_place
from cdpipe.studies.importing.shapes import write_out
from cdpipe.studies.importing.spellings import NO_BEARING, TEMPLATE, fold
from cdpipe.studies.importing.surroundings import read_cache, read_output, read_session

_SHOWN: Final = 50
"""How many unknown keys are named one by one."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a foreign configuration.

    Attributes
    ----------
    source
        Its file.
    tables
        Our configuration, as plain tables that `RunConfig` takes.
    remarks
        What was lost, changed or left out, in the order in which it was met.
    """

    source: Path
    tables: dict[str, Any]
    remarks: tuple[Remark, ...]

    @property
    def lost(self) -> tuple[str, ...]:
        """What our configuration does not say although results can depend on it, a sentence each."""
        return tuple(each.sentence for each in self.remarks if each.fate == "lost")


def translate(source: Path, *, data: str | None = None) -> Imported:
    """Read a configuration of the pipeline people use today, and say it in ours.

    Parameters
    ----------
    source
        A JSON file; its name is looked at too, for what its tables have lost.
    data
        The input, instead of the one that the file names.

    Returns
    -------
    Imported
        Tables that our own model has taken, with a remark on each thing that it could not.

    Raises
    ------
    ConfigError
        If the file cannot be read, or is no such configuration.
    """
    document = read_document(source)
    filled = _fill_template(document.tables)
    given = Given(write_out(filled))
    if document.oddity:
        given.say("changed", f"the file: {document.oddity}")
    if filled is not document.tables:
        given.say(
            "changed", "the file is a template: its input, centre, days, split and classifiers are those of its program"
        )
    stem = f"{source.stem} {given.tables.get('pipeline_name', '')}"
    tables = _settle(_read(given, stem, data), given)
    _name_rest(given)
    return Imported(source, tables, tuple(given.remarks))


def _read(given: Given, stem: str, data: str | None) -> Iterator[Setting]:
    """Give all settings, those first on which others rest."""
    yield from read_input(given, data)
    circle = read_circle(given)
    places = read_places(given, circle, stem=stem)
    placed = list(settle_place(given, circle, has_places=bool(places)))
    yield from placed
    yield from read_dates(given)
    yield from read_columns(given)
    yield from read_features(given)
    yield from read_classifiers(given)
    uses_metres = any(each.key == ("clean", "coordinates") for each in placed)
    yield from read_attack(given, stem=stem, uses_metres=uses_metres)
    yield from places
    yield from read_split(given, has_places=tests_a_place(places))
    yield from read_importance(given)
    yield from read_session(given)
    yield from read_cache(given)
    yield from read_output(given)


def _settle(settings: Iterator[Setting], given: Given) -> dict[str, Any]:
    """Set one value after the other; what our model does not take is remarked, and something else set instead."""
    tables: dict[str, Any] = {"input": {"paths": [PLACEHOLDER]}}
    for setting in settings:
        tried = _set(tables, setting)
        problem = _find_problem(tried)
        if problem is None:
            tables = tried
            continue
        if setting.source:
            given.lose(f"{setting.source}: {problem}")
        for other in setting.instead:
            tried = _set(tables, other)
            tables = tables if _find_problem(tried) else tried
    return tables


def _find_problem(tables: dict[str, Any]) -> str | None:
    try:
        parse_config(copy.deepcopy(tables))
    except ConfigError as error:
        return str(error).splitlines()[0].removeprefix("configuration: ")
    return None


def _set(tables: dict[str, Any], setting: Setting) -> dict[str, Any]:
    """Return the tables with a value set; a dictionary goes into the table of that key, beside what is there."""
    made = copy.deepcopy(tables)
    table = made
    for step in setting.key[:-1]:
        table = table.setdefault(step, {})
    if isinstance(setting.value, dict):
        table.setdefault(setting.key[-1], {}).update(setting.value)
    else:
        table[setting.key[-1]] = setting.value
    return made


def _fill_template(tables: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of a template with what its program fills in; others as they are."""
    template = tables.get("template_config")
    if not isinstance(template, dict) or "data" in tables or "ml" in tables:
        return tables
    made = {**copy.deepcopy(TEMPLATE), **tables}
    radius = str(template.get("spatial_radius", "")).strip().casefold()
    number = radius.removesuffix("km") if radius.endswith("km") else radius.removesuffix("m")
    try:
        made["data"]["filtering"]["radius_meters"] = float(number) * (1000 if radius.endswith("km") else 1)
    except ValueError:
        return made
    rest = {key: value for key, value in template.items() if key != "spatial_radius"}
    return {**made, "template_config": rest}


def _name_rest(given: Given) -> None:
    """Remark on what nothing has asked for."""
    left = list(given.left())
    idle = [name for name, _ in left if _has_no_bearing(name)]
    if idle:
        given.say("left out", f"of no bearing on results: {', '.join(idle)}")
    rest = [(name, value) for name, value in left if not _has_no_bearing(name)]
    for name, value in rest[:_SHOWN]:
        given.lose(f"{name} = {show(value)}: unknown key, which nothing here reads")
    if len(rest) > _SHOWN:
        given.lose(f"and {len(rest) - _SHOWN:,} more unknown keys")


def _has_no_bearing(name: str) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:end]) in NO_BEARING for end in range(1, len(parts) + 1)) or fold(parts[0]).startswith(
        "comment"
    )
