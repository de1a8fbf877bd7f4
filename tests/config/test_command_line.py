"""A command line -> a configuration."""

import json

import pytest

from cdpipe.config.command_line import choose_config
from cdpipe.config.model import ConfigError, parse_config

STUDY = '[input]\npaths = ["a.csv"]\n[attack]\nkind = "swap_rand"\n'


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path / "study.toml"


def test_messages_alone_are_run_with_the_defaults(tmp_path):
    assert choose_config(["a.csv", "s3://b/*.parquet"]) == parse_config(
        {"input": {"paths": ["a.csv", "s3://b/*.parquet"]}}
    )


@pytest.mark.parametrize(
    ("setting", "table", "key", "value"),
    [
        ("attack.ratio=0.5", "attack", "ratio", 0.5),
        ("train.classifiers=[]", "train", "classifiers", ()),
        ("train.classifiers=['DecisionTree']", "train", "classifiers", ("DecisionTree",)),
        ("output.directory=a b=c", "output", "directory", "a b=c"),
        (' cache.enabled = false', "cache", "enabled", False),
        ("features.columns=all", "features", "columns", "all"),
    ],
)  # fmt: skip
def test_a_setting_goes_before_the_file(study, setting, table, key, value):
    config = choose_config([str(study)], settings=[setting])
    found = getattr(getattr(config, table), key)
    assert str(found) == str(value)
    assert config.attack.kind == "swap_rand"


def test_the_last_setting_counts_and_tables_may_be_deep(study):
    config = choose_config(
        [str(study)],
        settings=["seed=1", "seed=2", "clean.filters.dates={first=2019-07-01}", "clean.filters.dates.last=2019-07-02"],
    )
    assert config.seed == 2
    assert str(config.clean.filters.dates.last) == "2019-07-02"


def test_scheduler_and_output_folder_go_before_the_file(study):
    config = choose_config([str(study)], scheduler="local", directory="elsewhere")
    assert (config.session.scheduler, str(config.output.directory)) == ("local", "elsewhere")
    with pytest.raises(ConfigError, match=r"\[session\]: scheduler = 'cloud'"):
        choose_config([str(study)], scheduler="cloud")


def test_a_report_is_the_configuration_of_its_run(study, tmp_path):
    config = choose_config([str(study)], settings=["attack.ratio=0.25"])
    report = {"cdpipe": "1", "config": config.model_dump(mode="json"), "ledgers": {}}
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert choose_config([str(tmp_path / "report.json")]).model_dump() == config.model_dump()


@pytest.mark.parametrize(
    ("content", "is_configuration"),
    [
        ('{"input": {"paths": ["a.csv"]}}', True),
        ('{"seed": 1, "input": {"paths": ["a.csv"]}}', True),
        ('{"metadata": {}, "payload": {}}', False),
        ('{"metadata": {}}\n{"metadata": {}}', False),
        ('[{"input": 1}]', False),
        ("", False),
    ],
)
def test_json_is_told_by_its_keys(tmp_path, content, is_configuration):
    path = tmp_path / "a.json"
    path.write_text(content)
    config = choose_config([str(path)])
    assert config.input.paths == (("a.csv",) if is_configuration else (str(path),))


@pytest.mark.parametrize(
    ("words", "settings", "said"),
    [
        ([], [], "name a configuration or messages"),
        (["study.toml", "a.csv"], [], "study.toml, a.csv: name one configuration, or messages alone"),
        (["missing.toml"], [], "missing.toml: cannot be read"),
        (["s3://bucket/study.toml"], [], "is a URL; a configuration is a file of this machine"),
        (["study.toml"], ["seed"], "--set seed: write TABLE.KEY=VALUE, such as attack.kind=swap_rand"),
        (["study.toml"], ["=1"], "--set =1: write TABLE.KEY=VALUE"),
        (["study.toml"], ["seed.x=1", "seed.x.y=1"], "--set seed.x.y: x is no table here"),
        (["study.toml"], ["attack.kind=offset_random"], "did you mean 'offset_rand'?"),
        (["study.toml"], ["attack.kind=offset_rand", "attack.min_m=300"], "set max_m to 300 or more"),
        (["study.toml"], ["train.classifiers=['RandomForrest']"], "did you mean 'RandomForest'?"),
        (["study.toml"], ["train.split=vehicel"], "did you mean 'vehicle'?"),
        (["study.toml"], ["cache.stages=['gathr']"], "did you mean 'gather'?"),
        (["csv.toml"], [], "is CSV, no configuration: rename it to end in .csv"),
        (["yaml.toml"], [], "is YAML, which is not read here: write TOML"),
        (["study.yaml"], [], "is YAML, which is not read here: write TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_way_out(study, tmp_path, words, settings, said):
    (tmp_path / "csv.toml").write_text("coreData_id,coreData_speed,coreData_heading,x\nA1,2,3,4\n")
    for name in ("yaml.toml", "study.yaml"):
        (tmp_path / name).write_text("# a study\ninput:\n  paths: [a.csv]\n")
    with pytest.raises(ConfigError) as raised:
        choose_config(words, settings=settings)
    assert said in str(raised.value)


def test_home_folders_are_expanded_wherever_a_path_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = choose_config(
        ["~/a.csv"],
        settings=["output.directory=~/out", "cache.directory=~/cache", "session.spill_directory=~"],
        scheduler="local",
    )
    assert config.input.paths == (f"{tmp_path}/a.csv",)
    assert (config.output.directory, config.cache.directory) == (tmp_path / "out", tmp_path / "cache")
    assert config.session.spill_directory == tmp_path
    assert choose_config(["./~a.csv"]).input.paths == ("./~a.csv",)
    with pytest.raises(ConfigError, match=r"no home folder is known for ~nobody-of-that-name; write \./~nobody"):
        choose_config(["~nobody-of-that-name/a.csv"])
