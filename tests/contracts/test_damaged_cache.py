"""A run never publishes, learns from or fails because of what is damaged in the cache."""

import random

import pytest
from contract_data import config_of, metrics_of, read_dataset, write_dirty_csv

from cdpipe import run
from cdpipe.engine.cache.store import CacheWarning
from cdpipe.engine.files.rejects import REJECTS
from cdpipe.engine.outputs.output_folder import Results


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "m.csv"
    write_dirty_csv(path, rows=600, every=50)
    return path


@pytest.fixture
def configured(messages, tmp_path):
    def configure(**tables):
        return config_of([messages], tmp_path, **{"gather": {"block_mb": 0.06}, **tables})

    return configure


def flip(path, draw):
    """Flip a bit of a file where it stands."""
    place, bit = draw.randrange(path.stat().st_size), draw.randrange(8)
    with path.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)[0]
        stream.seek(place)
        stream.write(bytes([byte ^ (1 << bit)]))


def results(out):
    return {
        path.relative_to(out): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.suffix in {".parquet", ".jsonl"}
    }


def newest(cache, name):
    """Files of the features' entry."""
    return [
        path
        for manifest in cache.glob("??/*/manifest.json")
        if b'"stage": "features",\n "key"' in manifest.read_bytes()
        for path in sorted(manifest.parent.glob(name))
    ]


@pytest.mark.parametrize("name", ["part-*", REJECTS])
@pytest.mark.parametrize("dataset", [True, False])
def test_a_flipped_bit_is_not_published(configured, tmp_path, name, dataset):
    config = configured(output={"dataset": dataset})
    cold = run(config)
    sound, draw = results(tmp_path / "out"), random.Random(name)
    flip(draw.choice(newest(tmp_path / "cache", name)), draw)
    with pytest.warns(CacheWarning, match=f"was damaged and is gone: .*{name[:4]}.* has other bytes") as told:
        again = run(config)
    assert len(told) == (2 if name == REJECTS else 1)  # both entries share the rejects file
    assert results(tmp_path / "out") == sound
    assert again.ledgers == cold.ledgers
    assert metrics_of(again) == metrics_of(cold)
    assert again.cache == {"features": "miss", "gather": "miss" if name == REJECTS else "hit"}
    assert len(again.projections) == len(cold.projections)
    assert run(config).cache == {"features": "hit"}
    assert list((tmp_path / "out").glob(".scratch-*")) == []


def test_a_flipped_bit_that_comes_after_publishing_is_not_learnt_from(configured, tmp_path, monkeypatch):
    config = configured()
    cold = run(config)
    sound, add, flipped = results(tmp_path / "out"), Results.add_dataset, []

    def add_and_flip(made, parts, **how):
        add(made, parts, **how)
        flipped.append(parts[-1].path)
        flip(parts[-1].path, random.Random(5))

    monkeypatch.setattr(Results, "add_dataset", add_and_flip)
    with pytest.warns(CacheWarning, match="was damaged and is gone"):
        again = run(config)
    assert len(flipped) == 1
    assert metrics_of(again) == metrics_of(cold)
    assert results(tmp_path / "out") == sound
    monkeypatch.undo()
    assert run(config).cache == {"features": "hit"}


def test_damage_in_the_scratch_folder_of_a_run_without_a_cache_is_made_again(configured, tmp_path, monkeypatch):
    config = configured(cache={"enabled": False})
    run(config)
    sound, add, tries = results(tmp_path / "out"), Results.add_dataset, []

    def flip_and_add(made, parts, **how):
        tries.append(parts[0].path)
        if len(tries) == 1:
            flip(parts[0].path, random.Random(6))
        add(made, parts, **how)

    monkeypatch.setattr(Results, "add_dataset", flip_and_add)
    with pytest.warns(CacheWarning, match="was damaged and is gone"):
        run(config)
    assert len(tries) == 2
    assert results(tmp_path / "out") == sound
    assert read_dataset(tmp_path / "out" / "dataset")[1] > 1
