"""Transfers of a study: what was trained on the first variant of an attack, tested on those of all attacks."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import pandas as pd

from cdpipe.engine.cache.identity import key
from cdpipe.studies.sweep.cells import VERSION, Cell
from cdpipe.studies.sweep.records import Record
from cdpipe.studies.sweep.tables import METRICS, estimate_mean

_SETTING: Final = ("features", "split", "classifier", "trained_on", "tested_on")


class Transfer(NamedTuple):
    """A classifier to train on one attack and to test on several.

    Attributes
    ----------
    key
        Of all that the result depends on.
    cell
        What trains.
    tests
        Cells of the other attacks, and of its own, that differ in nothing else.
    """

    key: str
    cell: Cell
    tests: tuple[Cell, ...]

    @property
    def label(self) -> str:
        """What a person calls it."""
        return f"{self.cell.label}, on {len(self.tests)} attacks"


def list_transfers(cells: Sequence[Cell]) -> list[Transfer]:
    """Return the transfers between the first variants of attacks; none if there is one attack."""
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        if cell.variant == 1:
            groups.setdefault((cell.features, cell.seed, cell.split, cell.classifier), []).append(cell)
    found = []
    for group in groups.values():
        for cell in group if len(group) > 1 else ():
            tests = [[each.attack, each.key] for each in group]
            found.append(Transfer(key("study transfer", VERSION, {"tests": tests}, cell.key), cell, tuple(group)))
    return found


def tabulate_transfers(transfers: Sequence[Transfer], records: Mapping[str, Record]) -> pd.DataFrame:
    """Return for each pair of attacks the mean of each metric over seeds, with a 95 % interval of the mean."""
    values: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for transfer in transfers:
        cell, metrics = transfer.cell, (records.get(transfer.key) or {}).get("metrics") or {}
        for tested, found in metrics.items():
            setting = (cell.features, cell.split, cell.classifier, cell.attack, str(tested))
            values.setdefault(setting, []).append(found)
    rows = []
    for names, given in values.items():
        row: dict[str, Any] = dict(zip(_SETTING, names, strict=True)) | {"seeds": len(given)}
        for name in METRICS:
            row |= estimate_mean(name, [each[name] for each in given if each[name] is not None])
        rows.append(row)
    return pd.DataFrame(rows, columns=None if rows else list(_SETTING))
