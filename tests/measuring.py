"""Tests that measure: run by themselves, judged on a quiet machine alone, measured again or else skipped.

A pytest plugin. Tests marked `measuring` come first, while no other process of the same run does anything. Where an
assertion of one fails, what others did to the processors meanwhile decides: see `measure`.
"""

import fcntl
import functools
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import disturbance
import pytest

QUIET_FAILURES = 2
ATTEMPTS = 6
PATIENCE_S = 120.0

_GATE, _FLOOR = 0, 1
"""Bytes that are locked. Who measures keeps both; the others pass the gate first, so that they cannot keep it out."""

_TURNS = pytest.StashKey[IO[str]]()


@dataclass
class Patience:
    """Seconds that all tests together may yet spend in measuring again on a machine that is not quiet."""

    left_s: float = PATIENCE_S


_PATIENCE = pytest.StashKey[Patience]()


def measure(
    test: Callable[[], Any],
    *,
    name: str,
    patience: Patience,
    watch: Callable[[], Callable[[], disturbance.Disturbance]] = disturbance.watch,
) -> Any:
    """Call a test until it passes, until it failed twice on a quiet machine, or until there is no more patience.

    Raises
    ------
    AssertionError
        The test's own, if the machine was quiet while it failed for the second time.
    pytest.skip.Exception
        If it never passed, and did not fail twice on a quiet machine; says what the others did.
    """
    quiet, said = 0, ""
    for _ in range(ATTEMPTS):
        start_s, tell = time.monotonic(), watch()
        try:
            return test()
        except AssertionError:
            reason = tell().reason
            quiet += reason is None
            if quiet == QUIET_FAILURES:
                raise
            if reason:
                said = reason
                patience.left_s -= time.monotonic() - start_s
                if patience.left_s < 0:
                    break
    pytest.skip(f"{name}: {said}")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Have a test that measures do so again, the function alone: fixtures stay as they are."""
    if is_measuring(item):
        item.obj = _measure_again(item.obj, item.config.stash.setdefault(_PATIENCE, Patience()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have those that measure come first: a process that has done little disturbs them least."""
    items.sort(key=lambda item: not is_measuring(item))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Open the file whose locks say which of several processes may run a test."""
    if hasattr(session.config, "workerinput"):
        path = Path(tempfile.gettempdir(), f"cdpipe-tests-{session.config.workerinput['testrunuid']}")
        session.config.stash[_TURNS] = path.open("w+")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave no file behind."""
    if _TURNS in session.config.stash:
        Path(session.config.stash[_TURNS].name).unlink(missing_ok=True)
        session.config.stash[_TURNS].close()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Wait until no test that measures runs elsewhere; one that measures, until none runs. No timeout counts this."""
    file = item.config.stash.get(_TURNS, None)
    if file is None:
        return (yield)
    if is_measuring(item):
        for byte in (_GATE, _FLOOR):
            fcntl.lockf(file, fcntl.LOCK_EX, 1, byte)
    else:
        for kind, byte in ((fcntl.LOCK_SH, _GATE), (fcntl.LOCK_UN, _GATE), (fcntl.LOCK_SH, _FLOOR)):
            fcntl.lockf(file, kind, 1, byte)
    try:
        return (yield)
    finally:
        if not is_measuring(item) or nextitem is None or not is_measuring(nextitem):
            fcntl.lockf(file, fcntl.LOCK_UN)


def is_measuring(item: pytest.Item) -> bool:
    """Return True if a test measures."""
    return item.get_closest_marker("measuring") is not None


def _measure_again(test: Callable[..., Any], patience: Patience) -> Callable[..., Any]:
    @functools.wraps(test)
    def measured(*args: Any, **kwargs: Any) -> Any:
        return measure(functools.partial(test, *args, **kwargs), name=test.__name__, patience=patience)

    return measured
