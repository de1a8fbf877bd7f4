"""Configuration files: TOML or JSON -> plain tables; what is too large or too deep is refused before it is parsed."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

LARGEST_BYTES: Final = 1_000_000
DEEPEST: Final = 32
"""Tables and lists within each other, or parts of a dotted key: parsers recurse, or take the square of their number."""

_STRINGS: Final = r'"(?:\\.|[^"\\\n])*"'
_TOML: Final = re.compile(
    rf'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|{_STRINGS}|\'[^\'\n]*\'|(?P<comment>#[^\n]*)', re.DOTALL
)
_JSON: Final = re.compile(_STRINGS, re.DOTALL)
_BRACKETS: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_YAML: Final = re.compile(r"---\s*$|[\w-]+:(\s|$)")
_CSV_COMMAS: Final = 3
"""A line of a configuration that has as many commas has a `=`, or begins with a bracket."""
_DOTTED: Final = re.compile(rf"(?<![\w-])[\w-]+(?:[ \t]*\.[ \t]*[\w-]+){{{DEEPEST}}}")


class ConfigError(ValueError):
    """A configuration is wrong; the message names each key, its value and the way out, one a line."""


def read_tables(path: Path, *, is_json: bool | None = None) -> dict[str, Any]:
    """Read the tables of a TOML or JSON file; its name says which, unless the caller does.

    Raises
    ------
    ConfigError
        If the file cannot be read, is too large or too deep, is not TOML or JSON, or has a key twice.
    """
    text = ""
    try:
        text = _read(path)
        _refuse_size(text)
        given = _parse(text, is_json=path.suffix.lower() == ".json" if is_json is None else is_json)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a TOML or JSON file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {_name_kind(path, text) or error}") from None
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: holds a {type(given).__name__}, not tables; see `cdpipe run --example`")
    return given


def find_unfit_text(value: object, *keys: str) -> Iterator[str]:
    """Give the dotted key of each text that no file name or UTF-8 can hold: with NUL, or half a surrogate pair."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(key, str) and _is_unfit(key):
                yield ".".join((*keys, key))
            yield from find_unfit_text(each, *keys, str(key))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from find_unfit_text(each, *keys)
    elif isinstance(value, str | Path) and _is_unfit(str(value)):
        yield ".".join(keys)


def _is_unfit(text: str) -> bool:
    # Python has bytes of names that are not UTF-8 as the halves DC80 to DCFF: those are names that a disk can hold.
    return "\0" in text or any("\ud800" <= sign <= "\udfff" and not "\udc80" <= sign <= "\udcff" for sign in text)


def read_text(path: Path) -> str:
    """Return the text of a configuration file.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is too large or not UTF-8.
    """
    text = _read(path)
    _refuse_size(text)
    return text


def _name_kind(path: Path, text: str) -> str | None:
    """Say what a file is that was taken for a configuration, and what to do; None if that is not clear."""
    first = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    if path.suffix.lower() in (".yaml", ".yml") or _YAML.match(first):
        return "is YAML, which is not read here: write TOML, see `cdpipe run --example`"
    if path.suffix.lower() == ".csv" or (first.count(",") >= _CSV_COMMAS and "=" not in first and first[0] not in "[{"):
        if path.suffix.lower() != ".csv":
            return "is CSV, no configuration: rename it to end in .csv, and `cdpipe run` reads it as messages"
        return f"is CSV, no configuration: `cdpipe run {path}` reads it as messages, or name it in input.paths"
    return None


def _read(path: Path) -> str:
    """Return a file's text, or the beginning of one that is too large to be a configuration."""
    with path.open("rb") as stream:
        data = stream.read(LARGEST_BYTES + 1)
    is_cut = len(data) > LARGEST_BYTES
    return data.decode("utf-8-sig", "replace" if is_cut else "strict")  # some editors put a byte order mark first


def _refuse_size(text: str) -> None:
    if len(text.encode("utf-8", "replace")) > LARGEST_BYTES:
        raise ValueError(
            f"is larger than {LARGEST_BYTES:,} bytes, too large for a configuration; name inputs by a glob"
        )


def _parse(text: str, *, is_json: bool) -> Any:  # noqa: ANN401 - whatever stands there
    refuse_depth(text, is_json=is_json)
    try:
        if is_json:
            return _require_unique(json.loads(text, object_pairs_hook=tuple))
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError(_too_deep(1)) from None
    except (json.JSONDecodeError, tomllib.TOMLDecodeError, _DoubledKeyError):
        raise
    except ValueError:  # Python's, of digits, which says neither where nor what to do
        raise ValueError("has a whole number of more digits than any setting takes; shorten it") from None


def refuse_depth(text: str, *, is_json: bool) -> None:
    """Refuse tables within tables, and keys of parts, beyond what any configuration has.

    Raises
    ------
    ValueError
        Naming the line.
    """
    pattern = _JSON if is_json else _TOML
    bare = pattern.sub(lambda found: "" if found.lastgroup == "comment" else "s" + "\n" * found[0].count("\n"), text)
    depths = accumulate((_BRACKETS.get(sign, 0) for sign in bare), lambda depth, step: max(0, depth + step))
    place = next((at for at, depth in enumerate(depths) if depth > DEEPEST), None)
    dotted = None if is_json else _DOTTED.search(bare)
    if place is None and dotted is not None:
        place = dotted.start()
    if place is not None:
        raise ValueError(_too_deep(bare.count("\n", 0, place) + 1))


def _too_deep(line: int) -> str:
    return f"line {line}: goes more than {DEEPEST} tables deep, and no setting does; see `cdpipe run --example`"


class _DoubledKeyError(ValueError):
    """A table of JSON has a key twice."""


def _require_unique(value: Any, *tables: str) -> Any:  # noqa: ANN401 - whatever stands there
    """Return JSON's tables, given as tuples of pairs, as dictionaries; as in TOML, no key may be there twice."""
    if isinstance(value, list):
        return [_require_unique(each, *tables) for each in value]
    if not isinstance(value, tuple):
        return value
    found: dict[str, Any] = {}
    for key, each in value:
        if key in found:
            where = f"[{'.'.join(tables)}]" if tables else "top level"
            raise _DoubledKeyError(f"{where}: key {key!r} is there twice; remove one")
        found[key] = _require_unique(each, *tables, key)
    return found
