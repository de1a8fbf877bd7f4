"""Fault 11 of the pipeline that people use today: config keys that were documented and never read.

Every key of the example configuration is changed, and the change must show in what a user can observe of a run.
"""

import contextlib
import json
import re
import tomllib

import pytest
from contract_data import CENTRE, read_dataset, tables_of

from cdpipe import RunConfig, run
from cdpipe.config.model import ConfigError, parse_config
from cdpipe.config.template import example_config
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.stages.attacks import ATTACKS
from cdpipe.synthetic.generator import SynthParams, synthesize


def uncommented(kind):
    """The example's tables with every key set to what it shows, with the keys of one kind of attack."""
    lines = [line.removeprefix("# ") for line in example_config().splitlines()]
    shown = [line for line in lines if line.startswith("[") or (re.match(r"\w+ = ", line) and "= …" not in line)]
    found = tomllib.loads("\n".join(shown))
    found["attack"] = {name: found["attack"][name] for name in kind.model_fields if name in found["attack"]}
    found["attack"]["kind"] = kind.model_fields["kind"].default
    return found


def without_labels(tables):
    """The example without the labels of an input, with which nobody is attacked."""
    return {name: table for name, table in tables.items() if name != "labels"}


def keys_of(table, path=()):
    for name, value in table.items():
        if isinstance(value, dict) and name != "centre":
            yield from keys_of(value, (*path, name))
        else:
            yield (*path, name)


BASE = {
    "gather": {"block_mb": 0.2},
    "attack": {"kind": "offset_rand"},
    "clean": {"filters": {}},
    "features": {},
    "train": None,
}
"""What the keys are changed from."""

CHANGES = {
    "seed": 7,
    "gather.columns": ["metadata_serialId_streamId", "no_such_column"],
    "gather.block_mb": 0.05,
    "clean.columns": ["coreData_msgCnt"],
    "clean.required": ["metadata_generatedAt", "coreData_id", "coreData_accelset_accelVert"],
    "clean.position": "point",
    "clean.timestamp_parts": False,
    "clean.coordinates": "local",
    "clean.centre": {"latitude": 41.0, "longitude": -106.0},
    "clean.filters.dates.first": "2019-07-02",
    "clean.filters.dates.last": "2019-06-30",
    "clean.filters.bbox.south": 41.55,
    "clean.filters.bbox.north": 41.55,
    "clean.filters.bbox.west": -106.05,
    "clean.filters.bbox.east": -106.05,
    "clean.filters.within.latitude": 42.5,
    "clean.filters.within.longitude": -106.5,
    "clean.filters.within.radius_m": 5_000.0,
    "attack.kind": "swap_rand",
    "attack.ratio": 0.6,
    "attack.choose_by": "row",
    "attack.seed": 9,
    "attack.coordinates": "local",
    "attack.centre": {"latitude": 41.0, "longitude": -106.0},
    "attack.bearing_deg": 90.0,
    "attack.distance_m": 10.0,
    "attack.min_m": 200.0,
    "attack.max_m": 30.0,
    "features.columns": "minimal_xy_elev",
    "train.classifiers": ["DecisionTree"],
    "train.split": "row",
    "train.test_ratio": 0.5,
    "train.seed": 4,
    "train.trees": 1,
    "train.neighbors": 300,
    "train.sample_rows": 1_500,
    "train.scale": True,
    "train.engine": "intelex",
    "output.dataset": False,
    "output.partition_by": ("isAttacker",),
    "input.format": "json",
    "input.second_marks": "ignore",
    "input.time_zone": "America/Denver",
    "cache.enabled": False,
    "cache.stages": ["clean"],
    "cache.limit_gb": 1e-6,
    "session.threads_per_worker": 1,
    "session.memory_limit_gb": 0.1,
}
"""A change of each key whose effect shows in a run."""

