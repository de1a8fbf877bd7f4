"""Data of the contract tests, made once for all of them."""

import pytest
from contract_data import inputs_of_stages, write_dirty_csv

from cdpipe import read


@pytest.fixture(scope="session")
def dirty_csv(tmp_path_factory):
    """A CSV of dirty synthetic messages with lines that are no records."""
    path = tmp_path_factory.mktemp("messages") / "dirty.csv"
    write_dirty_csv(path)
    return path


@pytest.fixture(scope="session")
def raw(dirty_csv):
    """The messages of `dirty_csv` as a typed frame."""
    return read(dirty_csv)[0].compute(scheduler="sync")


@pytest.fixture(scope="session")
def stage_inputs(raw):
    """What each stage is given."""
    return inputs_of_stages(raw)
