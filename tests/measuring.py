"""Tests that measure: judged on a quiet machine alone, measured again or else skipped.

A pytest plugin. Where an assertion of a test marked `measuring` fails, what others did to the processors meanwhile
decides: see `measure`. In a process of pytest-xdist such a test is skipped: others run beside it, and the threads that
such a process has of its own are seen in what is measured.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import disturbance
import pytest

QUIET_FAILURES = 2
ATTEMPTS = 6
PATIENCE_S = 120.0


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
    if item.get_closest_marker("measuring") is None:
        return
    if hasattr(item.config, "workerinput"):
        item.add_marker(pytest.mark.skip(reason="measures: run it without -n"))
    else:
        item.obj = _measure_again(item.obj, item.config.stash.setdefault(_PATIENCE, Patience()))


def _measure_again(test: Callable[..., Any], patience: Patience) -> Callable[..., Any]:
    @functools.wraps(test)
    def measured(*args: Any, **kwargs: Any) -> Any:
        return measure(functools.partial(test, *args, **kwargs), name=test.__name__, patience=patience)

    return measured
