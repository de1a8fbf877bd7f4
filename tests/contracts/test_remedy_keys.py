"""Every configuration key that a bottleneck's remedy names is one that a run reads."""

import pytest

from cdpipe.config.model import RunConfig
from cdpipe.perf.analysis.causes import CAUSES
from cdpipe.perf.analysis.thresholds import RULES
from cdpipe.perf.settings.remedies import Situation, choose_remedies
from cdpipe.perf.settings.settings import read_settings
from cdpipe.profiling import _REMEDIES

OWN = read_settings(_REMEDIES).remedies
KEYS = sorted({key for own in OWN for key in own.remedy.keys})
STAGES = ("gather", "gather → clean → attack → features", "publish", "train", "clean/basic")
PARTS = (*STAGES, "kernel/wkt", "import")


def test_remedies_name_keys():
    assert len(KEYS) > 10


@pytest.mark.parametrize("key", KEYS)
def test_the_key_is_in_the_configuration(key):
    config = RunConfig(input={"paths": ["bsm.csv"]})
    table, name = key.split(".")
    assert name in type(getattr(config, table)).model_fields


@pytest.mark.parametrize("scheduler", ["threads", "local", "tcp://1.2.3.4:8786"])
@pytest.mark.parametrize("part", STAGES)
def test_each_finding_of_a_stage_has_a_remedy(part, scheduler):
    at = Situation(stage=part, scheduler=scheduler, slots=2, machine_cores=2)
    for finding in (*CAUSES, *RULES):
        assert choose_remedies(finding.code, finding.remedies, OWN, at), finding.code


@pytest.mark.parametrize("scheduler", ["threads", "local", "tcp://1.2.3.4:8786"])
@pytest.mark.parametrize("part", PARTS)
def test_no_remedy_is_named_that_cannot_work(part, scheduler):
    at = Situation(stage=part, scheduler=scheduler, slots=2, machine_cores=2)
    for finding in (*CAUSES, *RULES):
        chosen = choose_remedies(finding.code, finding.remedies, OWN, at)
        keys = {key for remedy in chosen for key in remedy.keys}
        if part in {"train", "kernel/wkt", "import"}:
            assert not keys & {"gather.block_mb", "cache.stages", "session.workers", "session.scheduler"}
        if scheduler == "threads":
            assert not any("run in this process's threads" in remedy.text for remedy in chosen)
            assert "session.workers" not in keys or finding.code == "A701"  # which leaves the threads


def test_more_cores_are_no_remedy_where_all_are_used():
    (a101,) = (cause for cause in CAUSES if cause.code == "A101")

    def texts(slots):
        at = Situation(stage="clean", scheduler="threads", slots=slots, machine_cores=4)
        return " ".join(remedy.text for remedy in choose_remedies("A101", a101.remedies, OWN, at))

    assert "use more cores of this machine" in texts(2)
    assert "use more cores of this machine" not in texts(4)
    assert "cluster of several" in texts(4)
