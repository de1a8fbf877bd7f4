"""Card: facts of a run's report, of its inputs and of its data set, as plain values."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cdpipe.columns import BY_NAME
from cdpipe.engine.cache.identity import IdentityError, identify
from cdpipe.engine.files.byte_ranges import UrlError
from cdpipe.engine.files.seals import digest_file, open_seal
from cdpipe.engine.outputs.output_folder import DATASET, REPORT, OutputError
from cdpipe.reports.run_report import describe_versions
from cdpipe.studies.card.content import Content, find_period, read_content

FORM: Final = 1
"""Of `card.json`: raised when a key of it changes its meaning."""

Facts = dict[str, Any]


def describe_run(folder: Path) -> Facts:
    """Return what there is to say of the data set in a run's output folder.

    Parameters
    ----------
    folder
        Where `cdpipe run` put its results, on a disk.

    Raises
    ------
    OutputError
        If the folder has no report of a run that made a data set, or the report was changed since.
    """
    report = _read_report(folder)
    if not (folder / DATASET).is_dir():
        raise OutputError(f"{folder}: has no {DATASET}; run again with output.dataset = true")
    try:
        content = read_content(folder / DATASET)
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder / DATASET}: cannot be read ({error}); run again") from None
    config = report["config"]
    return {
        "form": FORM,
        "folder": folder.name,
        "data": _describe_data(content, config),
        "labels": _describe_labels(content),
        "inputs": [_describe_input(path, known) for path, known in _inputs(report)],
        "ledgers": report["ledgers"],
        "attack": config["attack"],
        "config": config,
        "training": report.get("training"),
        "versions": report["versions"],
        "versions_of_card": describe_versions(),
        "machine": report["machine"],
        "limits": list(_name_limits(report)),
        "report_sha256": digest_file(folder / REPORT),
    }


def _read_report(folder: Path) -> Facts:
    path = folder / REPORT
    try:
        said = open_seal(path.read_bytes())
    except OSError as error:
        raise OutputError(f"{path}: cannot be read ({error.strerror}); name the output folder of a run") from None
    if said is None:
        raise OutputError(f"{path}: is no report of a run, or was changed since; run again")
    if "config" not in said:
        raise OutputError(f"{path}: is the report of a study, not of a run; name the output folder of a run")
    return said


def _describe_data(content: Content, config: Facts) -> Facts:
    period = find_period(content)
    is_local = config["clean"].get("coordinates") == "local"
    units = {"x_pos": "m" if is_local else "deg", "y_pos": "m" if is_local else "deg"}
    return {
        "content_digest": content.digest,
        "rows": content.rows,
        "vehicles": content.vehicles,
        "first": None if period is None else _to_time(period[0]),
        "last": None if period is None else _to_time(period[1]),
        "columns": {
            name: {
                **extent._asdict(),
                "unit": units.get(name, BY_NAME[name].unit if name in BY_NAME else ""),
                "meaning": BY_NAME[name].meaning if name in BY_NAME else "",
            }
            for name, extent in content.columns.items()
        },
    }


def _describe_labels(content: Content) -> Facts:
    return {
        label: {
            "messages": messages,
            "message_share": messages / content.rows if content.rows else None,
            "vehicles": vehicles,
            "vehicle_share": vehicles / content.vehicles if content.vehicles else None,
        }
        for label, (messages, vehicles) in content.labels.items()
    }


def _inputs(report: Facts) -> Iterator[tuple[str, str | None]]:
    """Give each input file with what told it as the run began, if the report knows."""
    known = report.get("inputs") or dict.fromkeys(report["conventions"])
    yield from known.items()


def _describe_input(path: str, known: str | None) -> Facts:
    """Return an input's hash, as it is now, and whether it is still what the run read."""
    local = Path(path)
    try:
        now, whole = identify(path), identify(path, content=True)
        size, digest = (local.stat().st_size, digest_file(local)) if local.is_file() else (None, whole)
    except (OSError, IdentityError, UrlError):
        return {"path": path, "bytes": None, "sha256": None, "unchanged_since_run": None}
    unchanged = known in {now, whole} if known else None
    return {"path": path, "bytes": size, "sha256": digest, "unchanged_since_run": unchanged}


def _name_limits(report: Facts) -> Iterator[str]:
    """Give what a user of the data set must know before trusting a result on it."""
    config, attack = report["config"], report["config"]["attack"]
    training, train = report.get("training"), report["config"].get("train") or {}
    if attack["kind"] == "given":
        yield "The labels are those of the input: cdpipe has not made these attacks, and cannot vouch for the labels."
    else:
        who = "whole vehicles" if attack.get("choose_by") == "vehicle" else "single messages, drawn one by one"
        yield f"The attacks are simulated: {attack['kind']} by {who}. No real attacker was recorded."
        yield "Attackers' claims are altered; what else their messages hold is what the vehicle sent."
    yield "A vehicle is a temporary id: where ids rotate, one car is several vehicles, maybe on both sides of a split."
    yield "Messages of honest vehicles have the errors of real receivers, which are not labelled."
    dropped = sum(sum(each["dropped"].values()) for each in report["ledgers"])
    if dropped:
        yield f"{dropped:,} records and messages were left out, each for a reason that the ledger names."
    if config["clean"].get("coordinates") == "local":
        yield "Positions are metres east and north of clean.centre, in a plane: exact near it, not across continents."
    if training and train.get("split") == "row":
        yield "The split is by row: a vehicle's messages are on both sides, so that every score is flattered."
    if training and training.get("test_vehicles", 0) < 30:
        yield f"Only {training['test_vehicles']} vehicles test: scores say little of others."


def _to_time(microseconds: int) -> str:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="milliseconds")
