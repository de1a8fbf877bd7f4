"""Starting, asking and ending the sampling process (`cdpipe.probe.sampling.process`), which never decides over the run.

Whoever measures waits for it no longer than `PATIENCE_S`; then it is killed, and nothing is known of what it saw.
"""

import ctypes
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

from cdpipe.probe.interface import ProbedSession
from cdpipe.probe.recording.task_figures import Place
from cdpipe.probe.recording.task_recorder import TaskBook
from cdpipe.probe.slot_shares import Seen
from cdpipe.probe.system.counters import describe_process

PATIENCE_S: Final = 10.0
"""How long the sampling process may take for a step: milliseconds alone, on a machine that is overloaded a second."""

_PIECE_BYTES: Final = 1 << 16
_PACKAGE: Final = Path(__file__).parents[1]
_START: Final = """
import sys, types
package = types.ModuleType("cdpipe")  # without its __init__, which needs third-party packages
package.__path__ = [sys.argv[1]]
sys.modules["cdpipe"] = package
from cdpipe.probe.sampling.process import main
main()
"""
_SET_PTRACER: Final = 0x59616D61  # PR_SET_PTRACER of linux/prctl.h
_RESTRICTED: Final = Path("/proc/sys/kernel/yama/ptrace_scope")


class WatchError(RuntimeError):
    """The sampling process cannot tell what it saw; the message says why."""


class Watch:
    """A sampling process, ready to begin; leave the block to end it.

    It is a child of this process, so whoever measures this process's tree leaves `pid` out. Every step takes no longer
    than `PATIENCE_S`. Where one fails the process is ended at once.

    Raises
    ------
    WatchError
        If it cannot be started; so does each step, if the process has ended or does not answer.
    """

    def __init__(self) -> None:
        if not sys.executable:
            raise WatchError("no sampling process can be started, since Python does not know its own program")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own text, and this interpreter
                [sys.executable, "-I", "-S", "-c", _START, str(_PACKAGE)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what it dies of it says itself
                bufsize=0,
            )
        except OSError as error:
            raise WatchError(f"no sampling process can be started ({error.strerror})") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        os.set_blocking(self._to.fileno(), False)
        os.set_blocking(self._from.fileno(), False)
        self._heard = b""
        self.pid = self._process.pid
        allow_tracer(self.pid)

    def __enter__(self) -> Self:
        """Return it as it is."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the process: it does so by itself when nobody can say more to it, and is killed if it does not."""
        self._to.close()
        try:
            if kind is None:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(PATIENCE_S)
        finally:
            self._end()

    def prepare(self, what: Mapping[str, Any]) -> None:
        """Say what to watch, and wait until everything of it has been found.

        Parameters
        ----------
        what
            `roots`: processes whose trees are watched; `tables`: by process that keeps a `TaskBook`, where its table
            can be opened; `slots`: slots to account for; `cores`: of the machine; sampling may take 0.6 % of them.
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
        return self._hear()

    def _say(self, line: str) -> None:
        left, deadline_s = memoryview(f"{line}\n".encode()), time.monotonic() + PATIENCE_S
        while left:
            self._await(self._to.fileno(), select.POLLOUT, deadline_s)
            try:
                left = left[os.write(self._to.fileno(), left) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self._fail() from None

    def _hear(self) -> dict[str, Any]:
        deadline_s = time.monotonic() + PATIENCE_S
        while b"\n" not in self._heard:
            self._await(self._from.fileno(), select.POLLIN, deadline_s)
            piece = os.read(self._from.fileno(), _PIECE_BYTES)
            if not piece:
                raise self._fail()
            self._heard += piece
        line, _, self._heard = self._heard.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise self._fail(f"the sampling process failed ({answer['failed']})")
        return answer

    def _await(self, descriptor: int, event: int, deadline_s: float) -> None:
        """Wait until a pipe can be read or written, or has no other end."""
        ready = select.poll()
        ready.register(descriptor, event)
        if not ready.poll(max(0.0, 1e3 * (deadline_s - time.monotonic()))):
            raise self._fail(f"the sampling process has not answered for {PATIENCE_S:g} s")

    def _fail(self, why: str | None = None) -> WatchError:
        """End the process, and return what to raise; it has ended by itself unless there is a reason."""
        if why is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE_S)
            why = f"the sampling process ended early, with status {self._process.returncode}"
        self._end()
        return WatchError(why)

    def _end(self) -> None:
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # the kernel may hold it at a disk; it is waited for some other time
            self._process.wait(PATIENCE_S)
        self._to.close()
        self._from.close()


class Watches:
    """The sampling processes of a session: one on each machine that works for it.

    Raises
    ------
    WatchError
        From each step, if one of them fails.
    """

    def __init__(self, session: ProbedSession) -> None:
        self._session = session
        self._here = Watch()
        self._token = f"{session.client_name} {uuid4().hex}"
        self._elsewhere: dict[str, int] = {}
        self._addresses: dict[str, dict[int, str]] = {}
        self.pid = self._here.pid

    def __enter__(self) -> Self:
        """Return it as it is."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End all of them."""
        try:
            self._here.__exit__(kind)
        finally:
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
        for answer in answers:
            if "failed" in answer:
                raise WatchError(answer["failed"])
        return answers


_WATCHES: dict[str, Watch] = {}
"""Sampling processes that this process has started for the client of a cluster, by the client's name and a token."""


def end_watches(client: str) -> None:
    """End the sampling processes that this process has started for a client, which asks no more."""
    for token in [each for each in _WATCHES if each.startswith(f"{client} ")]:
        _WATCHES.pop(token).__exit__(RuntimeError)


def _take_step(step: str, token: str, host: str, pid: int, what: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Do what a client asks; called in every process of its session, and meant for one."""
    here = describe_process()
    if (here.host, here.pid) != (host, pid):
        return None
    try:
        return _step(step, token, what)
    except WatchError as error:
        return {"failed": f"on {os.uname().nodename}: {error}"}


def _step(step: str, token: str, what: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if step == "prepare":
        assert what is not None
        _WATCHES[token] = Watch()
        _WATCHES[token].prepare(what)
    elif step == "drop" and token in _WATCHES:
        _WATCHES.pop(token).__exit__(None)
    elif step == "read" and token in _WATCHES:
        return _WATCHES[token].read()
    elif token in _WATCHES:
        {"begin": _WATCHES[token].begin, "stop": _WATCHES[token].stop}[step]()
    return None


def _allow(pid: int, tracer: int) -> None:
    if pid == os.getpid():
        allow_tracer(tracer)


def allow_tracer(pid: int) -> None:
    """Let a process read what threads of this one wait for, where the kernel's Yama module allows it to no child."""
    if _RESTRICTED.exists() and _RESTRICTED.read_text(encoding="ascii").strip() == "1":
        ctypes.CDLL(None).prctl(_SET_PTRACER, ctypes.c_ulong(pid), 0, 0, 0)
