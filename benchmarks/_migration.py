"""Migration of results of the suite as it was, when each figure was a benchmark, and each pin a key of the matrix.

`python -m benchmarks migrate` rewrites them once: names, parameters, versions, requirements and the environment. Then
asv draws one series across the change. It takes a result for today's if its name and version are today's, and keys a
graph by all that identifies an environment: one file that stays as it was would cut all graphs in two. What was there
is kept beside the results, in a folder of its own.
"""

import io
import itertools
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from benchmarks import _machine, _pins
from benchmarks._old_names import rename

KEPT: Final = "-before-migration"
"""The folder beside the results that what is rewritten is kept in: its name ends with this."""

RESULT_VERSION: Final = 2
_DESCRIBED: Final = "benchmarks.json"
_OF_COMBINATIONS: Final = frozenset(
    {"result", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25", "stats_q_75", "stats_number", "stats_repeat", "samples"}
)
"""Columns with a value for each combination of parameters."""

_COUNTS: Final = frozenset({"stats_number", "stats_repeat"})
_MISSING: Final = {"result": math.nan}
"""What stands for a combination that was not measured; None in all other columns."""

Row = dict[str, Any]


def migrate(results: Path) -> Iterator[str]:
    """Rewrite all result files of the old form, and `benchmarks.json`; yield a line on each. Others stay as they are.

    Raises
    ------
    ValueError
        If a file is not asv's.
    OSError
        If one cannot be read or written; those that are done are done, and a second call goes on.
    """
    suite = describe_suite()
    files = {path: _read(path) for path in sorted(results.glob("*/*.json")) if path.name != "machine.json"}
    old = {path: data for path, data in files.items() if is_old(data, suite)}
    versions = find_versions(results, old)
    for path, data in old.items():
        new, dropped = rewrite(data, suite, versions)
        target = path.with_name(name_file(new))
        _keep(results, path)
        if target != path and target.exists():
            new = _join(new, _read(target))
        _write(target, new)
        if target != path:
            path.unlink()
        yield f"{target.relative_to(results)}: {len(new['results'])} benchmarks" + (
            f"; {len(dropped)} of older code are kept in {_kept_folder(results).name} alone" if dropped else ""
        )
    if old:
        if (results / _DESCRIBED).exists():
            _keep(results, results / _DESCRIBED)
        _write(results / _DESCRIBED, {**suite, "version": RESULT_VERSION})
    yield f"{len(old)} of {len(files)} files rewritten" + (f"; as they were: {_kept_folder(results)}" if old else "")


def describe_suite() -> dict[str, dict[str, Any]]:
    """Return the suite as asv describes it in `benchmarks.json`, by name."""
    from asv_runner.discovery import list_benchmarks

    text = io.StringIO()
    list_benchmarks(str(Path(__file__).parent), text)
    return {each["name"]: each for each in json.loads(text.getvalue())}


def is_old(data: Mapping[str, Any], suite: Mapping[str, Any]) -> bool:
    """Return True if a result file has pins for a matrix, or a benchmark that has another name now."""
    return bool(data.get("requirements")) or any(
        rename(name).name != name and rename(name).name in suite for name in data["results"]
    )


def find_versions(results: Path, old: Mapping[Path, Mapping[str, Any]]) -> dict[str, str]:
    """Return the version that each benchmark of the old form had last, by its old name.

    That is what `benchmarks.json` says, if it is of the old form; else that of the latest measurement.
    """
    latest: dict[str, tuple[float, str]] = {}
    for data in old.values():
        for name, row in _rows(data).items():
            if row.get("version") is not None:
                known = (row.get("started_at") or 0, row["version"])
                latest[name] = max(latest.get(name, known), known, key=lambda pair: pair[0])
    versions = {name: version for name, (_, version) in latest.items()}
    described = results / _DESCRIBED
    said = _read(described) if described.exists() else {}
    if any(rename(name).name != name for name in said):
        versions |= {name: each["version"] for name, each in said.items() if isinstance(each, dict)}
    return versions


def rewrite(
    data: Mapping[str, Any], suite: Mapping[str, Any], versions: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Return a result file in today's form, and the old names of what older code had measured, which it leaves out."""
    groups: dict[str, list[tuple[str, Row]]] = {}
    dropped = []
    for name, row in _rows(data).items():
        target = rename(name).name
        if target not in suite:
            groups[name] = [(name, row)]
        elif row.get("version") not in (None, versions.get(name), suite[target]["version"]):
            dropped.append(name)
        else:
            groups.setdefault(target, []).append((name, row))
    columns = data["result_columns"]
    rows = {
        target: parts[0][1] if target not in suite else _combine(parts, suite[target])
        for target, parts in groups.items()
    }
    results = {name: _cut(columns, row) for name, row in rows.items()}
    return {**data, **_place(data), "results": results}, dropped


def name_file(data: Mapping[str, Any]) -> str:
    """Return the name that asv gives a result file."""
    from asv.results import get_filename

    return Path(get_filename(data["params"]["machine"], data["commit_hash"], data["env_name"])).name


def _place(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says where a file was measured, with a digest for the pins.

    Pins that none of today's contradicts are today's environment; others are one of their own, as after an upgrade.
    """
    from asv.environment import get_env_name

    pins = {name.removeprefix("pip+"): version for name, version in data["requirements"].items()}
    if not pins:
        return {}
    today = _pins.read_constraints()
    is_today = all(today.get(name) == version for name, version in pins.items())
    digest = _pins.digest(_pins.pin_runtime() if is_today else pins)
    tool = data["env_name"].partition("-py")[0]
    return {
        "requirements": {},
        "env_vars": {_pins.MATRIX_KEY: digest},
        "env_name": get_env_name(tool, data["python"], {}, {("build", _pins.MATRIX_KEY): digest}),
        "params": _describe_machine({k: v for k, v in data["params"].items() if k not in data["requirements"]}),
    }


def _describe_machine(params: dict[str, str]) -> dict[str, str]:
    """Return what a file says of its machine as it is registered here, or as it would be: asv keys graphs by it too."""
    known = _machine.find(params["machine"])
    if known:
        return params | {key: known[key] for key in params.keys() & known.keys()}
    return _machine.tidy(params) if params.keys() >= {"os", "cpu"} else params


def _combine(parts: list[tuple[str, Row]], described: Mapping[str, Any]) -> Row:
    """Return the row of a benchmark from those of the benchmarks that it was."""
    names = list(described["param_names"])
    values: dict[tuple[str, ...], Row] = {}
    for name, row in parts:
        values |= _read_values(name, row, names)
    axes = [_order({key[place] for key in values}, described["params"][place]) for place in range(len(names))]
    combinations = list(itertools.product(*axes)) if names else [()]
    started = [row["started_at"] for _, row in parts if row.get("started_at") is not None]
    durations = [row["duration"] for _, row in parts if row.get("duration") is not None]
    joined = {
        "params": axes,
        "version": described["version"],
        "started_at": min(started, default=None),
        "duration": sum(durations) if durations else None,
    }
    for column in _OF_COMBINATIONS:
        line = [values.get(key, {}).get(column, _MISSING.get(column)) for key in combinations]
        joined[column] = None if all(each is None for each in line) else line
    return joined


def _read_values(name: str, row: Row, names: list[str]) -> dict[tuple[str, ...], Row]:
    """Return what a benchmark measured, by today's combination of parameters."""
    new = rename(name)
    axes = row.get("params") or []
    own = [each for each in names if each not in new.more]
    if len(own) != len(axes):
        raise ValueError(
            f"{name} has {len(axes)} parameters, and its new name {new.name} takes {len(own)} more of them"
        )
    found = {}
    for place, combination in enumerate(itertools.product(*axes)):
        given = dict(zip(own, combination, strict=True)) | {key: repr(value) for key, value in new.more.items()}
        columns = {column: _pick(row.get(column), place, column, new.scale) for column in _OF_COMBINATIONS}
        found[tuple(given[each] for each in names)] = columns
    return found


def _pick(line: object, place: int, column: str, scale: float) -> Any:
    value = line[place] if isinstance(line, list) and place < len(line) else None
    if scale == 1.0 or column in _COUNTS or value is None:
        return value
    return [each * scale for each in value] if isinstance(value, list) else value * scale


def _order(found: set[str], known: list[str]) -> list[str]:
    """Return parameter values in today's order, those that are not today's last."""
    return [*(each for each in known if each in found), *sorted(found - set(known))]


def _rows(data: Mapping[str, Any]) -> dict[str, Row]:
    columns = data["result_columns"]
    return {name: dict(zip(columns, row, strict=False)) for name, row in data["results"].items()}


def _cut(columns: list[str], row: Row) -> list[Any]:
    """Return a row as asv writes it: cut after the last value."""
    line = [row.get(column) for column in columns]
    while line and line[-1] is None:
        line.pop()
    return line


def _join(new: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """Return a file with the results of both; what the one that is there has already stays."""
    columns = there["result_columns"]
    rows = _rows(new) | _rows(there)
    return {**new, **there, "results": {name: _cut(columns, row) for name, row in rows.items()}}


def _kept_folder(results: Path) -> Path:
    return results.with_name(results.name + KEPT)


def _keep(results: Path, path: Path) -> None:
    """Copy a file to where the old form is kept, unless it is there from a call that was interrupted."""
    copy = _kept_folder(results) / path.relative_to(results)
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        beside = copy.with_name(f".{uuid4().hex}")
        shutil.copyfile(path, beside)
        beside.rename(copy)


def _read(path: Path) -> dict[str, Any]:
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or data.get("version") != RESULT_VERSION:
        raise ValueError(f"{path}: is not of asv's version {RESULT_VERSION}; run `asv update`, or move it away")
    return data


def _write(path: Path, data: Mapping[str, Any]) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f".{uuid4().hex}")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(data, file, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
