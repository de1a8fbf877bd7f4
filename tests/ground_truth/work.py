"""What tasks do: each function takes one thing, and a little of everything else. Workers of a cluster import it."""

import fcntl
import functools
import gc
import gzip
import hashlib
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np

BLOCK = bytes(4_000_000)
LOCK = threading.Lock()
ONE_AT_A_TIME = threading.BoundedSemaphore(1)
CONDITION = threading.Condition()
TAKEN = []
BURN = "import time\nwhile time.process_time() < {seconds}: pass"
PAGE_BYTES = 4096


def repeat_cpu(seconds, call):
    """Call until this thread has used its processor time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        call()


def repeat_wall(seconds, call):
    """Call until the time is over."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        call()


@numba.njit(nogil=True)
def xorshift(steps):
    """Mix the bits of a number so many times."""
    state = np.uint64(88172645463325252)
    for _ in range(steps):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
    return state


# Computing without the interpreter's lock.


def mix(cpu_s):
    repeat_cpu(cpu_s, functools.partial(xorshift, 2_000_000))


def digest(cpu_s):
    repeat_cpu(cpu_s, functools.partial(hashlib.sha256, BLOCK))


def digest_after(_before, cpu_s):
    digest(cpu_s)


def add_arrays(cpu_s):
    left, right, out = np.ones(4_000_000), np.ones(4_000_000), np.empty(4_000_000)
    repeat_cpu(cpu_s, lambda: np.add(left, right, out=out))


def multiply_matrices(wall_s):
    left = np.random.default_rng(1).random((700, 700))
    repeat_wall(wall_s, lambda: left @ left)


def sort_with_arrow(cpu_s):
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pa.array(np.random.default_rng(1).random(400_000))
    repeat_cpu(cpu_s, lambda: pc.array_sort_indices(values))


def parse_with_arrow(wall_s, text):
    """Parse CSV text on pyarrow's own threads."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    repeat_wall(wall_s, lambda: arrow_csv.read_csv(pa.py_buffer(text)))


def compress_with_arrow(cpu_s, codec, data):
    import pyarrow as pa

    repeat_cpu(cpu_s, lambda: pa.compress(data, codec=codec))


def read_parquet(path, times):
    import pyarrow.parquet as pq

    for _ in range(times):
        pq.read_table(path, use_threads=False)


def read_gzip(path, times):
    for _ in range(times):
        with gzip.open(path) as file:
            while file.read(4_000_000):
                pass


def read_whole(path, times):
    """Read from the start to the end into one buffer."""
    buffer = bytearray(4_000_000)
    for _ in range(times):
        with Path(path).open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def fit_forest(trees, features, labels):
    from sklearn.ensemble import RandomForestClassifier

    RandomForestClassifier(trees, n_jobs=2, random_state=1).fit(features, labels)


def digest_on_helpers(cpu_s):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(digest, [cpu_s] * 2))


def burn_in_child(cpu_s, timeout_s=None):
    """Wait for a child that computes; with a time limit Python looks at it again and again."""
    subprocess.run([sys.executable, "-I", "-S", "-c", BURN.format(seconds=cpu_s)], check=True, timeout=timeout_s)


# Computing that holds the interpreter's lock.


def count(cpu_s):
    repeat_cpu(cpu_s, lambda: sum(number * number for number in range(1000)))


def count_after(_before, cpu_s):
    count(cpu_s)


def parse_json(cpu_s):
    text = json.dumps([{"id": number, "name": str(number)} for number in range(300)])
    repeat_cpu(cpu_s, lambda: json.loads(text))


def sort_list(cpu_s):
    numbers = np.random.default_rng(1).random(60_000).tolist()
    repeat_cpu(cpu_s, lambda: sorted(numbers))


def apply_rows(cpu_s):
    import pandas as pd

    frame = pd.DataFrame({"x": range(200), "y": range(200)})
    repeat_cpu(cpu_s, lambda: frame.apply(lambda row: row["x"] + row["y"], axis=1))


def collect_garbage(cpu_s, objects):
    """Collect again and again, with many objects alive."""
    alive = [[number] for number in range(objects)]
    repeat_cpu(cpu_s, gc.collect)
    return len(alive)


# Waiting for one another.


def digest_locked(cpu_s):
    with LOCK:
        digest(cpu_s)


def sleep_locked(seconds):
    with LOCK:
        time.sleep(seconds)


def digest_often_locked(cpu_s, turns):
    for _ in range(turns):
        with LOCK:
            digest(cpu_s / turns)


def digest_mostly_locked(cpu_s, locked_share):
    digest(cpu_s * (1 - locked_share))
    with LOCK:
        digest(cpu_s * locked_share)


def mix_semaphore(cpu_s):
    with ONE_AT_A_TIME:
        mix(cpu_s)


def mix_when_told(cpu_s):
    """Compute while nobody else does, as a condition tells."""
    with CONDITION:
        CONDITION.wait_for(lambda: not TAKEN)
        TAKEN.append(1)
    mix(cpu_s)
    with CONDITION:
        TAKEN.clear()
        CONDITION.notify()


def digest_file_locked(path, cpu_s, how):
    with Path(path).open("a") as file:
        (fcntl.flock if how == "flock" else fcntl.lockf)(file, fcntl.LOCK_EX)
        digest(cpu_s)


def warm():
    """Compile, import and make all that tasks do only once."""
    import sklearn.ensemble  # noqa: F401

    xorshift(10)
    apply_rows(0.001)
    multiply_matrices(0.001)
    gc.collect()
    gc.freeze()  # looking through all that was imported takes 0.1 s, whenever Python next finds it is time to
