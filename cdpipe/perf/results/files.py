"""One file of an asv results directory -> typed values, or an error that names file and field.

In a result file `null` is a failure, `NaN` a benchmark that was skipped or not selected, and each benchmark's
row is cut after its last value.
"""

import itertools
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from cdpipe.perf.results.contention import ContentionNotes
from cdpipe.perf.results.model import (
    Benchmark,
    Header,
    Machine,
    Measurement,
    Results,
    ResultsError,
    Run,
    State,
)
from cdpipe.perf.results.sizes import choose_size

T = TypeVar("T")
VERSION: Final = 2
_HEAD_BYTES: Final = 1 << 16
_END_OF_DATES_MS: Final = 253_402_300_800_000  # year 10000
_HEADER_KEYS: Final = frozenset({"commit_hash", "date", "env_name", "params"})
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_COLON: Final = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_COMMA: Final = re.compile(r"[ \t\r\n]*,[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()
_HALF: Final = r"\ud"
_ESCAPED: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
_UPDATE: Final = "run `asv update` if asv wrote it long ago, else move the file out of the results directory"


def read_benchmarks(path: Path, *, size_names: tuple[str, ...] = ()) -> dict[str, Benchmark]:
    """Read `benchmarks.json`; `size_names` are the parameters that are sizes, see `choose_size`.

    Raises
    ------
    ResultsError
        If it is missing, of another version, or a benchmark lacks a name's worth of description.
    """
    data = read_object(path, missing="run `asv run --bench just-discover` to write it again")
    check_version(path, data)
    return {name: _read_benchmark(path, name, entry, size_names) for name, entry in data.items() if name != "version"}


def read_machine(path: Path) -> Machine:
    """Read `machine.json`; only the name is required.

    Raises
    ------
    ResultsError
        If it is not JSON or has no name.
    """
    data = read_object(path)
    name = _get(path, data, "machine", str)
    texts = {key: str(data.get(key) or "") for key in ("cpu", "num_cpu", "ram", "os")}
    return Machine(name, texts["cpu"], texts["num_cpu"], texts["ram"], texts["os"])


def read_header(path: Path) -> Header:
    """Read which commit, machine and environment a result file is about, from its first bytes if they say it.

    Raises
    ------
    ResultsError
        If the file is not JSON or one of the four fields is missing or has another type than asv gives it.
    """
    try:
        with path.open("rb") as file:
            data = _read_first_members(file.read(_HEAD_BYTES).decode("utf-8", errors="ignore"))
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError:
        data = read_object(path)
    params = _get(path, data, "params", dict)
    date_ms = _get(path, data, "date", int)
    if not 0 <= date_ms < _END_OF_DATES_MS:
        raise ResultsError(path, "date", f"is {date_ms}, not milliseconds since 1970", _UPDATE)
    return Header(
        path=path,
        machine=_get(path, params, "machine", str, prefix="params."),
        commit=_get(path, data, "commit_hash", str),
        date_ms=date_ms,
        environment=_get(path, data, "env_name", str),
    )


def load_run(results: Results, header: Header) -> Run:
    """Read one result file in full.

    Raises
    ------
    ResultsError
        If the file is not asv's, is of another version, or a field has another shape than asv gives it.
    """
    data = read_object(header.path)
    check_version(header.path, data)
    columns = _get(header.path, data, "result_columns", list)
    if "result" not in columns:
        raise ResultsError(header.path, "result_columns", "has no 'result'", "run `asv run` for that commit again")
    rows = _get(header.path, data, "results", dict)
    measurements: list[Measurement] = []
    notes = ContentionNotes(results.path, header, tuple(results.machines))
    outdated, unlisted = [], []
    for name, row in rows.items():
        if not isinstance(row, list):
            raise ResultsError(header.path, f"results.{name}", "is not a list", "run that benchmark again")
        values = dict(zip(columns, row, strict=False))
        benchmark = results.benchmarks.get(name)
        if benchmark is None:
            unlisted.append(name)
        elif values.get("version") not in (None, benchmark.version):
            outdated.append(name)
        else:
            measurements += _measure(header.path, benchmark, values, notes)
    absent = sorted(results.benchmarks.keys() - rows.keys())
    return Run(header, tuple(measurements), tuple(sorted(outdated)), tuple(sorted(unlisted)), tuple(absent))


def _measure(
    path: Path, benchmark: Benchmark, values: Mapping[str, Any], notes: ContentionNotes
) -> Iterator[Measurement]:
    params = benchmark.params
    if values.get("params") is not None:
        params = _read_params(path, f"results.{benchmark.name}.params", values["params"])
    combinations = list(itertools.product(*params))
    result = values.get("result")
    if result is None:
        yield from (Measurement(benchmark, combination, State.FAILED) for combination in combinations)
        return
    listed = result if isinstance(result, list) else [result]
    if len(listed) != len(combinations):
        yield from (Measurement(benchmark, combination, State.UNREADABLE) for combination in combinations)
        return
    for index, (combination, value) in enumerate(zip(combinations, listed, strict=True)):
        state = _state(value)
        if state is not State.MEASURED:
            yield Measurement(benchmark, combination, state)
            continue
        low, high = (_number_at(values.get(name), index) for name in ("stats_ci_99_a", "stats_ci_99_b"))
        yield Measurement(
            benchmark,
            combination,
            state,
            value=float(value),
            interval=None if low is None or high is None else (low, high),
            samples=_samples_at(values.get("samples"), index),
            others=_find_others(benchmark.name, combination, values, index, notes),
        )


def _find_others(
    name: str, params: tuple[str, ...], values: Mapping[str, Any], index: int, notes: ContentionNotes
) -> float | None:
    """Return what others had of the processors in the middle of the samples that a result rests on, None if unknown."""
    count, started_ms = _number_at(values.get("stats_repeat"), index), _number_at([values.get("started_at")], 0)
    samples = None if count is None else round(count)
    return notes.find_others(name, params, samples=samples, started_ms=started_ms or 0.0)


def _state(value: object) -> State:
    if value is None:
        return State.FAILED
    if not isinstance(value, (int, float)):
        return State.UNREADABLE
    if isinstance(value, float) and math.isnan(value):
        return State.SKIPPED
    return State.MEASURED if abs(value) <= sys.float_info.max else State.UNREADABLE


def _number_at(column: object, place: int) -> float | None:
    if not isinstance(column, list) or place >= len(column):
        return None
    return float(column[place]) if _state(column[place]) is State.MEASURED else None


def _samples_at(column: object, place: int) -> tuple[float, ...]:
    if not isinstance(column, list) or place >= len(column) or not isinstance(column[place], list):
        return ()
    return tuple(float(sample) for sample in column[place] if _state(sample) is State.MEASURED)


def last_started_ms(path: Path) -> float:
    """Return when the last benchmark of a result file was started, since 1970; 0 if the file does not say."""
    data = read_object(path)
    columns = _get(path, data, "result_columns", list)
    rows = _get(path, data, "results", dict)
    if "started_at" not in columns:
        return 0.0
    place = columns.index("started_at")
    return max((_number_at(row, place) or 0.0 for row in rows.values()), default=0.0)


def _read_benchmark(path: Path, name: str, entry: object, size_names: tuple[str, ...]) -> Benchmark:
    if not isinstance(entry, dict):
        raise ResultsError(path, name, "is not an object", _UPDATE)
    params = _read_params(path, f"{name}.params", entry.get("params") or [])
    given = entry.get("param_names") or []
    names = [str(item) for item in given][: len(params)] if isinstance(given, list) else []
    names += [f"param{place + 1}" for place in range(len(names), len(params))]
    ours = ("cdpipe_stage", "cdpipe_figure", "cdpipe_scheduler")
    texts = {key: str(entry.get(key) or "") for key in ("type", "unit", "version", *ours)}
    order = entry.get("cdpipe_order") or ""
    return Benchmark(
        name=name,
        kind=texts["type"],
        unit=texts["unit"],
        param_names=tuple(names),
        params=params,
        version=texts["version"],
        stage=texts["cdpipe_stage"],
        figure=texts["cdpipe_figure"],
        order="" if isinstance(order, dict) else str(order),
        orders={key: str(value) for key, value in order.items()} if isinstance(order, dict) else {},
        rounds=_read_rounds(entry),
        scheduler=texts["cdpipe_scheduler"],
        size_name=choose_size(names, params, size_names),
    )


def _read_rounds(entry: Mapping[str, Any]) -> int:
    rounds = entry.get("rounds")
    return rounds if isinstance(rounds, int) and rounds > 0 else 1


def _read_params(path: Path, field: str, value: object) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list) or not all(isinstance(axis, list) for axis in value):
        raise ResultsError(path, field, "is not a list of lists of parameter values", _UPDATE)
    return tuple(tuple(str(item) for item in axis) for axis in value)


