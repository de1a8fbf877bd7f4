"""What a run would do, held against what it does."""

import gzip

import pytest
from observing import observing

from cdpipe import run
from cdpipe.checking import check
from cdpipe.config.model import parse_config
from cdpipe.synthetic.generator import SynthParams, synthesize


@pytest.fixture
def configure(tmp_path):
    synthesize(tmp_path / "m.csv", SynthParams(rows=2_000, vehicles=20))

    def configured(**tables):
        given = {
            "input": {"paths": [str(tmp_path / "m.csv")]},
            "gather": {"block_mb": 0.15},
            "train": None,
            "cache": {"directory": tmp_path / "cache"},
            "output": {"directory": tmp_path / "out"},
        }
        return parse_config(given | tables)

    return configured


@pytest.mark.parametrize("attack", ["offset_rand", "swap_rand"])
def test_it_says_what_the_run_then_does(configure, tmp_path, attack):
    config = configure(attack={"kind": attack})
    for expected in ((), ("gather", "clean", "attack", "features")):
        found, told = check(config), []
        report = run(config, observer=observing(on_partition=lambda *event, told=told: told.append(event)))
        seen = {part: total for part, _, total, _ in told}
        assert found.cached == expected
        assert list(found.passes) == list(seen)
        assert found.projection.needed_bytes == report.projections[0][1]
        if not expected:
            (file,) = found.files
            assert file.partitions == seen["gather → clean"]
            assert (file.format, file.bytes) == ("csv", (tmp_path / "m.csv").stat().st_size)


def test_a_changed_attack_would_begin_after_gathering_with_its_survey(configure):
    run(configure(cache={**configure().cache.model_dump(), "stages": ["clean"]}))
    changed = configure(attack={"kind": "swap_rand"}, cache={**configure().cache.model_dump(), "stages": ["clean"]})
    found = check(changed)
    assert found.cached == ("gather", "clean")
    assert found.passes == ("survey for attack", "attack → features")


def test_nothing_is_written_but_an_empty_cache(configure, tmp_path):
    packed = tmp_path / "m.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "m.csv").read_bytes()))
    found = check(configure(input={"paths": [str(packed)]}, cache={"enabled": False}))
    assert found.files[0].path == str(packed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.csv", "m.csv.gz"]