ELSEWHERE = {
    "input.paths": "every run",
    "input.units": "tests/contracts/test_field_values.py",
    "input.columns": "tests/contracts/test_labelled_input.py",
    "input.messages": "tests/contracts/test_veremi_traces.py",
    "labels.column": "tests/contracts/test_labelled_input.py",
    "labels.false_column": "tests/contracts/test_labelled_input.py",
    "labels.honest": "tests/contracts/test_labelled_input.py",
    "input.identity": "tests/engine/test_inputs.py",
    "gather.required": "tests/contracts/test_field_values.py",
    "gather.missing_time": "tests/contracts/test_missing_time.py",
    "clean.filters.places.centres": "tests/contracts/test_places_and_sides.py",
    "attack.test_ratio": "tests/contracts/test_places_and_sides.py",
    "attack.sides": "tests/contracts/test_places_and_sides.py",
    "train.test_places": "tests/contracts/test_places_and_sides.py",
    "train.place_shares": "tests/contracts/test_places_and_sides.py",
    "train.train_rows": "tests/contracts/test_places_and_sides.py",
    "train.test_rows": "tests/contracts/test_places_and_sides.py",
    "train.grid_search": "tests/training/test_tuning.py",
    "features.checks": "tests/stages/test_features.py",
    "features.coordinates": "tests/config/test_model.py",
    "features.gap_s": "tests/stages/history/test_history_columns.py",
    "features.history": "tests/contracts/test_ordered_runs.py",
    "features.limits": "tests/stages/history/test_checks.py",
    "features.limits.acceleration_mps2": "tests/stages/history/test_checks.py",
    "features.limits.heading_deg": "tests/stages/history/test_checks.py",
    "features.limits.rate_hz": "tests/stages/history/test_checks.py",
    "features.limits.speed_mps": "tests/stages/history/test_checks.py",
    "features.limits.tolerance_m": "tests/stages/history/test_checks.py",
    "features.limits.turn_rate_dps": "tests/stages/history/test_checks.py",
    "features.window": "tests/stages/history/test_history_columns.py",
    "train.evaluation": "tests/training/evaluation/test_runs.py",
    "train.evaluation.enabled": "tests/training/evaluation/test_evaluate.py",
    "train.evaluation.folds": "tests/training/evaluation/test_runs.py",
    "train.evaluation.importance": "tests/training/evaluation/test_runs.py",
    "train.evaluation.ladder": "tests/training/evaluation/test_runs.py",
    "train.evaluation.predictions": "tests/training/evaluation/test_runs.py",
    "train.evaluation.prevalences": "tests/training/evaluation/test_evaluate.py",
    "train.evaluation.repeats": "tests/training/evaluation/test_runs.py",
    "train.evaluation.resamples": "tests/training/evaluation/test_evaluate.py",
    "train.evaluation.vehicle_share": "tests/training/evaluation/test_runs.py",
    "train.label": "tests/training/test_train.py",
    "output.directory": "every run",
    "output.map": "tests/reports/test_map_plot.py",
    "cache.directory": "every run",
    "session.scheduler": "tests/contracts/test_same_run.py",
    "session.workers": "below",
    "session.dashboard": "below",
    "session.spill_target": "below",
    "session.spill": "below",
    "session.pause": "below",
    "session.spill_directory": "below",
    "session.tls_ca_file": "tests/engine/test_certificates.py",
    "session.tls_cert": "tests/engine/test_certificates.py",
    "session.tls_key": "tests/engine/test_certificates.py",
}
"""Keys whose effect another test shows."""

KIND_OF = {"bearing_deg": "offset_const", "distance_m": "offset_const", "centre": "override_rand"}


def effect(given, out):
    """Everything of a run that a user can observe."""
    try:
        with pytest.warns(match="limit_gb") if "limit_gb" in given["cache"] else contextlib.nullcontext():
            report = run(RunConfig(**given))
    except Exception as error:  # noqa: BLE001 - a refusal is an effect too
        return f"{type(error).__name__}: {str(error).replace(str(out), '')}"
    frame = read_dataset(out / "out" / "dataset")[0] if (out / "out" / "dataset").exists() else None
    trained = report.trained
    return (
        None if frame is None else frame.to_json(),
        {name: ledger.as_dict() for name, ledger in report.ledgers.items()},
        report.cache,
        report.used["cores"],
        report.projections,
        None if trained is None else [(each.classifier, each.metrics.as_dict()) for each in trained.fitted],
        sorted((out / "cache").glob("??/*")) != [],
    )


def with_change(given, path, value):
    head, *rest = path.split(".")
    if not rest:
        return {**given, head: value}
    return {**given, head: with_change(given.get(head, {}), ".".join(rest), value)}


@pytest.fixture(scope="module")
def dirty(tmp_path_factory):
    path = tmp_path_factory.mktemp("dirty") / "bsm.csv"
    synthesize(path, SynthParams(rows=2_000, vehicles=40, dirty_share=0.05))
    return path


@pytest.fixture(scope="module")
def before():
    """Effects of what keys are changed from: one run for all keys that start alike."""
    return {}


