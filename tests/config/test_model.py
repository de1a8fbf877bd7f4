import datetime as dt
import json
import math
import tomllib
from pathlib import Path
from typing import get_origin
from unittest.mock import Mock

import pytest
from pydantic import BaseModel

from cdpipe import RunConfig
from cdpipe.config.file import read_tables
from cdpipe.config.model import ConfigError, load_config, parse_config
from cdpipe.config.template import example_config
from cdpipe.stages.attacks import ATTACKS
from cdpipe.stages.attacks.override_const import OverrideConst
from cdpipe.stages.clean import CleanParams

INPUT = {"input": {"paths": ["bsm.csv"]}}
CENTRE = {"latitude": 41.5, "longitude": -106.0}


def parse(**tables):
    return parse_config({**INPUT, **tables})


def refusal(**tables):
    with pytest.raises(ConfigError) as caught:
        parse(**tables)
    return str(caught.value)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"sede": 1}, "top level: unknown key 'sede'; did you mean 'seed'?"),
        ({"attack": {"ratoi": 0.5}}, "[attack]: unknown key 'ratoi'; did you mean 'ratio'?"),
        (
            {"attack": {"distance_m": 5}},
            "[attack]: unknown key 'distance_m'; offset_const, override_const have it, while offset_rand",
        ),
        ({"attack": {"foo-bar": 0.5}}, "[attack]: unknown key 'foo-bar'; it takes kind, ratio, choose_by"),
        (
            {"attack": {"kind": "swap_rand", "distance_m": 5}},
            "[attack]: unknown key 'distance_m'; offset_const, override_const have it, while swap_rand takes",
        ),
        ({"clean": {"filters": {"whitin": {}}}}, "[clean.filters]: unknown key 'whitin'; did you mean 'within'?"),
        ({"clean": {"centre": {**CENTRE, "lat": 1}}}, "[clean.centre]: unknown key 'lat'; did you mean 'latitude'?"),
        (
            {"clean": {"filters": {"bbox": {"sout": 1}}}},
            "[clean.filters.bbox]: unknown key 'sout'; did you mean 'south'?",
        ),
        ({"gather": {"blok_mb": 3}}, "[gather]: unknown key 'blok_mb'; did you mean 'block_mb'?"),
        ({"train": {"tress": 3}}, "[train]: unknown key 'tress'; did you mean 'trees'?"),
        ({"features": {"colums": "all"}}, "[features]: unknown key 'colums'; did you mean 'columns'?"),
        ({"cache": {"limit": 3}}, "[cache]: unknown key 'limit'; did you mean 'limit_gb'?"),
        ({"session": {"worker": 3}}, "[session]: unknown key 'worker'; did you mean 'workers'?"),
        ({"output": {"dir": "x"}}, "[output]: unknown key 'dir'; did you mean 'directory'?"),
        ({"input": {"path": "x", "paths": ["a"]}}, "[input]: unknown key 'path'; did you mean 'paths'?"),
    ],
)
def test_an_unknown_key_is_named_with_its_table_and_the_nearest_key(tables, message):
    assert f"configuration: {message}" in refusal(**tables)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"attack": {"ratio": 1.5}}, "[attack]: ratio = 1.5: must be at most 1; leave it out for the default, 0.3"),
        ({"attack": {"ratio": "x"}}, "[attack]: ratio = 'x': must be a number"),
        ({"attack": {"kind": "teleport"}}, "[attack]: kind = 'teleport': use one of offset_const, offset_rand"),
        ({"attack": {"kind": "override_const"}}, "[attack]: override_const needs a centre: set clean.centre"),
        ({"attack": {"min_m": 5, "max_m": 1}}, "[attack]: min_m 5.0 is greater than max_m 1.0; swap them"),
        ({"attack": {"coordinates": "local"}}, "attack.coordinates is 'local' but clean.coordinates is not"),
        ({"clean": {"coordinates": "local"}}, "[clean]: local coordinates need a centre"),
        (
            {"clean": {"columns": "coreData_id"}},
            "[clean]: columns = 'coreData_id': must be a list; write [\"coreData_id\"]",
        ),
        ({"clean": {"columns": [5]}}, "[clean]: columns = 5: must be text, in quotes"),
        ({"clean": {"filters": {"within": {"latitude": 1}}}}, "[clean.filters.within]: 'radius_m' is missing"),
        ({"features": {"columns": "minimal"}}, "[features]: columns = 'minimal': did you mean 'minimal_xy_elev'?"),
        (
            {"train": {"classifiers": "[DecisionTree,KNeighbors]"}},
            "[train]: classifiers = '[DecisionTree,KNeighbors]': must be a list; write [\"DecisionTree\", ",
        ),
        ({"features": {"columns": 5}}, "[features]: columns = 5: must be a list"),
        ({"features": {"columns": ["isAttacker"]}}, "[features]: columns = ['isAttacker']: isAttacker is the label"),
        ({"features": {"columns": ["vehicle"]}}, "[features]: columns = ['vehicle']: vehicle is a key"),
        ({"train": {"classifiers": ["SVM"]}}, "[train]: classifiers = ['SVM']: 'SVM' is no classifier here"),
        ({"session": {"workers": 2}}, "[session]: workers = 2 has no effect with scheduler 'threads'"),
        ({"session": {"dashboard": "no way"}}, "[session]: dashboard = 'no way'"),
        ({"input": {"paths": "bsm.csv"}}, "[input]: paths = 'bsm.csv': must be a list; write [\"bsm.csv\"]"),
        ({"input": {}}, "[input]: 'paths' is missing; see `cdpipe run --example`"),
        ({"input": {"paths": []}}, "[input]: paths = []: must list at least 1"),
        ({"seed": -1}, "top level: seed = -1: must be at least 0; leave it out for the default, 42"),
        *(
            ({table: 5}, f"top level: {table} = 5: must be a table")
            for table in ("clean", "features", "train", "cache")
        ),
        ({"attack": [1]}, "top level: attack = [1]: must be a table"),
    ],
)
def test_a_wrong_value_is_named_with_its_key_its_table_and_the_limit(tables, message):
    assert f"configuration: {message}" in refusal(**tables)


