"""Sessions and cache folders that several modules use."""

import pytest

from cdpipe.engine.cache.store import CacheParams, Store


@pytest.fixture
def params(tmp_path):
    return CacheParams(directory=tmp_path / "cache")


@pytest.fixture
def store(params):
    with Store(params) as opened:
        yield opened