@pytest.mark.parametrize("path", sorted(CHANGES))
def test_fault_11_config_keys_that_were_documented_and_never_read(path, dirty, before, tmp_path):
    """Ratio, seed, classifiers, cache: 93 of 94 shipped configurations ran with an attack ratio of 0."""
    table, _, name = path.rpartition(".")
    start = json.loads(json.dumps(BASE))
    if table.startswith("clean.filters"):
        shown = uncommented(ATTACKS[0])["clean"]["filters"][table.rpartition(".")[2]]
        start["clean"]["filters"][table.rpartition(".")[2]] = {
            k: str(v) if k in ("first", "last") else v for k, v in shown.items()
        }
    if table == "train" or path == "seed":
        start["train"] = {"trees": 3, "classifiers": ["RandomForest", "KNeighbors"]}
    if path == "clean.timestamp_parts":
        start["features"] = {"columns": "all"}
    if path in ("clean.coordinates", "clean.centre"):
        start["clean"].update(centre=CENTRE, coordinates="geographic" if name == "coordinates" else "local")
    if table == "attack":
        start["attack"] = {"kind": KIND_OF.get(name, "offset_rand")}
        if name == "centre":
            start["attack"]["centre"] = CENTRE
    known = json.dumps(start, sort_keys=True)
    if known not in before:
        before[known] = effect(tables_of([dirty], tmp_path / "before", **start), tmp_path / "before")
    assert not isinstance(before[known], str), before[known]
    after = tables_of([dirty], tmp_path / "after", **with_change(start, path, CHANGES[path]))
    assert effect(after, tmp_path / "after") != before[known]


def test_fault_11_every_key_of_the_example_has_a_test_of_its_effect():
    shown = {".".join(path) for kind in ATTACKS for path in keys_of(uncommented(kind))}
    fields = {f"attack.{name}" for kind in ATTACKS for name in kind.model_fields}
    for name in RunConfig.model_fields:
        if name not in ("attack", "seed"):
            annotation = RunConfig.model_fields[name].annotation
            models = [m for m in (annotation, *getattr(annotation, "__args__", ())) if hasattr(m, "model_fields")]
            fields |= {f"{name}.{field}" for field in models[0].model_fields}
    assert shown | fields - {"clean.filters"} == {*CHANGES, *ELSEWHERE}


@pytest.mark.parametrize("kind", ATTACKS)
def test_fault_11_the_example_with_every_key_uncommented_is_a_configuration(kind):
    given = without_labels(uncommented(kind))
    given["session"] = {"scheduler": "local", **{k: v for k, v in given["session"].items() if k != "scheduler"}}
    config = parse_config(given)
    assert config.attack.ratio == 0.3


@pytest.mark.slow
def test_fault_11_settings_of_a_cluster_reach_its_workers(tmp_path):
    params = SessionParams(
        scheduler="local",
        workers=2,
        threads_per_worker=1,
        memory_limit_gb=0.9,
        dashboard=False,
        spill_target=0.5,
        spill=0.55,
        pause=0.65,
        spill_directory=tmp_path / "spill",
    )

    def settings(dask_worker):
        manager = dask_worker.memory_manager
        return (
            manager.memory_target_fraction,
            manager.memory_spill_fraction,
            manager.memory_pause_fraction,
            manager.memory_limit,
            dask_worker.local_directory,
        )

    with open_session(params) as session:
        assert session.dashboard_link is None
        found = [*session.client.run(settings).values()]
    assert len(found) == 2
    for target, spill, pause, limit, folder in found:
        assert (target, spill, pause, limit) == (0.5, 0.55, 0.65, 900_000_000)
        assert folder.startswith(str(tmp_path / "spill"))


def test_fault_11_an_unknown_key_is_refused_in_every_table():
    for table in (
        "",
        *(name for name in RunConfig.model_fields if name != "seed"),
        "clean.filters",
        "clean.filters.bbox",
    ):
        given = {"input": {"paths": ["a.csv"]}}
        path = f"{table}.ratioo".lstrip(".")
        with pytest.raises(ConfigError, match=r"unknown key 'ratioo'") as caught:
            parse_config(with_change(given, path, 1))
        assert (f"[{table}]" if table else "top level") in str(caught.value)


def test_fault_11_an_attack_ratio_of_nothing_is_said_and_not_the_default(dirty, tmp_path):
    report = run(RunConfig(**tables_of([dirty], tmp_path)))
    attackers = report.ledgers["attack"].notes["messages of attackers"]
    assert attackers / report.ledgers["attack"].rows_out == pytest.approx(0.3, abs=0.05)
    with pytest.raises(ValueError, match=r"all .* training messages, .* have isAttacker = 0; change attack\.ratio"):
        run(RunConfig(**tables_of([dirty], tmp_path, attack={"ratio": 0.0})))