def test_a_value_that_tables_share_is_named_once():
    assert len(refusal(seed=-1, clean={"centre": {"latitude": 95, "longitude": 0}}).splitlines()) == 2


def test_a_configuration_made_from_python_fails_as_readably():
    with pytest.raises(ConfigError) as caught:
        RunConfig(**INPUT, seed=-1, attack={"ratoi": 0.5})
    assert str(caught.value).splitlines() == [
        "top level: seed = -1: must be at least 0; leave it out for the default, 42",
        "[attack]: unknown key 'ratoi'; did you mean 'ratio'?",
    ]


def test_no_input_is_the_first_thing_said():
    with pytest.raises(ConfigError, match="top level: 'input' is missing; see `cdpipe run --example`"):
        parse_config({})


def test_every_problem_has_a_line_of_its_own():
    assert len(refusal(sede=1, cache={"limit_gb": 0}, train={"tress": 1}).splitlines()) == 3


def test_tables_share_the_seed_unless_they_set_their_own():
    assert (parse(seed=7).attack.seed, parse(seed=7).train.seed) == (7, 7)
    config = parse(seed=7, attack={"seed": 8}, train={"seed": 9})
    assert (config.seed, config.attack.seed, config.train.seed) == (7, 8, 9)
    assert (parse().seed, parse().attack.seed, parse().train.seed) == (42, 42, 42)


@pytest.mark.parametrize("kind", ["override_const", "override_rand", "offset_rand"])
def test_attacks_take_centre_and_coordinates_from_cleaning(kind):
    config = parse(clean={"centre": CENTRE, "coordinates": "local"}, attack={"kind": kind})
    assert config.attack.centre == config.clean.centre
    assert config.attack.coordinates == "local"
    own = parse(clean={"centre": CENTRE}, attack={"kind": kind, "centre": {"latitude": 1, "longitude": 2}})
    assert (own.attack.centre.latitude, own.clean.centre.latitude) == (1, 41.5)


