"""Fixtures that every room's tests share, and how those that measure are run."""

import contextlib
import functools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cdpipe.config import parse_config

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
settings.load_profile("default")

ATTEMPTS = 3


def pytest_itemcollected(item):
    """Let a test that measures do so again: beside other programs a figure is off once, a wrong one each time."""
    if item.get_closest_marker("measuring"):
        item.obj = try_again(item.obj)


def try_again(test):
    @functools.wraps(test)
    def attempt(*args, **kwargs):
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(AssertionError):
                return test(*args, **kwargs)
        return test(*args, **kwargs)

    return attempt


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real messages and published vectors; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data (real messages and published vectors), which is not beside this checkout")
    return folder


@pytest.fixture
def configure_run(tmp_path):
    """Make the configuration of a small run: one quick classifier, cache and output of its own."""

    def made(source, *, block_mb, **tables):
        given = {
            "input": {"paths": [str(source)]},
            "gather": {"block_mb": block_mb},
            "train": {"classifiers": ["DecisionTree"]},
            "cache": {"directory": str(tmp_path / "cache")},
            "output": {"directory": str(tmp_path / "out")},
        }
        return parse_config(given | tables)

    return made
