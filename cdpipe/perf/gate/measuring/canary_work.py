"""The canary's work: a script that runs with the standard library alone, and prints its seconds.

It sorts, hashes and walks memory for a fixed amount: none of it is the project's. Where it takes another time than
before, the machine has changed, and no benchmark of that round is believed.
"""

import hashlib
import random
import sys
import time

_REPEATS = 5


def work() -> int:
    """Do a fixed amount of work and return a number that depends on all of it."""
    numbers = random.Random(7)  # noqa: S311 - a fixed sequence is wanted
    values = sorted(numbers.random() for _ in range(40_000))
    table = {int(value * 1e9): place for place, value in enumerate(values)}
    block = bytes(range(256)) * 4096
    digest = hashlib.sha256(block).digest()
    copied = bytearray(block) + bytearray(block)
    return len(table) + digest[0] + copied[-1]


def main() -> None:
    """Print the seconds of the fastest of a few times."""
    work()
    least = float("inf")
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - begin)
    sys.stdout.write(f"{least!r}\n")


if __name__ == "__main__":
    main()
