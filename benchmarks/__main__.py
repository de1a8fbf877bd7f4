"""Commands of the suite: `python -m benchmarks select SUITE`, and those that `USAGE` lists."""

import sys
from pathlib import Path

from benchmarks import _data, _pins, _sizes

USAGE = (
    "usage: python -m benchmarks select SUITE     print the --bench expression: quick, full, smoke, compare, gate\n"
    "       python -m benchmarks data SUITE       make a suite's data sets, if they are missing\n"
    "       python -m benchmarks make KIND ROWS   make one: " + ", ".join(_data.KINDS) + "; 10k, 5M\n"
    "       python -m benchmarks watch FILE COMMAND...  run a command; write into a file how busy other programs were\n"
    "       python -m benchmarks pins             pin in constraints.txt what is installed\n"
    "       python -m benchmarks migrate [RESULTS]  rewrite results of the suite as it was, once (.asv/results)\n"
    "       python -m benchmarks peers [OPTIONS]  hold cdpipe against polars, DuckDB and pandas; --help says how\n"
)


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit status."""
    try:
        match arguments:
            case ["select", suite]:
                sys.stdout.write(_sizes.select(suite) + "\n")
            case ["data", suite]:
                for kind, label in _data.wanted(suite):
                    sys.stdout.write(f"{_data.need(kind, label)}\n")
                    sys.stdout.flush()
            case ["make", kind, label]:
                from benchmarks import _make

                sys.stdout.write(f"{_make.make(kind, label)}\n")
            case ["watch", note, *command] if command:
                from benchmarks import _others

                return _others.run(command, Path(note))
            case ["pins"]:
                _pins.write()
            case ["migrate", *folders] if len(folders) < 2:
                from benchmarks import _migration

                for line in _migration.migrate(Path(*folders or (_pins.HERE / ".asv" / "results",))):
                    sys.stdout.write(f"{line}\n")
            case ["peers", *options]:
                from benchmarks._peers import command as peers

                return peers.run(options)
            case _:
                sys.stderr.write(USAGE)
                return 2
    except (OSError, ValueError) as error:
        sys.stderr.write(f"benchmarks: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
