"""Three pieces of work, each bound by something else: computing, waiting, and nothing to do on the second slot."""

import hashlib
import time

from cdpipe.probe.benchmark import Probed


class Digest(Probed):
    """Computing, on one thread."""

    params = [[200_000, 2_000_000]]
    param_names = ["n"]
    order = "linear"

    def setup(self, n):
        self.data = bytes(n)

    def work(self, n):
        for _ in range(20):
            hashlib.sha256(self.data).digest()


class Answer(Probed):
    """Waiting for something outside."""

    params = [[0.1]]
    param_names = ["seconds"]

    def work(self, seconds):
        time.sleep(seconds)


class HalfIdle(Probed):
    """One thread of two computes."""

    slots = 2

    def work(self):
        sum(range(2_000_000))
