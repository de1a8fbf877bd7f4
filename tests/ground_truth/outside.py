"""What tasks wait for, and what they hand over: disks, servers, children, results. Workers of a cluster
import it."""

import asyncio
import functools
import mmap
import os
import random
import sqlite3
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil

from .work import LOCK, digest, mix, repeat_wall, xorshift

PAGE_BYTES = 4096


# The disk.


def sync_writes(path, wall_s, size):
    """Write and sync until the time is over."""
    data, descriptor = os.urandom(size), os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        repeat_wall(wall_s, lambda: (os.pwrite(descriptor, data, 0), os.fsync(descriptor)))
    finally:
        os.close(descriptor)


def sync_locked(path, wall_s, size):
    with LOCK:
        sync_writes(path, wall_s, size)


def write_through(path, wall_s):
    """Write to a file that waits for the disk at each call."""
    data, descriptor = bytes(PAGE_BYTES), os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DSYNC)
    try:
        repeat_wall(wall_s, lambda: os.pwrite(descriptor, data, 0))
    finally:
        os.close(descriptor)


def commit_rows(path, wall_s):
    """Insert rows into a database, each in a transaction of its own."""
    with sqlite3.connect(path, isolation_level=None) as base:
        base.execute("create table if not exists rows (n)")
        repeat_wall(wall_s, lambda: base.execute("insert into rows values (1)"))
    base.close()


def sync_and_digest(path, cpu_s, wall_s, turns):
    """Alternate between synced writes and computing."""
    for _ in range(turns):
        sync_writes(path, wall_s / turns, PAGE_BYTES)
        digest(cpu_s / turns)


def drop_cached(path):
    """Have the kernel forget a file's pages."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _pages(path, part, parts, pages):
    """Return `pages` places in one of `parts` equal parts of a file, none twice, in random order."""
    width = Path(path).stat().st_size // PAGE_BYTES // parts
    return [PAGE_BYTES * (part * width + page) for page in random.Random(part).sample(range(width), pages)]


def read_pages(path, part, parts, pages):
    """Read single pages in random order, without reading ahead."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        for place in _pages(path, part, parts, pages):
            os.pread(descriptor, PAGE_BYTES, place)
    finally:
        os.close(descriptor)


def map_pages(path, part, parts, pages):
    """Touch single pages of a mapped file in random order."""
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        mapped.madvise(mmap.MADV_RANDOM)
        return sum(mapped[place] for place in _pages(path, part, parts, pages))


def read_part(path, part, parts, _times):
    """Read one of equal parts of a file from its start to its end, through the page cache."""
    width = Path(path).stat().st_size // parts
    with Path(path).open("rb", buffering=0) as file:
        file.seek(part * width)
        for _ in range(width // 1_000_000):
            file.read(1_000_000)


def read_blocks(path, part, parts, times):
    """Read blocks of 2 MiB past the page cache, over and over."""
    size = 2 << 20
    width = Path(path).stat().st_size // parts // size
    buffer, descriptor = mmap.mmap(-1, size), os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        for turn in range(times):
            os.preadv(descriptor, [buffer], size * (part * width + turn % width))
    finally:
        os.close(descriptor)
        buffer.close()


# Waiting for what is outside.


def fetch(url):
    with urllib.request.urlopen(url, timeout=120) as answer:
        return len(answer.read())


def fetch_often(url, times):
    return sum(fetch(url) for _ in range(times))


def fetch_on_helpers(url, times):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fetch, [url] * times))


def sleep_on_helpers(seconds):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(time.sleep, [seconds] * 2))


def sleep_in_loop(seconds):
    asyncio.run(asyncio.sleep(seconds))


def sleep_in_child(seconds):
    subprocess.run(["/bin/sleep", str(seconds)], check=True)


def sleep_and_mix(sleep_s, cpu_s, turns):
    for _ in range(turns):
        time.sleep(sleep_s / turns)
        mix(cpu_s / turns)


# What workers hand to each other.


def make_objects(kind, size):
    """Return new ones."""
    if kind == "tuples":
        return [(number, str(number), 0.5 * number) for number in range(size)]
    if kind == "dictionaries":
        return [{"id": str(number), "x": number} for number in range(size)]
    return np.random.default_rng(1).integers(0, 255, size, dtype=np.uint8)


_objects = functools.cache(make_objects)


def have_ready(kind, size):
    """Make what will be given, for a whole process."""
    _objects(kind, size)


def give(kind, size, *_numbers):
    """Return what is ready: giving it costs no time in the task."""
    return _objects(kind, size)


def take(*parts):
    """Do nothing with what was handed over."""
    return len(parts)


def hold(size, wall_s):
    """Keep so many bytes for a while, computing."""
    ballast = bytearray(b"1") * size
    repeat_wall(wall_s, functools.partial(xorshift, 2_000_000))
    return len(ballast)


def hold_up_to(size, wall_s):
    """Have the process hold so many bytes in all for a while, computing."""
    return hold(size - psutil.Process().memory_info().rss, wall_s)


def make_bytes(size, _number):
    return os.urandom(1000) * (size // 1000)
