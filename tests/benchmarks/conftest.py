"""The suite as asv sees it, and a folder for its data sets that all test processes share."""

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

sys.path.insert(0, str(REPOSITORY))


@pytest.fixture(scope="session")
def described() -> list[dict[str, Any]]:
    """Every benchmark as asv describes it in `benchmarks.json`."""
    from asv_runner.discovery import list_benchmarks

    text = io.StringIO()
    list_benchmarks(str(REPOSITORY / "benchmarks"), text)
    return json.loads(text.getvalue())


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for data sets; test processes share it, as benchmarks do."""
    from benchmarks import _data

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "benchmark-data"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDPIPE_BENCH_DATA", str(folder))
        _data.need.cache_clear()
        yield folder
        _data.need.cache_clear()
