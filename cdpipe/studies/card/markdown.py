"""Markdown: a card's facts as a page that a person reads."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from cdpipe.plain import show_plain
from cdpipe.studies.card.card import Facts

_CELL: Final = str.maketrans({"|": "\\|", "`": "'"})


def render_card(facts: Facts) -> str:
    """Return the page of a data card."""
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: Facts) -> Iterator[str]:
    data = facts["data"]
    yield f"# Data card: {_plain(facts['folder'])}"
    yield ""
    yield f"{data['rows']:,} labelled messages of {data['vehicles']:,} vehicles" + (
        f", {data['first']} to {data['last']}." if data["first"] else "."
    )
    yield f"Made by cdpipe {facts['versions'].get('cdpipe', '?')}. Content digest: `{data['content_digest']}`."
    yield from _section("Columns", ("column", "type", "unit", "nulls", "least", "greatest", "meaning"), _columns(data))
    yield from _section(
        "Labels", ("label", "messages with 1", "share", "vehicles", "share of vehicles"), _labels(facts)
    )
    yield from _section("Inputs", ("file", "bytes", "SHA-256 (now)", "unchanged since the run"), _inputs(facts))
    yield from _section(
        "What became of every record", ("stage", "in", "out", "why the others are not here"), _stages(facts)
    )
    yield from _section("Attack", ("key", "value"), [[key, value] for key, value in facts["attack"].items()])
    if facts["training"]:
        yield from _section(
            f"Training: {facts['training']['train_rows']:,} messages train, {facts['training']['test_rows']:,} test",
            ("classifier", "mcc", "f1", "precision", "recall"),
            [
                [each["name"], *(each[name] for name in ("mcc", "f1", "precision", "recall"))]
                for each in facts["training"]["classifiers"]
            ],
        )
    yield from ("", "## Intended use and limits", "")
    yield "For research on misbehaviour detection: to train, test and compare detectors. Not for judging real vehicles."
    yield ""
    for limit in facts["limits"]:
        yield f"- {_plain(limit)}"
    yield from _reproduction(facts)


def _section(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_plain(each) for each in row)} |"


def _columns(data: Facts) -> list[list[Any]]:
    keys = ("type", "unit", "nulls", "least", "greatest", "meaning")
    return [[name, *(column[key] for key in keys)] for name, column in data["columns"].items()]


def _labels(facts: Facts) -> list[list[Any]]:
    keys = ("messages", "message_share", "vehicles", "vehicle_share")
    return [[name, *(label[key] for key in keys)] for name, label in facts["labels"].items()]


def _inputs(facts: Facts) -> list[list[Any]]:
    keys = ("path", "bytes", "sha256", "unchanged_since_run")
    return [[each[key] for key in keys] for each in facts["inputs"]]


def _stages(facts: Facts) -> list[list[Any]]:
    return [
        [
            each["stage"],
            each["rows_in"],
            each["rows_out"],
            "; ".join(f"{rows:,} {why}" for why, rows in each["dropped"].items()),
        ]
        for each in facts["ledgers"]
    ]


def _reproduction(facts: Facts) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    config = {**facts["config"], "output": {**facts["config"]["output"], "directory": "again"}}
    yield from ("", "## How to make the same bits again", "")
    yield f"Versions: {_plain(versions)}."
    yield f"Machine: {_plain(facts['machine'].get('processor'))}, {_plain(facts['machine'].get('system'))}."
    yield ""
    yield "With these versions and the inputs above, write the configuration below to `run.json`, and run"
    yield "`cdpipe run run.json`, then `cdpipe card again`. It must say content digest"
    yield f"`{facts['data']['content_digest']}`. Threads, workers, block size and cutting into files change nothing."
    yield from ("", "```json", json.dumps(config, indent=2, ensure_ascii=False), "```")


def _plain(value: Any) -> str:  # noqa: ANN401 - a fact
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**12 else str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return show_plain(str(value)).translate(_CELL)
