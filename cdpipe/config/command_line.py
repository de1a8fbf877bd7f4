"""The configuration that a command line asks for: a file, a report, or messages alone, and what `--set` changes."""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cdpipe.config.file import ConfigError, read_tables
from cdpipe.config.model import RunConfig, parse_config
from cdpipe.plain import show_plain

_CONFIGURATIONS: Final = frozenset({".toml", ".yaml", ".yml"})
_KEY: Final = re.compile(r"[\w-]+(\.[\w-]+)*")
_REPORTED: Final = "config"
"""Where a run's report has the configuration of the run."""


def choose_config(
    named: Sequence[str], *, settings: Sequence[str] = (), scheduler: str | None = None, directory: str | None = None
) -> RunConfig:
    """Return the configuration that a command line asks for.

    Parameters
    ----------
    named
        One configuration (TOML or JSON) or report of a run, or files of messages: paths, globs, folders, URLs.
    settings
        Changes to it, `TABLE.KEY=VALUE`; the value as in TOML, or a text without quotes.
    scheduler, directory
        Instead of `session.scheduler` and `output.directory`.

    Raises
    ------
    ConfigError
        If nothing is named, or a configuration beside something else, or it is wrong.
    """
    if not named:
        raise ConfigError("name a configuration or messages, or print a configuration with `cdpipe run --example`")
    found = [tables for path in named if (tables := _read_configuration(path)) is not None]
    if found and len(named) > 1:
        raise ConfigError(f"{', '.join(map(show_plain, named))}: name one configuration, or messages alone")
    given = found[0] if found else {"input": {"paths": list(named)}}
    source = named[0] if found else "command line"
    for setting in settings:
        _set(given, setting)
    if scheduler is not None:
        _put(given, ["session", "scheduler"], scheduler, said="--scheduler")
    if directory is not None:
        _put(given, ["output", "directory"], directory, said="--out")
    return parse_config(given, source=f"{source} with --set" if found and settings else source)


def _read_configuration(path: str) -> dict[str, Any] | None:
    """Return a configuration's tables, of a report those of its run; None if the path names messages."""
    suffix = Path(path).suffix.lower()
    if suffix not in _CONFIGURATIONS and not (suffix == ".json" and _holds_tables(Path(path))):
        return None
    if "://" in path:
        raise ConfigError(f"{show_plain(path)}: is a URL; a configuration is a file of this machine")
    tables = read_tables(Path(path))
    reported = tables.get(_REPORTED)
    return reported if isinstance(reported, dict) and "ledgers" in tables else tables


def _holds_tables(path: Path) -> bool:
    """Return True unless a JSON file holds messages: an array, or records one after another, or one record."""
    try:
        with path.open("rb") as stream:
            head = stream.read(1 << 16).decode("utf-8-sig", "replace").lstrip()
    except OSError:
        return False  # whoever reads the messages says why it cannot be read
    if not head.startswith("{"):
        return False
    try:
        first, _ = json.JSONDecoder().raw_decode(head)
    except ValueError:  # longer than what was looked at, as a report may be, or no JSON: its keys tell
        return any(f'"{name}"' in head for name in (*RunConfig.model_fields, _REPORTED))
    return bool({*RunConfig.model_fields, _REPORTED} & first.keys())


def _set(given: dict[str, Any], setting: str) -> None:
    """Change a configuration as `KEY=VALUE` says."""
    key, separator, text = setting.partition("=")
    key = key.strip()
    if not separator or not _KEY.fullmatch(key):
        raise ConfigError(f"--set {show_plain(setting)}: write TABLE.KEY=VALUE, such as attack.kind=swap_rand")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        value = text.strip()
    _put(given, key.split("."), value, said=f"--set {key}")


def _put(given: dict[str, Any], keys: Sequence[str], value: object, *, said: str) -> None:
    *tables, last = keys
    for name in tables:
        inner = given.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{said}: {name} is no table here")
        given = inner
    given[last] = value
