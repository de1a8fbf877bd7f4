"""Work whose bottleneck is known by construction, small enough to run in every test."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import dask
import disturbance

BLOCK = bytes(4_000_000)
BURN = "import time\nwhile time.process_time() < {seconds}: pass"


def hash_for(cpu_seconds):
    """Use a core without the GIL."""
    end = time.thread_time() + cpu_seconds
    while time.thread_time() < end:
        hashlib.sha256(BLOCK)


def count_for(cpu_seconds):
    """Use a core with the GIL held."""
    end = time.thread_time() + cpu_seconds
    while time.thread_time() < end:
        sum(range(1000))


def hash_locked(lock, cpu_seconds):
    with lock:
        hash_for(cpu_seconds)


def hash_on_helpers(cpu_seconds):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(hash_for, [cpu_seconds] * 2))


def sleep_on_helpers(seconds):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(time.sleep, [seconds] * 2))


def sleep_locked(lock, seconds):
    with lock:
        time.sleep(seconds)


def poll_child(cpu_seconds):
    subprocess.run([sys.executable, "-I", "-S", "-c", BURN.format(seconds=cpu_seconds)], check=True, timeout=600)


def burn_in_child(cpu_seconds):
    subprocess.run([sys.executable, "-I", "-S", "-c", BURN.format(seconds=cpu_seconds)], check=True)


def sleep_in_child(seconds):
    subprocess.run([sys.executable, "-I", "-S", "-c", f"import time; time.sleep({seconds})"], check=True)


def sync_writes(path, seconds):
    """Write and sync until the time is over; returns the mean time of a sync, in seconds."""
    end, syncs = time.perf_counter() + seconds, 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while time.perf_counter() < end:
            os.pwrite(descriptor, b"1" * 4096, 0)
            os.fsync(descriptor)
            syncs += 1
    finally:
        os.close(descriptor)
    return seconds / syncs


def make_strings(count):
    return [str(number) for number in range(count)]


def take(*parts):
    return len(parts)


def task(function, *arguments):
    return dask.delayed(function, pure=False)(*arguments)


def chain(links, cpu_seconds):
    def link(_before, seconds):
        hash_for(seconds)

    last = None
    for _ in range(links):
        last = task(link, last, cpu_seconds)
    return [last]


def quiet(shares):
    """The shares without what other programs took, added up to 1 again."""
    return {name: share / (1 - shares["contention"]) for name, share in shares.items() if name != "contention"}


class Busy:
    """Another program, no descendant of this one, that has a core busy for as long as the block lasts."""

    def __enter__(self):
        shell = '"$0" -I -S -c "while True: pass" >/dev/null 2>&1 & echo $!'
        started = subprocess.run(["/bin/sh", "-c", shell, sys.executable], capture_output=True, text=True, check=True)
        self._pid = int(started.stdout)
        return self

    def __exit__(self, *_):
        disturbance.count_ended(self._pid)
        os.kill(self._pid, signal.SIGKILL)


LOCK = threading.Lock()
