"""Every configuration key that a bottleneck's remedy names is one that a run reads."""

import pytest

from cdpipe.config.model import RunConfig
from cdpipe.perf.analysis.causes import CAUSES
from cdpipe.perf.analysis.thresholds import RULES

KEYS = sorted({key for finding in (*RULES, *CAUSES) for remedy in finding.remedies for key in remedy.keys})


def test_remedies_name_keys():
    assert len(KEYS) > 10


@pytest.mark.parametrize("key", KEYS)
def test_the_key_is_in_the_configuration(key):
    config = RunConfig(input={"paths": ["bsm.csv"]})
    table, name = key.split(".")
    assert name in type(getattr(config, table)).model_fields
