"""A process of its own that watches the memory of its parent's tree: it needs no GIL but its own, and no package.

Reads `begin` and `end` from its input, a word a line; answers the first with the bytes that the tree holds, the second
with the most it has held since. Started by `benchmarks._memory_type`; ends when its input does.
"""

import os
import re
import select
import sys

LOOK_SECONDS = 0.004
EXACT_SECONDS = 0.05
"""How often the exact figure is read where nothing seems to change; memory can grow where resident sizes do not."""

GROWTH = 1.005
FORKED_BUT_NO_PROGRAM = 0x40  # PF_FORKNOEXEC of Linux's include/linux/sched.h
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
OWN = re.compile(rb"^(?:Pss_Anon|Pss_Shmem):\s+(\d+) kB", re.MULTILINE)
FILES = re.compile(rb"^RssFile:\s+(\d+) kB", re.MULTILINE)


def read(path):
    """Return a file of /proc, empty if it is gone."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - many times a second, and pathlib takes 10 ms to import
            return stream.read()
    except OSError:
        return b""


def list_tree(root):
    """Return a process and its descendants, but for this one and for children that have no program of their own yet.

    From `vfork` until it starts its program, a child runs in its parent's memory, and /proc shows that for both.
    """
    found, pending = set(), [root]
    while pending:
        pid = pending.pop()
        if pid in found or pid == os.getpid():
            continue
        found.add(pid)
        try:
            threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - as above
        except OSError:
            continue
        for thread in threads:
            pending.extend(map(int, read(f"/proc/{pid}/task/{thread}/children").split()))
    return {pid for pid in found if pid == root or not borrows_memory(pid)}


def borrows_memory(pid):
    """Tell whether a child has just been forked and shares all memory with its parent."""
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if not fields or not int(fields[6]) & FORKED_BUT_NO_PROGRAM:
        return False
    parent = int(fields[1])
    return read(f"/proc/{pid}/statm") == read(f"/proc/{parent}/statm")


def resident(pids):
    """Return resident set sizes added up: a page that processes share counts in each. Cheap."""
    total = 0
    for pid in pids:
        fields = read(f"/proc/{pid}/statm").split()
        total += int(fields[1]) * PAGE_BYTES if fields else 0
    return total


def occupied(pids):
    """Return what processes occupy, each page once: their own memory, and mapped files of the one that maps most."""
    own = files = 0
    for pid in pids:
        shares = OWN.findall(read(f"/proc/{pid}/smaps_rollup"))
        if len(shares) == 2:
            own += 1024 * sum(map(int, shares))
            mapped = FILES.search(read(f"/proc/{pid}/status"))
            files = max(files, 1024 * int(mapped[1]) if mapped else 0)
        elif resident([pid]):
            sys.exit("the kernel does not show what process shares which page (/proc/PID/smaps_rollup)")
    return own + files


def watch(root):
    """Watch until a line comes in; return the most that the tree held, in bytes."""
    peak = highest = 0
    known, rest_seconds = set(), 0.0
    ended = False
    while not ended:
        pids = list_tree(root)
        size = resident(pids)
        if pids != known or size > GROWTH * highest or rest_seconds >= EXACT_SECONDS:
            peak = max(peak, occupied(pids))
            highest = size if pids != known else max(size, highest)
            known, rest_seconds = pids, 0.0
        ended = bool(select.select([0], [], [], LOOK_SECONDS)[0])
        rest_seconds += LOOK_SECONDS
    return max(peak, occupied(list_tree(root)))


def main():
    """Answer until the input ends."""
    root = os.getppid()
    peak = 0
    while line := read_line():
        if line == "begin":
            say(occupied(list_tree(root)))
            peak = watch(root)
        else:
            say(peak)


def read_line():
    """Return a line of the input, byte by byte: what is buffered, `select` does not see."""
    line = b""
    while (byte := os.read(0, 1)) not in {b"", b"\n"}:
        line += byte
    return line.decode()


def say(number):
    """Answer."""
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