def _read_first_members(text: str) -> dict[str, Any]:
    """Parse an object's members until the header is complete; ValueError if it ends or breaks before."""
    members: dict[str, Any] = {}
    at = _SPACE.match(text).end()  # type: ignore[union-attr] # it matches the empty string too
    if text[at : at + 1] != "{":
        raise ValueError("not an object")
    at += 1
    while not members.keys() >= _HEADER_KEYS:
        at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        key, at = _DECODER.raw_decode(text, at)
        colon = _COLON.match(text, at)
        if colon is None or key == "results":
            raise ValueError("the header is not at the beginning")
        members[key], at = _DECODER.raw_decode(text, colon.end())
        comma = _COMMA.match(text, at)
        if comma is None:
            raise ValueError("the text ends, perhaps within a number")
        at = comma.end()
    return members


def read_object(path: Path, *, missing: str = "") -> dict[str, Any]:
    """Read a file that holds one JSON object; `missing` is the way out where there is no file.

    Raises
    ------
    ResultsError
        If it cannot be read, is not JSON or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(_ESCAPED.sub(_show_half, text) if _HALF in text.lower() else text)
    except FileNotFoundError as error:
        raise ResultsError(path, "", "is missing", missing or "run `asv run` again") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        remedy = "remove the file and run `asv run` for that commit again"
        raise ResultsError(path, "", f"is not JSON ({error})", remedy) from error
    if not isinstance(data, dict):
        raise ResultsError(path, "", f"holds a {type(data).__name__}, not an object", _UPDATE)
    return data


def _show_half(escaped: re.Match[str]) -> str:
    """Return an escape as it is, but half of a surrogate pair as a text of six signs: nothing can write it."""
    return f"\\{escaped[0]}" if escaped["half"] else escaped[0]


def _unreadable(path: Path, error: OSError) -> ResultsError:
    return ResultsError(path, "", f"cannot be read ({error.strerror})", "check its permissions")


def check_version(path: Path, data: Mapping[str, Any]) -> None:
    """Raise ResultsError unless a file's content is of the version that this reads."""
    version = data.get("version")
    if version is None:
        raise ResultsError(path, "version", "is missing", _UPDATE)
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        remedy = "a newer asv wrote it: update cdpipe" if newer else _UPDATE
        raise ResultsError(path, "version", f"is {version!r}, and this reads {VERSION}", remedy)


def _get(path: Path, data: Mapping[str, Any], key: str, kind: type[T], *, prefix: str = "") -> T:
    if key not in data:
        raise ResultsError(path, prefix + key, "is missing", _UPDATE)
    value = data[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ResultsError(path, prefix + key, f"is {value!r:.60}, not of type {kind.__name__}", _UPDATE)
    return value
