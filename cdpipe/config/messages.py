"""Words for a wrong configuration: each problem a line that names the key, its table, its value and the way out."""

import datetime as dt
import json
import re
from itertools import takewhile
from typing import Any, Final

from pydantic import BaseModel

from cdpipe.plain import show_plain
from cdpipe.spelling import suggest, word_choice
from cdpipe.stages.attacks import KINDS
from cdpipe.stages.params import Params

_BY_KIND: Final[dict[str, Any]] = {each.model_fields["kind"].default: each for each in KINDS}
_BOUNDS: Final = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "min_length": "at least"}
_WANTED: Final = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "string": "text, in quotes",
    "path": "a path, in quotes",
    "date": "a date such as 2019-07-31",
    "finite": "a finite number",
    "model": "a table",
}
"""What a value must be, by the first word of pydantic's type of the problem."""

_QUOTED: Final = re.compile(r"'([^']*)'")
_LONGEST: Final = 80
"""How much of a value is shown."""


def as_table(table: Any) -> dict[str, Any]:  # noqa: ANN401 - a model, a table or nothing
    """Return what is set in a table, given as a dictionary or as parameters; nothing of what is no table."""
    if isinstance(table, BaseModel):
        return table.model_dump(exclude_unset=True) | ({"kind": table.kind} if hasattr(table, "kind") else {})
    return dict(table) if isinstance(table, dict) else {}


def explain(problem: Any, given: dict[str, Any], whole: type[BaseModel]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    """Return a line about one of pydantic's problems with a configuration.

    Parameters
    ----------
    problem
        pydantic's `ErrorDetails`.
    given
        The configuration as it was given.
    whole
        The model that it should fit.
    """
    steps = [str(step) for step in problem["loc"] if step not in _BY_KIND]
    if problem["type"] != "extra_forbidden":
        # Behind the key is an index in a list, or one of the types that the value may have.
        steps = list(takewhile(str.isidentifier, [step for step in steps if step not in ("bool", "int")]))
    if isinstance(problem["input"], dict | BaseModel) and problem["type"] in (
        "value_error",
        "truth",
        "url",
        "union_tag_invalid",
    ):
        steps.append("")
    *tables, key = steps or [""]
    table = f"[{show_plain('.'.join(tables))}]" if tables else "top level"
    if problem["type"] == "extra_forbidden":
        return f"{table}: unknown key {_show(key)}{_suggest(key, _model_of(tables, given, whole), tables, given)}"
    if problem["type"] == "missing":
        return f"{table}: {key!r} is missing; see `cdpipe run --example`"
    if problem["type"] == "union_tag_invalid":
        tag = problem["ctx"]["tag"]
        return f"{table}: kind = {_show(tag)}: {word_choice(str(tag), _BY_KIND)}"
    if problem["type"] == "tuple_type":
        remedy = f"; write {_show_list(problem['input'])}" if isinstance(problem["input"], str) else ""
        return f"{table}: {key} = {_show(problem['input'])}: must be a list{remedy}"
    shown = "" if isinstance(problem["input"], dict | BaseModel) else f" = {_show(problem['input'])}"
    message = _word(problem)
    if not key:
        return f"{table}: {message}" if tables else message
    field = _model_of(tables, given, whole).model_fields.get(key)
    usual = field.default if field and problem.get("ctx", {}).keys() & _BOUNDS.keys() else None
    remedy = f"; leave it out for the default, {usual:g}" if isinstance(usual, int | float) else ""
    return f"{table}: {key}{shown}: {message}{remedy}"


def _show(value: object) -> str:
    """Return a value as it is written, on one line, and not beyond `_LONGEST` signs."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    try:
        text = show_plain(repr(value))
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a whole number of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _suggest(key: str, model: type[BaseModel], tables: list[str], given: dict[str, Any]) -> str:
    """Say what may have been meant by an unknown key."""
    keys = list(model.model_fields)
    others = [kind for kind, each in _BY_KIND.items() if key in each.model_fields]
    if tables == ["attack"] and others:
        has = "have" if others[1:] else "has"
        return f"; {', '.join(others)} {has} it, while {_kind_of(given)} takes {', '.join(keys)}"
    near = suggest(key, keys)
    return f"; it takes {', '.join(keys)}" if near is None else f"; did you mean {near!r}?"


def _show_list(given: str) -> str:
    """Return the list that was meant by a text; a shell takes the quotes of `["a"]`, unless they are quoted."""
    if not (given.startswith("[") and given.endswith("]")):
        return json.dumps([given])
    meant = json.dumps([each.strip() for each in given[1:-1].split(",") if each.strip()])
    return f"{meant}, on a command line in single quotes"


def _word(problem: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    """Say what a value must be; pydantic's own words where ours are none."""
    context = problem.get("ctx", {})
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"must {'list' if bound == 'min_length' else 'be'} {words} {context[bound]:g}"
    if problem["type"] == "literal_error":
        given = problem["input"]
        return word_choice(given if isinstance(given, str) else "", _QUOTED.findall(context["expected"]))
    wanted = _WANTED.get(problem["type"].partition("_")[0])
    return f"must be {wanted}" if wanted else problem["msg"].removeprefix("Value error, ")


def _model_of(tables: list[str], given: dict[str, Any], whole: type[BaseModel]) -> type[BaseModel]:
    """Return the parameters that a table holds."""
    model: Any = whole
    for name in tables:
        if name == "attack":
            model = _BY_KIND.get(_kind_of(given), KINDS[0])
            continue
        annotation = model.model_fields[name].annotation if name in model.model_fields else None
        choices = (annotation, *getattr(annotation, "__args__", ()))
        model = next((each for each in choices if isinstance(each, type) and issubclass(each, BaseModel)), Params)
    found: type[BaseModel] = model
    return found


def _kind_of(given: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever stands there
    return as_table(given.get("attack")).get("kind", "offset_rand")
