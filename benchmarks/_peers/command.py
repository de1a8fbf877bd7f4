"""`python -m benchmarks peers`: reads its options, compares, shows, and fails if results disagree."""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks._peers.stages import PEERS, choose
from benchmarks._sizes import count_rows

LEAST_ROWS = 1_000


def run(arguments: list[str]) -> int:
    """Do what the options say; return the exit status: 1 if a result is not what it must be.

    Raises
    ------
    ValueError
        If an option means nothing, or a peer is not installed.
    OSError
        If the data or the report cannot be written.
    ProgramError
        If a program that does a whole job fails.
    """
    options = _parser().parse_args(arguments)
    stages, repeats = choose(options.stages), int(options.repeats)
    rows, job_rows = read_rows(options.rows), read_rows(options.job_rows)
    if repeats < 1:
        raise ValueError(f"{repeats} rounds measure nothing; use at least 1, and 5 for an interval")
    missing = [name for name in PEERS if find_spec(name) is None]
    if missing:
        raise ValueError(f"{' and '.join(missing)} not installed; run `make peers`, or pip install 'cdpipe[peers]'")
    from benchmarks._peers.comparison import compare
    from benchmarks._peers.line import as_dict
    from benchmarks._peers.report import describe, show, verdict, write_json

    found = []
    for line in compare(rows, stages, repeats=repeats, job_rows=job_rows, tell=_tell):
        found.append(as_dict(line))
        _tell(f"{line.stage.name}: {verdict(found[-1])}")
        if options.json:  # whoever stops a long comparison keeps what was measured
            write_json(describe(rows, found, repeats=repeats), Path(options.json))
    show(describe(rows, found, repeats=repeats))
    complaints = [each for line in found for each in line["complaints"]]
    for complaint in complaints:
        sys.stderr.write(f"disagreement: {complaint}\n")
    return 1 if complaints else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks peers", description=__doc__)
    parser.add_argument("--rows", default="5M", help="messages: 5000000, 5e6 or 5M")
    parser.add_argument("--job-rows", default="5M", help="messages of the whole jobs")
    parser.add_argument("--stages", default="", help="comma-separated, with what is below them; all by default")
    parser.add_argument("--repeats", default="5", help="rounds")
    parser.add_argument("--json", default="", help="file to write")
    return parser


def read_rows(text: str) -> int:
    """Return the rows that `5000000`, `5e6` or `5M` means."""
    try:
        rows = round(float(text))
    except (ValueError, OverflowError):
        rows = count_rows(text)
    if rows < LEAST_ROWS:
        raise ValueError(f"{text} rows are too few to measure; use at least {LEAST_ROWS}")
    return rows


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
