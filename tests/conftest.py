"""Fixtures that every room's tests share."""

import os

import disturbance
import pytest
from hypothesis import HealthCheck, settings

from cdpipe.config.model import parse_config
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams

pytest_plugins = ["measuring", "pytester"]

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
settings.register_profile("full", settings.get_profile("default"), max_examples=300)
settings.load_profile("default")

# Whatever these tests start is known by it, also where it is no descendant of this process.
os.environ[disturbance.MARK] = str(os.getpid())


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


@pytest.fixture(scope="module")
def threads():
    with open_session(SessionParams(threads_per_worker=2)) as session:
        yield session


@pytest.fixture(scope="module")
def local():
    with open_session(SessionParams(scheduler="local", workers=2, threads_per_worker=1)) as session:
        yield session


@pytest.fixture(params=["threads", "local"])
def session(request):
    return request.getfixturevalue(request.param)
