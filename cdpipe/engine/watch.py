"""Starting, asking and ending the sampling process (`cdpipe.engine.sampler`)."""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

from cdpipe.engine.accounts import Place
from cdpipe.engine.counters import describe_process
from cdpipe.engine.session import Session
from cdpipe.engine.shares import Seen
from cdpipe.engine.tasks import TaskBook

_PACKAGE: Final = Path(__file__).parents[1]
_START: Final = """
import sys, types
package = types.ModuleType("cdpipe")  # without its __init__, which needs third-party packages
package.__path__ = [sys.argv[1]]
sys.modules["cdpipe"] = package
from cdpipe.engine.sampler import main
main()
"""
_SET_PTRACER: Final = 0x59616D61  # PR_SET_PTRACER of linux/prctl.h
_RESTRICTED: Final = Path("/proc/sys/kernel/yama/ptrace_scope")


class Watch:
    """A sampling process, ready to begin; leave the block to end it.

    It is a child of this process, so whoever measures this process's tree leaves `pid` out.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own text, and this interpreter
            [sys.executable, "-I", "-S", "-c", _START, str(_PACKAGE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        allow_tracer(self.pid)

    def __enter__(self) -> Self:
        """Return it as it is."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.communicate()

    def prepare(self, what: Mapping[str, Any]) -> None:
        """Say what to watch, and wait until everything of it has been found.

        Parameters
        ----------
        what
            `roots`: processes whose trees are watched; `tables`: by process that keeps a `TaskBook`, where its table
            can be opened; `slots`: slots to account for; `cores`: of the machine, of which sampling may take 1 %.
        """
        self._say(json.dumps(what))
        self._hear()

    def begin(self) -> None:
        """Begin to count."""
        self._say("begin")

    def stop(self) -> None:
        """Stop counting."""
        self._say("stop")

    def read(self) -> dict[str, Any]:
        """Return what was seen, once stopped; the process stays until the block is left."""
        self._say("report")
        found: dict[str, Any] = json.loads(self._hear())
        return found

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the sampling process ended early, with status {self._process.wait()}")
        return line


class Watches:
    """The sampling processes of a session: one on each machine that works for it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._here = Watch()
        self._token = uuid4().hex
        self._elsewhere: dict[str, int] = {}
        self._addresses: dict[str, dict[int, str]] = {}
        self.pid = self._here.pid

    def __enter__(self) -> Self:
        """Return it as it is."""
        return self

    def __exit__(self, *stopped: object) -> None:
        """End all of them."""
        self._here.__exit__(*stopped)
        self._each("drop")

    def prepare(self, book: TaskBook, places: Mapping[str, Place]) -> None:
        """Start watching this process, and those that keep books."""
        here = describe_process()
        self._host = here.host
        own = Place(here.pid, book.descriptor, self._session.threads if self._session.runs_here else 0)
        hosts: dict[str, list[Place]] = {here.host: [own]}
        cores = {here.host: here.cores}
        for address, each in self._session.each_process(describe_process).items():
            if address in places:
                hosts.setdefault(each.host, []).append(places[address])
                self._addresses.setdefault(each.host, {})[each.pid] = address
                cores[each.host] = each.cores
        for host, found in hosts.items():
            what: dict[str, Any] = {
                "roots": [place.pid for place in found],
                "tables": {place.pid: f"/proc/{place.pid}/fd/{place.descriptor}" for place in found},
                "slots": min(sum(place.threads for place in found), cores[host]),
                "cores": cores[host],
            }
            if host == here.host:
                self._here.prepare(what)
                for place in found[1:]:
                    self._session.each_process(partial(_allow, place.pid, self.pid))
            else:
                self._elsewhere[host] = found[0].pid
                self._each("prepare", host=host, what=what)

    def begin(self) -> None:
        """Begin to count."""
        self._each("begin")
        self._here.begin()

    def stop(self) -> None:
        """Stop counting."""
        self._here.stop()
        self._each("stop")

    def read(self) -> Seen:
        """Return what was seen on all machines."""
        found = [self._understand(self._host, self._here.read())]
        found += [
            self._understand(host, report) for host in self._elsewhere for report in self._each("read", host=host)
        ]
        return Seen.join(found)

    def _understand(self, host: str, report: Mapping[str, Any]) -> Seen:
        """Name processes as the session does."""
        addresses = self._addresses.get(host, {})
        peaks = {addresses[int(pid)]: size for pid, size in report["peaks"].items() if int(pid) in addresses}
        return Seen(**{**report, "peaks": peaks})

    def _each(self, step: str, *, host: str | None = None, what: Mapping[str, Any] | None = None) -> list[Any]:
        """Have one process on each other machine, or on one of them, take a step with its sampling process."""
        answers = []
        for each, pid in self._elsewhere.items():
            if host in {None, each}:
                call = partial(_take_step, step, self._token, each, pid, what)
                answers += [answer for answer in self._session.each_process(call).values() if answer is not None]
        return answers


_WATCHES: dict[str, Watch] = {}
"""Sampling processes that this process has started for the client of a cluster, by the client's token."""


def _take_step(step: str, token: str, host: str, pid: int, what: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Do what a client asks; called in every process of its session, and meant for one."""
    here = describe_process()
    if (here.host, here.pid) != (host, pid):
        return None
    if step == "prepare":
        assert what is not None
        _WATCHES[token] = Watch()
        _WATCHES[token].prepare(what)
        return None
    if token not in _WATCHES:
        return None
    if step == "read":
        return _WATCHES[token].read()
    if step == "drop":
        _WATCHES.pop(token).__exit__()
        return None
    {"begin": _WATCHES[token].begin, "stop": _WATCHES[token].stop}[step]()
    return None


def _allow(pid: int, tracer: int) -> None:
    if pid == os.getpid():
        allow_tracer(tracer)


def allow_tracer(pid: int) -> None:
    """Let a process read what threads of this one wait for, where the kernel's Yama module allows it to no child."""
    if _RESTRICTED.exists() and _RESTRICTED.read_text(encoding="ascii").strip() == "1":
        ctypes.CDLL(None).prctl(_SET_PTRACER, ctypes.c_ulong(pid), 0, 0, 0)
