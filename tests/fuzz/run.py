"""The command: fuzz each reader for its share of the time, keep what is new, and print what was covered and found."""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from .seeds import make_seeds
from .targets import TARGETS

CORPUS: Final = Path(__file__).parent / "corpus"
HANG_SECONDS: Final = 10
_LONGEST: Final = {"config": 4096, "csv": 1500, "json": 3000, "packed": 12_000, "parquet": 4000, "times": 600}
"""Bytes of an input: kernels as plain Python read about 100 kB a second."""

_MEMORY_MB: Final = 1200
"""Projected are 0.45 GB for a file as small as these; Python's own and libFuzzer's come on top."""

_PROGRESS: Final = re.compile(r"#(\d+)\s+(?:DONE|REDUCE|NEW|pulse|INITED|RELOAD).*?cov: (\d+)")
_MEMORY_FOLDER: Final = Path("/dev/shm")
"""Where the files go that inputs become: no disk is asked."""

_KEPT_BYTES: Final = 25_000
"""Of a reader's corpus that is kept in the repository."""


@dataclass
class Round:
    """What fuzzing one reader came to."""

    reader: str
    runs: int = 0
    edges: int = 0
    seconds: float = 0.0
    found: list[str] = field(default_factory=list)


def fuzz(reader: str, seconds: float, found: Path, grown: Path) -> Round:
    """Fuzz a reader for some seconds; what libFuzzer ends at (a hang, memory) is noted, and it is started again."""
    made = Round(reader)
    seeds = grown / "seeds"
    seeds.mkdir(parents=True)
    for place, data in enumerate(make_seeds(reader)):
        (seeds / f"seed-{place}").write_bytes(data)
    new = grown / "new"
    new.mkdir()
    since = time.monotonic()
    while (left := seconds - (time.monotonic() - since)) > 1:
        options = [
            *(f"-max_total_time={int(left)}", f"-max_len={_LONGEST[reader]}", f"-timeout={HANG_SECONDS}"),
            *(
                f"-rss_limit_mb={_MEMORY_MB}",
                f"-artifact_prefix={found}/{reader}-",
                "-print_final_stats=1",
                "-len_control=20",
            ),
        ]
        output = _run(reader, found, [*options, str(new), str(seeds), *_kept(reader)])
        progress = _PROGRESS.findall(output)
        if progress:
            made.runs += max(int(number) for number, _ in progress)
            made.edges = max(made.edges, *(int(edges) for _, edges in progress))
        ended = [line for line in output.splitlines() if line.startswith("==") or "SUMMARY" in line]
        if not progress or ended:
            (found / f"{reader}-{len(made.found)}.log").write_text(output)
        if not progress:
            made.found.append(f"{reader}: it did not start: {output.strip().splitlines()[-1:]}")
            break
    made.seconds = time.monotonic() - since
    made.found += describe(reader, found)
    return made


def describe(reader: str, found: Path) -> list[str]:
    """Return a line for each fault: its file, and the last line of its traceback."""
    lines = []
    for path in sorted(found.glob(f"{reader}-*")):
        if path.suffix == ".bin":
            text = path.with_suffix(".txt").read_text(errors="replace").strip().splitlines()
            lines.append(f"{path} ({path.stat().st_size} bytes): {text[-1][:200]}")
        elif path.suffix not in (".txt", ".log"):
            lines.append(f"{path} ({path.stat().st_size} bytes): {path.name.split('-')[1]}")
    return lines


def minimise(reader: str, grown: Path) -> int:
    """Keep the smallest inputs that reach all that was reached, up to a size; return their number."""
    merged = grown / "merged"
    merged.mkdir()
    _run(reader, grown, ["-set_cover_merge=1", str(merged), *_kept(reader), str(grown / "new"), str(grown / "seeds")])
    kept, size = CORPUS / reader, 0
    kept.mkdir(parents=True, exist_ok=True)
    for path in kept.iterdir():
        path.unlink()
    for path in sorted(merged.iterdir(), key=lambda each: (each.stat().st_size, each.name)):
        size += path.stat().st_size
        if size > _KEPT_BYTES:
            break
        (kept / path.name[:16]).write_bytes(path.read_bytes())
    return len(list(kept.iterdir()))


def _kept(reader: str) -> list[str]:
    folder = CORPUS / reader
    return [str(folder)] if folder.is_dir() else []


def _run(reader: str, found: Path, options: Sequence[str]) -> str:
    command = [sys.executable, "-m", "tests.fuzz.worker", reader, str(found)]
    itself = found / "itself"
    itself.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    itself.chmod(0o700)
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "FUZZ_ITSELF": str(itself)}
    if _MEMORY_FOLDER.is_dir():
        environment["TMPDIR"] = str(_MEMORY_FOLDER)
    done = subprocess.run(
        [*command, *options], env=environment, capture_output=True, check=False, cwd=Path(__file__).parents[2]
    )
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def main() -> None:
    """Be the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="for all readers together")
    parser.add_argument(
        "--reader", default="", help=f"some of {','.join(TARGETS)}, separated by commas; by default all"
    )
    parser.add_argument("--found", default="", help="folder for inputs that show a fault; by default a temporary one")
    parser.add_argument("--keep", action="store_true", help="keep what is new in tests/fuzz/corpus, made small")
    said = parser.parse_args()
    readers = [each for each in said.reader.split(",") if each] or [*TARGETS]
    unknown = [each for each in readers if each not in TARGETS]
    if unknown:
        parser.error(f"there is no reader {unknown[0]!r}; choose among {', '.join(TARGETS)}")
    found = Path(said.found or tempfile.mkdtemp(prefix="fuzz-found-")).absolute()
    found.mkdir(parents=True, exist_ok=True)
    rounds = []
    for reader in readers:
        with tempfile.TemporaryDirectory(prefix="fuzz-grown-") as folder:
            made = fuzz(reader, said.minutes * 60 / len(readers), found, Path(folder))
            rounds.append(made)
            click.echo(f"{reader}: {made.edges:,} edges covered, {made.runs:,} runs in {made.seconds:.0f} s")
            for line in made.found:
                click.echo(f"  {line}")
            if said.keep:
                click.echo(f"  {minimise(reader, Path(folder))} inputs kept")
    faults = sum(len(each.found) for each in rounds)
    click.echo(f"{sum(each.runs for each in rounds):,} runs, {faults} faults; what shows them is in {found}")
    sys.exit(1 if faults else 0)
