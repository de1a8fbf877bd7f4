"""Many result files of one machine -> one array of figures each, quickly: what history needs of them, and no more."""

import itertools
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from cdpipe.figures import PERCENTS
from cdpipe.perf.results.cells import Cell, place_of
from cdpipe.perf.results.files import check_version, read_object
from cdpipe.perf.results.model import Benchmark, Header
from cdpipe.perf.results.sizes import parse_rows

_NO_JSON: Final = (b"NaN", b"-Infinity", b"Infinity")
_BEFORE_NUMBERS: Final = (b"[", b" ", b",")
_COLUMNS: Final = ("result", "version", "params")
_NUMBERS: Final = frozenset({float, int, bool, type(None)})

Key = tuple[str, tuple[tuple[str, str], ...], int | str]


_Target = tuple[int, float]
_NOWHERE: Final[_Target] = (-1, 1.0)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where a benchmark's values belong: for each combination of parameters an index in the array, -1 for nowhere.

    What a value is to be multiplied by there stands beside the index.
    """

    version: str
    params: list[list[str]]
    targets: list[_Target]


class FigureReader:
    """Reads the named figures of known cells from result files.

    Parameters
    ----------
    benchmarks
        As described today. A result of an older version of a benchmark is not read, as asv does not use it.
    cells
        Which are wanted.
    names
        Which of their figures.
    """

    def __init__(self, benchmarks: Mapping[str, Benchmark], cells: Sequence[Cell], names: Sequence[str]) -> None:
        self.shape = (len(cells), len(names))
        self._benchmarks = benchmarks
        texts = (text for each in benchmarks.values() for axis in (*each.params, (each.name,)) for text in axis)
        self._says_nan = any(word.decode() in text for text in texts for word in _NO_JSON)
        self._names = {name: column for column, name in enumerate(names)}
        self._cells = {_key(cell.stage, cell.variant, cell.rows_text): row for row, cell in enumerate(cells)}
        self._plans: dict[str, _Plan | None] = {}
        self._look: object = None
        self._places, self._scales = np.empty(0, dtype=np.int64), np.empty(0)

    def read(self, header: Header) -> npt.NDArray[np.float64]:
        """Return one file's figures, shape (cells, names), NaN where it has none.

        Raises
        ------
        ResultsError
            If the file is not asv's or of another version.
        """
        data = read_object(header.path) if self._says_nan else _load(header.path)
        check_version(header.path, data)
        columns, rows = data.get("result_columns"), data.get("results")
        figures = np.full(self.shape, math.nan)
        if isinstance(columns, list) and isinstance(rows, dict) and "result" in columns:
            values, places = self._collect(columns, rows)
            # Of two benchmarks with one figure the first counts, and the last that is written stays.
            known = ~np.isnan(values[::-1]) & (places[::-1] >= 0)
            figures.reshape(-1)[places[::-1][known]] = values[::-1][known]
        return figures

    def _collect(
        self, columns: Sequence[str], rows: Mapping[str, Any]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Return the values of all rows, and the index of each; of files that look alike indices are found once."""
        at_result, *others = (columns.index(name) if name in columns else None for name in _COLUMNS)
        results = [_to_list(_read_column(row, at_result)) for row in rows.values()]
        look = _describe_look(rows, others, list(map(len, results)))
        if look is None or look != self._look:
            targets = self._find_targets(rows, others, results)
            self._places = np.array([place for place, _ in targets], dtype=np.int64)
            self._scales = np.array([scale for _, scale in targets])
            self._look = look
        return _to_numbers(list(itertools.chain.from_iterable(results))) * self._scales, self._places

    def _find_targets(
        self, rows: Mapping[str, Any], others: Sequence[int | None], results: Sequence[Sequence[Any]]
    ) -> list[_Target]:
        targets: list[_Target] = []
        for (name, row), result in zip(rows.items(), results, strict=True):
            plan = self._plans[name] if name in self._plans else self._plan(name)
            wanted = self._find_row(name, plan, row, others) if plan is not None and result else []
            targets += wanted if len(wanted) == len(result) else [_NOWHERE] * len(result)
        return targets

    def _find_row(self, name: str, plan: _Plan, row: object, others: Sequence[int | None]) -> list[_Target]:
        version, params = (_read_column(row, place) for place in others)
        if version not in (None, plan.version):
            return []
        return plan.targets if params is None or params == plan.params else self._find(name, params)

    def _plan(self, name: str) -> _Plan | None:
        benchmark = self._benchmarks.get(name)
        plan = None
        if benchmark is not None and self._may_measure(benchmark.measures):
            params = [list(axis) for axis in benchmark.params]
            plan = _Plan(benchmark.version, params, self._find(name, params))
        self._plans[name] = plan
        return plan

    def _may_measure(self, figure: str) -> bool:
        """Return True unless none of the wanted figures comes from a benchmark that says this of itself."""
        return "{" in figure or PERCENTS.get(figure, figure) in self._names

    def _find(self, name: str, params: object) -> list[_Target]:
        """Return a target for each combination; none if the parameters are none of asv's."""
        if not isinstance(params, list) or not all(isinstance(axis, list) for axis in params):
            return []
        return list(self._locate(self._benchmarks[name], params))

    def _locate(self, benchmark: Benchmark, params: list[list[Any]]) -> Iterator[_Target]:
        for combination in itertools.product(*params):
            place = place_of(benchmark, tuple(map(str, combination)))
            row = self._cells.get(_key(place.stage, place.variant, place.rows_text))
            column = self._names.get(place.figure)
            if row is None or column is None or place.scale is None:
                yield _NOWHERE
            else:
                yield row * self.shape[1] + column, place.scale


