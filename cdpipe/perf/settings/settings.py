"""Settings of a suite: a project's targets, remedies and sizes, from its `bottlenecks.toml`."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cdpipe.figures import UNITS
from cdpipe.perf.results.model import ResultsError
from cdpipe.perf.results.sizes import parse_rows
from cdpipe.perf.settings.remedies import CONDITIONS, OwnRemedy, Remedy
from cdpipe.perf.settings.targets import FACTOR, RATE, Target
from cdpipe.perf.wording.units import read_quantity

NAME: Final = "bottlenecks.toml"
_ASV: Final = "asv.conf.json"
_BENCHMARKS: Final = re.compile(r'"benchmark_dir"\s*:\s*("(?:[^"\\]|\\.)*")')
_LIMITS: Final = {"below": (False, False), "at_most": (False, True), "above": (True, False), "at_least": (True, True)}
"""Keys that hold a target's limit: whether the number must be more, and whether the limit itself is good enough."""

_SCHEDULERS: Final = ("threads", "local", "address")
_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"include", "scheduler", "sizes", "targets", "remedies"}),
    "targets": frozenset({"code", "title", "figure", "over", "rate", "stages", "size", "size_min", *_LIMITS}),
    "remedies": frozenset({"causes", "text", "keys", "stages", "except_stages", "schedulers", "when"}),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project says of its benchmarks.

    Attributes
    ----------
    path
        Where it says so; None where it does not.
    scheduler
        Where benchmarks' tasks run: `threads`, `local`, or `""`, not known. A benchmark's own `cdpipe_scheduler` counts
        more.
    sizes
        Names of the parameters that are sizes; where a benchmark has none of them the numbers decide (`choose_size`).
    targets, remedies
        The project's own.
    """

    path: Path | None = None
    scheduler: str = ""
    sizes: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    remedies: tuple[OwnRemedy, ...] = ()


def find_settings(results_dir: Path) -> Settings:
    """Return the settings of the project that results are of; empty ones if it has none.

    The project is the nearest folder above the results with an `asv.conf.json`. `bottlenecks.toml` lies beside it, or
    in the benchmarks' folder that it names.

    Raises
    ------
    ResultsError
        If the file cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> find_settings(Path(".asv/results")).path is None  # no `asv.conf.json` above them
    True
    """
    for folder in results_dir.resolve().parents:
        if (folder / _ASV).is_file():
            known = [path for path in (folder / NAME, _find_benchmarks(folder) / NAME) if path.is_file()]
            return read_settings(known[0]) if known else Settings()
    return Settings()


def _find_benchmarks(folder: Path) -> Path:
    """Return the folder that `asv.conf.json` names; it is JSON with comments, which asv alone can parse whole."""
    try:
        found = _BENCHMARKS.search((folder / _ASV).read_text(encoding="utf-8"))
        return folder / (json.loads(found[1]) if found else "benchmarks")
    except (OSError, ValueError):
        return folder / "benchmarks"


def read_settings(path: Path) -> Settings:
    """Read a `bottlenecks.toml`, and what it includes.

    Raises
    ------
    ResultsError
        Naming file, key and value, if it is no TOML, a key is not known, or a value is none that the key can have.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("bottlenecks.toml").write_text('sizes = ["n"]')
    >>> read_settings(Path("bottlenecks.toml")).sizes
    ('n',)
    """
    return _read(path, ())


def _read(path: Path, including: tuple[Path, ...]) -> Settings:
    if path in including:
        raise ResultsError(path, "include", "includes itself", "take it out of one of the files")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultsError(path, "", f"cannot be read ({error.strerror})", "check its name and permissions") from error
    except ValueError as error:
        raise ResultsError(path, "", f"is no TOML ({error})", "mend it, or move it away") from error
    table = _Table(path, "", data)
    table.check_keys(_KEYS[""])
    scheduler = table.text("scheduler", among=_SCHEDULERS)
    own = Settings(
        path=path,
        scheduler=scheduler,
        sizes=table.texts("sizes"),
        targets=tuple(map(_read_target, table.tables("targets"))),
        remedies=tuple(map(_read_remedy, table.tables("remedies"))),
    )
    for name in table.texts("include"):
        other = _read((path.parent / name).resolve(), (*including, path))
        own = replace(
            own,
            scheduler=own.scheduler or other.scheduler,
            sizes=(*own.sizes, *other.sizes),
            targets=(*own.targets, *other.targets),
            remedies=(*own.remedies, *other.remedies),
        )
    return own


def _read_target(table: "_Table") -> Target:
    table.check_keys(_KEYS["targets"])
    figures = table.texts("figure", needed=True, among=tuple(UNITS))
    over, is_rate = table.text("over", among=tuple(UNITS)), table.data.get("rate") is True
    if is_rate and UNITS[figures[0]] != "s":
        raise table.fault("rate", f"is of {figures[0]!r}, which is not in seconds", "name a figure of seconds")
    limits = [key for key in _LIMITS if key in table.data]
    if len(limits) != 1:
        raise table.fault("", f"has {len(limits)} limits", f"give one of {', '.join(_LIMITS)}")
    at_least, inclusive = _LIMITS[limits[0]]
    target = Target(
        code=table.text("code", needed=True),
        title=table.text("title", needed=True),
        figures=figures,
        over=over,
        is_rate=is_rate,
        stages=table.texts("stages") or ("*",),
        at_least=at_least,
        limit=0.0,
        rows=table.count("size"),
        rows_min=table.count("size_min") or 0,
        inclusive=inclusive,
    )
    return replace(target, limit=table.quantity(limits[0], target.unit))


def _read_remedy(table: "_Table") -> OwnRemedy:
    table.check_keys(_KEYS["remedies"])
    return OwnRemedy(
        remedy=Remedy(table.text("text", needed=True), table.texts("keys")),
        causes=table.texts("causes", needed=True),
        stages=table.texts("stages") or ("*",),
        except_stages=table.texts("except_stages"),
        schedulers=table.texts("schedulers", among=_SCHEDULERS),
        conditions=table.texts("when", among=tuple(CONDITIONS)),
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a settings file, which says where a value is that cannot be."""

    path: Path
    name: str
    data: Mapping[str, Any]

    def fault(self, key: str, problem: str, remedy: str) -> ResultsError:
        """Make the error of a key."""
        return ResultsError(self.path, ".".join(filter(None, (self.name, key))), problem, remedy)

    def check_keys(self, known: frozenset[str]) -> None:
        """Raise ResultsError for a key that is not known."""
        for key in self.data.keys() - known:
            raise self.fault(key, "is no key", f"use {', '.join(sorted(known))}")

    def tables(self, key: str) -> list["_Table"]:
        """Return the tables of a list, each named with its number."""
        listed = self.data.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise self.fault(key, "is no list of tables", f"write [[{key}]] above each")
        return [_Table(self.path, f"{key}[{number}]", each) for number, each in enumerate(listed)]

    def text(self, key: str, *, needed: bool = False, among: tuple[str, ...] = ()) -> str:
        """Return a text, `""` where there is none and none is needed."""
        found = self.texts(key, needed=needed, among=among)
        if len(found) > 1:
            raise self.fault(key, f"is a list of {len(found)}", "give one text")
        return found[0] if found else ""

    def texts(self, key: str, *, needed: bool = False, among: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return a list of texts, or a text as a list of one."""
        given = self.data.get(key, [])
        listed = given if isinstance(given, list) else [given]
        if not all(isinstance(each, str) for each in listed):
            raise self.fault(key, f"is {given!r:.60}", "give a text, or a list of them")
        if needed and not listed:
            raise self.fault(key, "is missing", "give it")
        for each in listed:
            if among and each not in among:
                raise self.fault(key, f"is {each!r}", f"use {', '.join(among)}")
        return tuple(listed)

    def count(self, key: str) -> int | None:
        """Return a size such as `"10M"` or 5000, None where there is none."""
        given = self.data.get(key)
        if given is None:
            return None
        rows = parse_rows(str(given)) if isinstance(given, str | int) and not isinstance(given, bool) else None
        if rows is None:
            raise self.fault(key, f"is {given!r:.60}, no size", 'give one such as 5000, "10k" or "5M"')
        return rows

    def quantity(self, key: str, unit: str) -> float:
        """Return a limit in a unit: a number, or a text with a unit of its kind."""
        given = self.data[key]
        if isinstance(given, int | float) and not isinstance(given, bool):
            return float(given)
        value = read_quantity(given, unit) if isinstance(given, str) else None
        if value is None:
            kind = {RATE: "rows a second", FACTOR: "a factor"}.get(unit, unit)
            remedy = f"give a number of {kind}, or one with a unit"
            raise self.fault(key, f"is {given!r:.60}, no limit in {kind}", remedy)
        return value
