"""Configuration reference: a page of every table and key, written from the model."""

import json
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cdpipe.config.model import RunConfig
from cdpipe.stages.attacks import KINDS

HEAD = """# Configuration

A configuration is TOML or JSON. `cdpipe run --example` prints one with every key; `cdpipe check` says what a run of
yours would do; `--set TABLE.KEY=VALUE` goes before the file. A key that nothing reads is an error.
"""


def write_reference(path: Path) -> None:
    """Write the page, unless it is there as it would be written."""
    text = "\n".join([HEAD, *_tables(RunConfig, "")]).rstrip() + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _tables(model: type[BaseModel], path: str) -> list[str]:
    """Return the keys of a table, then the tables in it."""
    lines, below = [], []
    if path:
        lines += [f"## `[{path}]`", "", _first_sentence(model), ""]
    keys = []
    for name, field in model.model_fields.items():
        where = f"{path}.{name}".lstrip(".")
        inner = _model_of(field)
        if name == "attack":
            below += _attacks()
        elif inner is not None and name not in ("centre", "columns"):
            below += _tables(inner, where)
        else:
            keys.append(_row(name, field))
    return [*lines, *_key_table(keys), *below]


def _attacks() -> list[str]:
    lines = ["## `[attack]`", "", "`kind` says which; the other keys depend on it.", ""]
    for kind in KINDS:
        name = kind.model_fields["kind"].default
        rows = [_row(key, field) for key, field in kind.model_fields.items() if key != "kind"]
        lines += [f'### `kind = "{name}"`', "", _first_sentence(kind), "", *_key_table(rows)]
    return lines


def _key_table(rows: list[str]) -> list[str]:
    return ["| key | default | what it is |", "|---|---|---|", *rows, ""] if rows else []


def _row(name: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else f"`{_show(field.get_default(call_default_factory=True))}`"
    return f"| `{name}` | {default} | {_escape(field.description)} |"


def _show(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, BaseModel):
        return "{}"
    if isinstance(value, tuple):
        return json.dumps([str(each) if isinstance(each, Path) else each for each in value], default=str)
    return json.dumps(value if isinstance(value, bool | int | float | str) else str(value))


def _first_sentence(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    choices = (field.annotation, *getattr(field.annotation, "__args__", ()))
    return next((each for each in choices if isinstance(each, type) and issubclass(each, BaseModel)), None)


def _escape(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("<", "&lt;")
