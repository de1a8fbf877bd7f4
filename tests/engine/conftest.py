"""Sessions and cache folders that several modules use."""

import pytest

from cdpipe.engine.cache import CacheParams, Store
from cdpipe.engine.session import SessionParams, open_session


@pytest.fixture
def params(tmp_path):
    return CacheParams(directory=tmp_path / "cache")


@pytest.fixture
def store(params):
    with Store(params) as opened:
        yield opened


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
