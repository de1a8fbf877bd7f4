"""Made configurations of every documented shape: nothing is lost that need not be, and all mean the same."""

import copy
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_configs import make_configs

from cdpipe.cli import main
from cdpipe.config.model import load_config, parse_config
from cdpipe.studies.importing.translation import translate
from cdpipe.studies.importing.writing import import_files
from cdpipe.synthetic.generator import SynthParams, synthesize


def judge(made, path):
    """Say what is wrong with the import of one document: losses that need not be, losses unsaid, other meanings."""
    path.write_text(json.dumps(made.tables), encoding="utf-8")
    imported = translate(path)
    config = parse_config(copy.deepcopy(imported.tables))
    needless = [each for each in imported.lost if not any(part in each for part in made.losses)]
    unsaid = [part for part in made.losses if not any(part in each for each in imported.lost)]
    other = [choice.name for choice in made.certain if not choice.holds(config)]
    return [*needless, *(f"not said: {part}" for part in unsaid), *(f"means something else: {name}" for name in other)]


def test_each_choice_alone_loses_nothing_and_means_the_same(tmp_path):
    faults = {}
    for made in make_configs(0):
        if len(made.choices) == 1 and (found := judge(made, tmp_path / "study.json")):
            faults[made.choices[0].name] = found
    assert faults == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_choices_together_lose_nothing_and_mean_the_same(tmp_path, seed):
    faults = [(made.tables, found) for made in make_configs(seed) if (found := judge(made, tmp_path / "study.json"))]
    assert faults == []


@pytest.mark.slow
def test_what_is_written_is_taken_by_check(tmp_path):
    data = tmp_path / "bsm.csv"
    synthesize(data, SynthParams(rows=500, vehicles=5))
    wide = (each for each in make_configs(4) if len(each.choices) > 4)
    made = [each for each in wide if "strange_column" not in str(each.tables)][::60]
    sources = [tmp_path / f"{place}.json" for place in range(len(made))]
    for each, source in zip(made, sources, strict=True):
        source.write_text(json.dumps(each.tables), encoding="utf-8")
    for outcome in import_files(sources, data=str(data)):
        assert outcome.problem == ""
        assert load_config(outcome.target) == parse_config(copy.deepcopy(outcome.imported.tables))
        done = CliRunner().invoke(main, ["check", str(outcome.target)])
        assert done.exit_code == 0, (Path(outcome.source).read_text(), done.output)