@pytest.mark.parametrize(
    ("features", "extra"),
    [
        ({"columns": ["coreData_msgCnt", "COREDATA_HEADING", "x_pos"]}, {"coreData_msgCnt", "coreData_heading"}),
        ({"columns": "extended_timestamps"}, {"coreData_elevation"}),
        ({"columns": "all"}, set()),
        ({}, {"coreData_elevation", "coreData_speed", "coreData_heading"}),
    ],
)
def test_cleaning_keeps_what_features_attacks_and_splits_rest_on(features, extra):
    kept = parse(clean={"columns": ["metadata_recordType"], "required": []}, features=features).clean.columns
    assert set(kept) == {"metadata_recordType", "metadata_generatedAt", "coreData_id", *extra}
    assert len(set(kept)) == len(kept)


def test_python_values_tables_and_defaults_mean_the_same():
    plain = parse(clean={"centre": CENTRE, "timestamp_parts": False}, attack={"kind": "override_const", "ratio": 0.2})
    typed = RunConfig(
        input=plain.input,
        clean=CleanParams(centre=CENTRE, timestamp_parts=False),
        attack=OverrideConst(centre=CENTRE, ratio=0.2),
    )
    assert typed == plain


def test_a_configuration_is_frozen_and_goes_through_json_and_back():
    config = parse(clean={"centre": CENTRE, "filters": {"dates": {"first": "2019-07-01", "last": "2019-07-02"}}})
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3
    assert parse_config(json.loads(config.model_dump_json())) == config


TOML = """
seed = 3
[input]
paths = ["a.csv", "b.parquet"]
[clean.filters.dates]
first = 2019-07-01
last = 2019-07-31
[attack]
kind = "swap_rand"
[output]
directory = "results"
"""


def test_toml_and_json_mean_the_same(tmp_path):
    (tmp_path / "a.toml").write_text(TOML)
    (tmp_path / "a.json").write_text(json.dumps(tomllib.loads(TOML), default=str))
    config = load_config(tmp_path / "a.toml")
    assert load_config(tmp_path / "a.json") == config
    assert config.attack.kind == "swap_rand"
    assert config.attack.seed == 3
    assert config.clean.filters.dates.first == dt.date(2019, 7, 1)


def test_training_can_be_left_out_in_json(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({**INPUT, "train": None}))
    assert load_config(tmp_path / "a.json").train is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.toml", None, "missing.toml: cannot be read"),
        ("a.toml", b"[input\n", r"a.toml: .*line 1"),
        ("a.json", b"{", r"a.json: .*line 1"),
        ("a.json", b"[1]", r"a.json: holds a list, not tables"),
        ("a.json", b'{"seed": 1, "seed": 1}', r"a.json: top level: key 'seed' is there twice; remove one"),
        ("a.json", b'{"seed": 1, "clean": {"columns": [], "columns": []}}', r"\[clean\]: key 'columns' is there twice"),
        (
            "a.json",
            b'{"clean": {"filters": [{"kind": "a"}, {"kind": "b", "kind": "c"}]}}',
            r"\[clean.filters\]: key 'kind'",
        ),
        ("a.json", b'{"clean": {}, "seed": 1, "clean": {}}', r"top level: key 'clean' is there twice"),
        ("a.toml", b"a = " + b"[" * 900 + b"]" * 900, r"a.toml: line 1: goes more than 32 tables deep"),
        ("a.toml", b"a = 1\n" + b"[" + b"a." * 900 + b"a]\n", r"a.toml: line 2: goes more than 32 tables deep"),
        ("a.toml", b"a = '''\n[['''\n" + b'"a" . ' * 99_999 + b"a = 1", r"a.toml: line 3: goes more than 32"),
        ("a.json", b'{"a":' * 900 + b"1" + b"}" * 900, r"a.json: line 1: goes more than 32 tables deep"),
        ("a.toml", b"#" * 1_000_001, r"a.toml: is larger than 1,000,000 bytes"),
        ("a.json", b'{"seed": 1' + b"0" * 5_000 + b"}", r"a.json: has a whole number of more digits"),
        ("a.toml", b"seed = 1" + b"0" * 5_000, r"a.toml: has a whole number of more digits"),
        ("a.toml", b"seed = 0x1" + b"0" * 5_000 + b"\ninput.paths = ['a']", "a whole number of thousands of digits"),
        (
            "a.json",
            b'{"input": {"paths": ["a"]}, "cache": {"limit_gb": NaN}}',
            "limit_gb = nan: must be a finite number",
        ),
        ("a.json", b'{"input": {"paths": ["\\ud800"]}}', "input.paths: holds a character that no name can have"),
        ("a.json", b'{"input": {"a\\ud800b": 1}}', r"input.a\\ud800b: holds a character that no name can have"),
        ("a.toml", b'output.directory = "a\\u0000"', "output.directory: holds a character that no name can have"),
        ("a\0.toml", None, r"a.*toml: embedded null byte"),
        ("a" * 300 + ".toml", None, "cannot be read .File name too long."),
        ("a.toml", b"# \xff\n", r"a.toml: byte 2 is not UTF-8"),
        ("a.toml", b"sede = 1\n[input]\npaths = ['a']\n", r"a.toml: top level: unknown key 'sede'"),
        ("", None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / name)


