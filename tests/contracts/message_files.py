"""Messages written by hand as files of each form: CSV, ODE JSON lines, Parquet with text and with types."""

import csv
import json

import pandas as pd
from contract_data import config_of, read_dataset

from cdpipe import run
from cdpipe.columns import BY_NAME

MESSAGE = {
    "metadata_generatedAt": "07/31/2019 12:41:59 PM",
    "coreData_id": "5B820000",
    "coreData_secMark": 59_000,
    "coreData_position_lat": 41.2827318,
    "coreData_position_long": -105.5912184,
    "coreData_elevation": 2179.1,
    "coreData_speed": 7.52,
    "coreData_heading": 82.4375,
}
FORMS = ("csv", "jsonl", "text.parquet", "typed.parquet")


def messages(*changes):
    """One message for each dictionary of changes."""
    return [{**MESSAGE, **change} for change in changes]


def write_messages(path, rows):
    """Write messages in the form that the path's suffixes name; None is an absent value."""
    if path.name.endswith("csv"):
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.name.endswith("jsonl"):
        path.write_text("".join(json.dumps(_nest(row)) + "\n" for row in rows))
    else:
        frame = pd.DataFrame(rows)
        text = frame.map(lambda value: None if pd.isna(value) else str(value))
        (text if path.name.endswith("text.parquet") else frame).to_parquet(path)
    return path


def _nest(row):
    record = {}
    for name, value in row.items():
        *parents, key = BY_NAME[name].ode_path.split(".")
        inner = record
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[key] = value
    return record


def run_plain(paths, out, **tables):
    """Run files with nobody attacking and nothing trained: (report, data set)."""
    plain = {"attack": {"ratio": 0, "choose_by": "row"}, "train": {"classifiers": []}, "cache": {"enabled": False}}
    report = run(config_of(paths, out, **{**plain, **tables}))
    return report, read_dataset(out / "out" / "dataset")[0]
