"""Data of contract tests: dirty messages, every stage with every sort of parameters, and frames as bytes."""

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from cdpipe.config.model import parse_config
from cdpipe.config.template import example_config
from cdpipe.engine.api.stages import apply_stage
from cdpipe.engine.files.parts import read_part
from cdpipe.stages import STAGES
from cdpipe.stages.attacks import ATTACKS, SEQUENCES, Mix
from cdpipe.stages.clean import CleanParams, Filters
from cdpipe.stages.features import SETS, FeatureParams
from cdpipe.stages.filters import FILTERS
from cdpipe.synthetic.generator import SynthParams, synthesize

CENTRE = {"latitude": 41.5430216, "longitude": -106.0831353}
"""The synthetic vehicles' centre; the example configuration's filters lie around it."""

ROWS = 3_000
BAD_LINES = ("only,two", "1" + ",x" * 40, '"never closed' + "," * 19)


class Variant(NamedTuple):
    """A stage with one sort of parameters."""

    stage: str
    params: object
    label: str


def uncommented_example():
    """The example configuration with every key set that shows a value, as tables."""
    lines = [line.removeprefix("# ") for line in example_config().splitlines()]
    legal = [line for line in lines if re.match(r"\[|\w+ = (?!…)", line)]
    return tomllib.loads("\n".join(legal))


def filter_params():
    """Every registered filter as the example configuration shows it: a new filter is covered by its example."""
    shown = uncommented_example()["clean"]["filters"]
    return {kind.name: kind(**shown[kind.name]) for kind in FILTERS}


def attack_variants():
    """Every registered attack, in degrees and in metres, by vehicle and by row."""
    return [
        Variant("attack", kind(coordinates=coordinates, centre=CENTRE, choose_by=by), f"{name}-{coordinates}-{by}")
        for kind in (*ATTACKS, *SEQUENCES, Mix)
        for name in (kind.model_fields["kind"].default,)
        for coordinates in ("geographic", "local")
        for by in get_args(kind.model_fields["choose_by"].annotation)
    ]


def clean_variants():
    """Cleaning in degrees and metres, from the point, and with every registered filter."""
    found = filter_params()
    return [
        Variant("clean", CleanParams(), "plain"),
        Variant("clean", CleanParams(position="point", timestamp_parts=False), "point"),
        Variant("clean", CleanParams(coordinates="local", centre=CENTRE), "local"),
        *(Variant("clean", CleanParams(filters=Filters(**{name: each})), name) for name, each in found.items()),
        Variant("clean", CleanParams(filters=Filters(**found)), "all-filters"),
    ]


def variants():
    """Every stage of the registry; those with sorts of parameters of their own in all of them."""
    known = {
        "clean": clean_variants(),
        "attack": attack_variants(),
        "features": [
            Variant("features", FeatureParams(), "default"),
            *(Variant("features", FeatureParams(columns=name), name) for name in (*SETS, "all")),
            Variant("features", FeatureParams(history=True, checks=True), "history"),
        ],
    }
    default = {stage.name: [Variant(stage.name, stage.default(), "default")] for stage in STAGES}
    return [variant for name in default for variant in known.get(name, default[name])]


def name_of(variant):
    """Label of a parametrised test."""
    return f"{variant.stage}-{variant.label}"


def inputs_of_stages(raw):
    """What each stage of the registry is given, every stage before it having its default parameters."""
    frames, frame = {}, raw
    for stage in STAGES:
        frames[stage.name] = frame
        frame, _ = apply_stage(stage.name, frame, stage.default())
    return frames


def frozen(frame):
    """Every column of a frame as (dtype, nulls, bytes): equal only if the frames are bit-identical, nulls included."""
    found = {}
    for name in frame.columns:
        column = frame[name]
        null = column.isna().to_numpy(np.bool_)
        if column.dtype.kind in "OU" or isinstance(column.dtype, pd.StringDtype):
            content = json.dumps([None if gone else text for text, gone in zip(column, null, strict=True)]).encode()
        elif isinstance(column.array, pd.arrays.IntegerArray):
            content = column.fillna(0).to_numpy(column.dtype.numpy_dtype).tobytes()
        else:
            content = column.to_numpy().tobytes()
        found[str(name)] = (str(column.dtype), null.tobytes(), content)
    return list(found), found


def types_of(frame):
    """Type of every column; of labels, that of their texts, which another partition has others of."""
    return {
        name: (str(dtype), str(dtype.categories.dtype), dtype.ordered) if dtype == "category" else dtype
        for name, dtype in frame.dtypes.items()
    }


def join(parts):
    """Put partitions together, labels of all of them too, which pandas makes objects of where they differ."""
    whole = pd.concat(parts, ignore_index=True)
    labels = [name for name, dtype in parts[0].dtypes.items() if dtype == "category"]
    return whole.assign(**{name: union_categoricals([part[name] for part in parts]) for name in labels})


def assert_identical(one, other):
    """Fail naming the columns whose bytes differ."""
    (names, columns), (other_names, other_columns) = frozen(one), frozen(other)
    assert names == other_names, f"columns {names} against {other_names}"
    assert len(one) == len(other), f"{len(one)} rows against {len(other)}"
    differing = [name for name in names if columns[name] != other_columns[name]]
    assert not differing, f"columns {differing} differ"


def write_dirty_csv(path, *, rows=ROWS, seed=42, every=100):
    """Write synthetic messages, 5 % of them with a missing value, with lines that are no records among them.

    Returns the numbers (from 1) of the bad lines.
    """
    synthesize(path, SynthParams(rows=rows, seed=seed, dirty_share=0.05))
    lines = path.read_text().splitlines()
    for place in range(every, len(lines), every):
        lines[place] = BAD_LINES[place // every % len(BAD_LINES)]
    path.write_text("\n".join(lines) + "\n")
    return list(range(every + 1, len(lines) + 1, every))


def tables_of(paths, out, **tables):
    """Tables of a configuration whose cache and outputs are in `out`, with one quick classifier by default."""
    given = {
        "input": {"paths": [str(path) for path in paths]},
        "cache": {"directory": out / "cache"},
        "output": {"directory": out / "out"},
        "train": {"classifiers": ["DecisionTree"], "trees": 5},
    }
    for name, table in tables.items():
        given[name] = {**given.get(name, {}), **table} if isinstance(table, dict) else table
    return given


def config_of(paths, out, **tables):
    """The configuration of `tables_of`."""
    return parse_config(tables_of(paths, out, **tables))


def block_mb(path, blocks):
    """Size of a block, in megabytes, that cuts a file into so many."""
    return path.stat().st_size / 1e6 / blocks * 1.02


def read_dataset(folder):
    """A data set's parts, joined in the order of their names, and their number."""
    parts = sorted(Path(folder).rglob("*.parquet"))
    return pd.concat([read_part(part) for part in parts], ignore_index=True), len(parts)


def read_rejects(out):
    """The rejected records of a run, as dictionaries."""
    return [json.loads(line) for line in (out / "rejects.jsonl").read_text(encoding="utf-8").split("\n") if line]


def metrics_of(report):
    """Everything that training said, but for seconds."""
    return [(each.classifier, each.metrics) for each in report.trained.fitted], report.trained.ledger


def digest_tree(*places):
    """Content, size and modification time of every file in or at some places."""
    files = [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*")))]
    return {
        str(file): (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
        for file in files
        if file.is_file()
    }