def test_the_example_is_a_configuration(tmp_path):
    (tmp_path / "a.toml").write_text(example_config())
    assert load_config(tmp_path / "a.toml") == parse()


@pytest.mark.parametrize(
    "text", ['a = "' + "[" * 99 + '"', "a = '" + "a." * 99 + "'", "# " + "{" * 99, "a = 1 # ''' " + "[" * 99]
)
def test_depth_is_that_of_tables_not_of_text(tmp_path, text):
    (tmp_path / "a.toml").write_text(text)
    assert read_tables(tmp_path / "a.toml") == tomllib.loads(text)


def test_a_byte_order_mark_is_no_part_of_a_configuration(tmp_path):
    for name, text in (("a.toml", "seed = 1"), ("a.json", '{"seed": 1}')):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert read_tables(tmp_path / name) == {"seed": 1}


@pytest.mark.parametrize("kind", ["broken link", "loop", "not allowed"])
def test_a_file_that_cannot_be_opened_is_named(tmp_path, kind, monkeypatch):
    path = tmp_path / "a.toml"
    path.symlink_to(tmp_path / ("missing" if kind == "broken link" else "a.toml"))
    if kind == "not allowed":  # the tests' user may be root, who may read everything
        monkeypatch.setattr(Path, "open", Mock(side_effect=PermissionError(13, "Permission denied", str(path))))
    with pytest.raises(ConfigError, match=r"a.toml: cannot be read \(.+\); name a TOML or JSON file"):
        load_config(path)


def test_of_many_problems_the_first_are_told_and_the_others_counted():
    lines = refusal(**{f"key{number}": "x" * 10_000 for number in range(1_000)}).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "configuration: and 980 more like these"
    assert len(refusal(seed="x" * 10_000)) < 200


def test_a_name_cannot_write_to_the_terminal():
    said = refusal(**{"a\x1b[31mb\nc": 1, "input": {"paths": ["a"], "\x9b": {"\x07": 1}}})
    assert len(said.splitlines()) == 2
    assert all(line.isprintable() for line in said.splitlines())


def _numbers():
    """Give each setting that is a number, as (tables, key, whether whole)."""

    def walk(model, *tables):
        for name, field in model.model_fields.items():
            kinds = (field.annotation, *getattr(field.annotation, "__args__", ()))
            inner = [each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)]
            if get_origin(field.annotation) is tuple:  # a list of tables is one setting
                continue
            for each in inner:
                yield from walk(each, *tables, name)
            if not inner and {int, float} & set(kinds) and bool not in kinds:
                yield (*tables, name), model

    found = dict(walk(RunConfig))
    for kind in ATTACKS:
        found |= {("attack", *keys[1:]): kind for keys, _ in walk(kind, "attack")}
    return sorted((".".join(keys), model) for keys, model in found.items())


