"""The measured clone: a copy of the project at HEAD in a folder of its own, in which plants are commits."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from .plants import Plant, plant

ROOT: Final = Path(__file__).resolve().parents[2]
_WHO: Final = ("-c", "user.name=cdpipe", "-c", "user.email=cdpipe@localhost")
_TIMES: Final = 5
_START: Final = 20.0
_TRIES: Final = 8

_TIMER: Final = """
import json, re, sys, time
sys.path.insert(0, sys.argv[1])
from benchmarks import gate
from benchmarks._sizes import FAMILIES
name = sys.argv[2]
rows = next(family.gate[-1] for family in FAMILIES.values() if re.match(family.names, f"gate.{name}."))
one = getattr(gate, name)()
one.ready(rows)
times = []
for _ in range(int(sys.argv[3])):
    one.ready(rows)
    begin = time.process_time()
    one.work(rows)
    times.append(time.process_time() - begin)
    one.teardown(rows)
print(json.dumps(min(times)))
"""


class Clone:
    """A clone of the project whose commits are measured.

    Parameters
    ----------
    folder
        Where it is, or will be: it is kept, and a later run goes on in it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        if not (folder / ".git").exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        self.base = self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        """Run git in the clone and return what it writes."""
        done = subprocess.run(["git", *_WHO, *words], cwd=self.path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def make_equal(self) -> str:
        """Commit nothing, and return the hash: another commit with the same files."""
        return self.git("commit-tree", f"{self.base}^{{tree}}", "-p", self.base, "-m", "the same")

    def make_planted(self, planted: Plant, level: float) -> str:
        """Commit a plant of about that size, and return the hash."""
        branch = f"planted-{planted.stage}-{planted.kind}-{level:g}"
        if self.git("branch", "--list", branch):
            return self.git("rev-parse", branch)
        amount = level * 1000 if planted.is_of_memory else self.calibrate(planted, level)
        self.git("checkout", "--quiet", "-b", branch, self.base)
        try:
            plant(self.path, planted, amount)
            self.git("add", "-A")
            self.git("commit", "--quiet", "--no-verify", "-m", f"{planted.name} {level:.0%}: amount {amount:.4g}")
            return self.git("rev-parse", "HEAD")
        finally:
            self.git("checkout", "--quiet", "--detach", self.base)

    def calibrate(self, planted: Plant, level: float) -> float:
        """Seek the amount whose cost is about `level` of the processor time; its truth is measured later."""
        self.git("checkout", "--quiet", "--detach", self.base)
        plant(self.path, planted, 0.0)
        try:
            bare, amount = self._time(planted, 0.0), _START
            for _ in range(_TRIES):
                extra = self._time(planted, amount) / bare - 1
                # What is too small to see says nothing of its cost: more of it is tried.
                if extra < level / 4:
                    amount *= 4
                else:
                    amount *= (level / extra) ** (1 / planted.power)
                    if abs(extra / level - 1) < 0.15:
                        break
                amount = min(amount, planted.most)
            return amount
        finally:
            self.git("checkout", "--quiet", "--force", self.base)
            self.git("clean", "-fdq", "cdpipe")

    def _time(self, planted: Plant, amount: float) -> float:
        command = [sys.executable, "-c", _TIMER, str(self.path), planted.stage.title(), str(_TIMES)]
        variables = {**os.environ, "CDPIPE_PLANTED": repr(amount), "PYTHONPATH": str(self.path)}
        done = subprocess.run(command, cwd=self.path, env=variables, check=True, capture_output=True, text=True)
        return float(json.loads(done.stdout.splitlines()[-1]))
