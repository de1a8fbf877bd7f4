"""Documents to import: JSON, or text that was meant as JSON, as plain tables."""

import json
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from cdpipe.config.file import ConfigError, find_unfit_text, read_tables, read_text, refuse_depth
from cdpipe.plain import show_plain

_OURS: Final = frozenset({"input", "gather", "clean"})
_THEIRS: Final = frozenset(
    {"data", "attacks", "attack", "attack_parameters", "template_config", "features", "ml", "_special_features"}
)
_COMMENTS: Final = re.compile(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)


class Document(NamedTuple):
    """What a file says.

    Attributes
    ----------
    tables
        Its tables; a date or number may be text.
    oddity
        What is odd about how it is written; `""` if nothing.
    """

    tables: dict[str, Any]
    oddity: str


class _PlainLoader(yaml.BaseLoader):  # type: ignore[misc]  # PyYAML has no types
    """Reads YAML of texts, lists and tables; no aliases, which can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - PyYAML's nodes are untyped
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "has an alias (*), which no configuration needs")
        return super().compose_node(parent, index)


def read_document(path: Path) -> Document:
    """Read a JSON configuration; names without quotes, comments and commas too many are taken too, and said.

    Raises
    ------
    ConfigError
        If the file cannot be read, is too large or too deep, or holds no configuration of that pipeline.
    """
    try:
        document = Document(read_tables(path, is_json=True), "")
    except ConfigError as error:
        document = _read_leniently(path, error)
    tables = document.tables
    if unfit := next(find_unfit_text(tables), None):
        raise ConfigError(f"{path}: {show_plain(unfit)} holds a character that no name can have; remove it")
    if tables.keys() & _OURS and not tables.keys() & _THEIRS - {"attack", "features"}:
        raise ConfigError(f"{path}: is a configuration of cdpipe already; run it with `cdpipe run`")
    if not tables.keys() & _THEIRS:
        raise ConfigError(
            f"{path}: has none of the tables {', '.join(sorted(_THEIRS))}; it is no configuration to import"
        )
    return document


def _read_leniently(path: Path, error: ConfigError) -> Document:
    """Read what is nearly JSON, or say why it is not."""
    try:
        text = _COMMENTS.sub(lambda found: found[1] or "", read_text(path))
        refuse_depth(text, is_json=True)
        made = yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - makes texts, lists and tables, nothing else
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        raise error from None
    if not isinstance(made, dict):
        raise error from None
    reason = str(error).removeprefix(f"{path}: ")
    return Document(_type_values(made), f"it is no JSON ({reason}); read all the same, the last where a key is twice")


def _type_values(value: Any) -> Any:  # noqa: ANN401 - whatever stands there
    """Return texts that are JSON's numbers, true, false or null as such."""
    if isinstance(value, dict):
        return {str(key): _type_values(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_type_values(each) for each in value]
    try:
        typed = json.loads(value)
    except ValueError:
        return value
    return value if isinstance(typed, str | list | dict) else typed