def _describe_look(rows: Mapping[str, Any], others: Sequence[int | None], lengths: list[int]) -> object:
    """Return all that indices depend on: names, versions, parameters and lengths; None where a row is out of shape."""
    at_version, at_params = others
    if at_version is None or at_params is None:
        return None
    lines = rows.values()
    try:
        return list(rows), [line[at_version] for line in lines], [line[at_params] for line in lines], lengths
    except (IndexError, KeyError, TypeError):
        return None


def _read_column(row: object, place: int | None) -> Any:  # noqa: ANN401 - whatever the file has there
    return row[place] if isinstance(row, list) and place is not None and place < len(row) else None


def _to_list(result: object) -> list[Any]:
    """Return a row's values: none where it is cut or has failed altogether."""
    return result if isinstance(result, list) else [] if result is None else [result]


def _key(stage: str, variant: tuple[tuple[str, str], ...], rows_text: str) -> Key:
    return stage, variant, parse_rows(rows_text) or rows_text


def _load(path: Path) -> dict[str, Any]:
    """Parse a file fast; asv writes NaN and infinities, which are no JSON, and no figures: they become null.

    So would they in a text, a parameter's value. What is odd beyond that is left to Python's parser.
    """
    try:
        text = path.read_bytes()
        for word in _NO_JSON:
            for before in _BEFORE_NUMBERS if word in text else ():
                text = text.replace(before + word, before + b"null")
        data = orjson.loads(text)
    except (OSError, ValueError):
        return read_object(path)
    return data if isinstance(data, dict) else read_object(path)


def _to_numbers(values: list[Any]) -> npt.NDArray[np.float64]:
    """Return numbers, NaN for all else and for what is not finite."""
    if not _NUMBERS.issuperset(map(type, values)):
        values = [value if type(value) in _NUMBERS else None for value in values]
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:  # Python's parser reads whole numbers of any length
        numbers = np.array([None if abs(value or 0) > sys.float_info.max else value for value in values], np.float64)
    numbers[np.isinf(numbers)] = math.nan
    return numbers
