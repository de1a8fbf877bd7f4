"""Commands of the suite: `python -m benchmarks select SUITE`, and those that `USAGE` lists."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks import _data, _pins, _sizes

USAGE = (
    "usage: python -m benchmarks select SUITE     print the --bench expression: quick, full, smoke, compare, gate\n"
    "       python -m benchmarks data SUITE       make a suite's data sets, if they are missing\n"
    "       python -m benchmarks make KIND ROWS   make one: " + ", ".join(_data.KINDS) + "; 10k, 5M\n"
    "       python -m benchmarks watch FILE COMMAND...  run a command; write into a file how busy other programs were\n"
    "       python -m benchmarks machine [NAME]   register this machine with asv, unless it is known\n"
    "       python -m benchmarks pins             pin in constraints.txt what is installed\n"
    "       python -m benchmarks migrate [RESULTS]  rewrite results of the suite as it was, once (.asv/results)\n"
    "       python -m benchmarks disturbed COMMIT [RESULTS]  say which timed samples others disturbed (.asv/results)\n"
    "       python -m benchmarks regressions [SITE]  list steps upwards on asv's site; 1 if one is new (.asv/html)\n"
    "       python -m benchmarks bisect BENCHMARK GOOD BAD  name the commit that made a benchmark slower or larger\n"
    "       python -m benchmarks peers [OPTIONS]  hold cdpipe against polars, DuckDB and pandas; --help says how\n"
)


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit status."""
    name, *rest = arguments or [""]
    command, least, most = COMMANDS.get(name, (None, 0, 0))
    if command is None or not least <= len(rest) <= most:
        sys.stderr.write(USAGE)
        return 2
    try:
        return command(*rest)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"benchmarks: {error}\n")
        return 1


def _select(suite: str) -> int:
    sys.stdout.write(_sizes.select(suite) + "\n")
    return 0


def _make_suite(suite: str) -> int:
    for kind, label in _data.wanted(suite):
        sys.stdout.write(f"{_data.need(kind, label)}\n")
        sys.stdout.flush()
    return 0


def _make_one(kind: str, label: str) -> int:
    from benchmarks import _make

    sys.stdout.write(f"{_make.make(kind, label)}\n")
    return 0


def _watch(note: str, *command: str) -> int:
    from benchmarks import _others

    return _others.run(command, Path(note))


def _register(name: str = "") -> int:
    from benchmarks import _machine

    sys.stdout.write(f"{_machine.register(name)}\n")
    return 0


def _pin() -> int:
    _pins.write()
    return 0


def _migrate(results: str = str(_pins.HERE / ".asv" / "results")) -> int:
    from benchmarks import _migration

    for line in _migration.migrate(Path(results)):
        sys.stdout.write(f"{line}\n")
    return 0


def _list_disturbed(commit: str, results: str = str(_pins.HERE / ".asv" / "results")) -> int:
    from benchmarks import _contention

    sys.stdout.write(_contention.summarise(Path(results) / "contention", commit))
    return 0


def _list_regressions(site: str = str(_pins.HERE / ".asv" / "html")) -> int:
    from benchmarks import _regressions

    text, status = _regressions.report(Path(site))
    sys.stdout.write(text)
    return status


def _bisect(benchmark: str, good: str, bad: str) -> int:
    from benchmarks import _bisection

    return _bisection.bisect(benchmark, good, bad, run=_bisection.start, say=lambda text: print(text, flush=True))  # noqa: T201


def _measure_peers(*options: str) -> int:
    from benchmarks._peers import command

    return command.run(list(options))


COMMANDS: Final[dict[str, tuple[Callable[..., int], int, int]]] = {
    "select": (_select, 1, 1),
    "data": (_make_suite, 1, 1),
    "make": (_make_one, 2, 2),
    "watch": (_watch, 2, sys.maxsize),
    "machine": (_register, 0, 1),
    "pins": (_pin, 0, 0),
    "migrate": (_migrate, 0, 1),
    "disturbed": (_list_disturbed, 1, 2),
    "regressions": (_list_regressions, 0, 1),
    "bisect": (_bisect, 3, 3),
    "peers": (_measure_peers, 0, sys.maxsize),
}
"""By name: what does it, and how many arguments that takes, at least and at most."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