def _refusal_if_any(given):
    try:
        parse(**given)
    except ConfigError as error:
        return str(error)
    return None


REST = {
    "within": {"latitude": 1, "longitude": 1, "radius_m": 1},
    "bbox": {"south": 1, "north": 2, "west": 1, "east": 2},
    "centre": CENTRE,
}


@pytest.mark.parametrize(
    "value",
    [0, -1, 1e300, 1e-300, math.inf, math.nan, True, False, "5", "x", 10**400, pytest.param(10**5000, id="huge")],
)
def test_a_number_works_or_is_refused_with_its_key(value):
    numbers = _numbers()
    assert len(numbers) > 25
    for dotted, model in numbers:
        *tables, key = dotted.split(".")
        given = {key: value}
        for name in reversed(tables):
            given = {**REST.get(name, {}), **given} if name in REST else given
            given = {name: given}
        if tables == ["attack"]:
            given["attack"]["kind"] = model.model_fields["kind"].default
            given["clean"] = {"centre": CENTRE}
        if tables == ["session"]:
            given["session"]["scheduler"] = "local"
        said = _refusal_if_any(given)
        if said is None:
            assert not isinstance(value, bool), dotted
            assert value in (0, -1, 1e300, 1e-300, "5"), dotted
        else:
            assert key in said, (dotted, said)
            assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"cache": {"limit_gb": 1e300}}, "[cache]: limit_gb = 1e+300: must be at most 1e+09"),
        ({"cache": {"limit_gb": True}}, "[cache]: limit_gb = true: must be a number"),
        ({"session": {"memory_limit_gb": math.inf}}, "[session]: memory_limit_gb = inf: must be"),
        ({"session": {"memory_limit_gb": 1e-300}}, "[session]: memory_limit_gb = 1e-300: must be at least 0.001"),
        (
            {"session": {"workers": 10**9, "scheduler": "local"}},
            "[session]: workers = 1000000000: must be at most 1000",
        ),
        ({"session": {"threads_per_worker": 10**9}}, "[session]: threads_per_worker = 1000000000: must be at most"),
        ({"seed": True}, "seed = true: must be a number"),
        ({"gather": {"block_mb": 1e300}}, "[gather]: block_mb = 1e+300: must be at most"),
        ({"gather": {"block_mb": 1e-9}}, "[gather]: block_mb = 1e-09: must be more than 0.0001"),
    ],
)
def test_a_number_beyond_reason_is_named_with_the_limit(tables, message):
    assert message in refusal(**tables)


@pytest.mark.parametrize(
    "url",
    ["s3://", "S3:///", "://b", "file://", "s3://b//a", "s3://b/a/../c", "s3://b/a*", "s3://b/a[1]", "s3://b/a\nb"],
)
def test_a_url_that_file_systems_take_for_another_is_no_place_for_results(url):
    """`s3://` is a folder `s3:` for some, what is below `s3://b//a` is not found again, and `[1]` stands for 1."""
    with pytest.raises(ConfigError, match=r"directory = .*: results go to a URL such as s3://bucket/study, without"):
        parse(output={"directory": url})


@pytest.mark.parametrize("url", ["s3://b", "s3://b/", "s3a://b/a b/ü/", "hdfs:///a", "s3://b/x=1&y#z%20"])
def test_other_urls_are_places_for_results(url):
    assert parse(output={"directory": url}).output.directory == url


def test_history_is_told_in_the_coordinates_of_cleaning():
    centre = {"latitude": 41.5, "longitude": -106.1}
    assert parse().features.coordinates == "geographic"
    assert parse(clean={"coordinates": "local", "centre": centre}).features.coordinates == "local"
