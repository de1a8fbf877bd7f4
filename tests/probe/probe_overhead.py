"""What the probe costs: known work with and without it, in turns, in one process. Run it on a quiet machine.

    python tests/engine/probe_overhead.py [--pairs N] [--only PART]

Prints for each kind of work the median of the paired ratios (with / without) of wall time, of this process's processor
time, and of the one divided by the other, each with a 95 % interval from resampling the pairs. The last is what the
looks take: a machine that is slower for a while makes both times longer alike. What a task's note takes comes first.
"""

import argparse
import hashlib
import json
import resource
import shutil
import sys
import tempfile
import time
import timeit
from functools import cache
from pathlib import Path

import dask
import numpy as np

import cdpipe
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.probe.probe import probe
from cdpipe.probe.recording.task_recorder import TaskBook, run_recorded
from cdpipe.stages.attacks import ATTACKS
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.synthetic.generator import SynthParams, synthesize

OFFSET = next(each for each in ATTACKS if each.model_fields["kind"].default == "offset_rand")
ROWS, BLOCK_MB = 2_000_000, 32
BLOCK = bytes(4_000_000)
RESAMPLES = 10_000
NOTES = 20_000


def hash_blocks(count):
    for _ in range(count):
        hashlib.sha256(BLOCK)


def add_up(count):
    return sum(range(count))


def task(function, *arguments):
    return dask.delayed(function, pure=False)(*arguments)


@cache
def csv_file():
    path = Path(tempfile.mkdtemp(prefix="cdpipe-overhead-")) / "messages.csv"
    synthesize(path, SynthParams(rows=ROWS))
    return path


def chain():
    """Lay all stages that work row by row over CSV text; returns the accounts, which need all of it."""
    frame, read = cdpipe.read(csv_file(), GatherParams(block_mb=BLOCK_MB))
    frame, cleaned = cdpipe.clean(frame)
    frame, attacked = cdpipe.attack(frame, OFFSET(ratio=0.3, seed=42))
    _frame, chosen = cdpipe.features(frame)
    return [read, cleaned, attacked, chosen]


KINDS = {
    f"the stages' chain on {ROWS:,} rows of CSV": chain,
    "16 tasks of 0.1 s without the GIL": lambda: [task(hash_blocks, 40) for _ in range(16)],
    "2,000 tasks of 0.2 ms with the GIL": lambda: [task(add_up, 10_000) for _ in range(2_000)],
}


def run_once(session, make, *, probed):
    """Run the work; returns wall and processor seconds of the part that the probe measures."""
    tasks = make()
    if not probed:
        before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        session.run(tasks)
        wall_s = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_SELF)
        return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, None
    with probe(session) as used:
        session.run(tasks)
    return used.wall_seconds, used.cpu_seconds, used.sampler_cpu_seconds


def interval(pairs):
    """Return the median of the ratios of pairs (with, without), shape (n, 2), and its 95 % interval."""
    ratios = pairs[:, 0] / pairs[:, 1]
    drawn = np.random.default_rng(0).choice(ratios, (RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return {"ratio": float(np.median(ratios)), "low": float(low), "high": float(high)}


def price_note():
    """Return how many microseconds a task takes longer for being noted, at best."""
    book = TaskBook(threads=2)
    prices = []
    for kept in (False, True):
        if kept:
            book.open()
        prices.append(min(timeit.repeat(lambda: run_recorded(int), repeat=7, number=NOTES)) / NOTES * 1e6)
    book.discard()
    return prices[1] - prices[0]


def measure(session, make, pairs):
    """Alternate, and let each order come as often as the other."""
    run_once(session, make, probed=True)
    walls, cpus, shares = [], [], []
    for pair in range(pairs):
        order = (False, True) if pair % 2 else (True, False)
        found = {probed: run_once(session, make, probed=probed) for probed in order}
        walls.append((found[True][0], found[False][0]))
        cpus.append((found[True][1], found[False][1]))
        shares.append(found[True][2] / found[True][0])
    walls, cpus = np.array(walls), np.array(cpus)
    return {
        "wall": interval(walls),
        "cpu_in_process": interval(cpus),
        "wall_by_cpu": interval(walls / cpus),
        "sampler_cores": float(np.median(shares)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--only", default="", help="work with this in its name")
    arguments = parser.parse_args()
    sys.stdout.write(json.dumps({"note_us": price_note()}) + "\n")
    with open_session(SessionParams(threads_per_worker=2)) as session:
        for name, make in KINDS.items():
            if arguments.only not in name:
                continue
            sys.stdout.write(
                json.dumps({"work": name, "pairs": arguments.pairs} | measure(session, make, arguments.pairs))
            )
            sys.stdout.write("\n")
            sys.stdout.flush()
    if csv_file.cache_info().currsize:
        shutil.rmtree(csv_file().parent)


if __name__ == "__main__":
    main()
