"""Partitioned data sets: folders that tell a value of all rows below them: `day=2020-01-01/part.parquet`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd

from cdpipe.columns import canonical
from cdpipe.engine.files.digests import Kept, require_kept
from cdpipe.engine.files.parts import read_part, write_part

NO_KEYS: Final[Mapping[str, str | None]] = MappingProxyType({})
"""What the folders of most files tell."""

_NULL: Final = "__HIVE_DEFAULT_PARTITION__"


def find_keys(path: str) -> dict[str, str | None]:
    """Return the values that the names of a file's folders tell, by column in the vocabulary's spelling; None is null.

    Folders are those of the absolute path, so that it does not matter how a file was named. Of two with one key the
    one nearer to the file counts. Percent signs with two digits are decoded, in keys too.

    Parameters
    ----------
    path
        Local path or fsspec URL.
    """
    name = path.partition("::")[0] if "::" in path and "://" in path.partition("::")[0] else path
    folders = os.path.dirname(name if "://" in name else os.path.abspath(name)).split("/")  # noqa: PTH100, PTH120
    pairs = [folder.partition("=") for folder in folders]
    told = {canonical(unquote(key)): unquote(value) for key, sign, value in pairs if sign and key}
    return {key: None if value == _NULL else value for key, value in told.items() if key}


PARTS: Final = r"(?:[^/=]+=[^/]*/)*part-\d{6}\.parquet"
"""What paths of parts look like below a data set's folder, those of partitioned ones too."""

MOST_FOLDERS: Final = 10_000
_LONGEST_NAME: Final = 255
"""Of a file or folder, in bytes; a name has only ASCII signs, for all others are quoted."""

_KINDS: Final = "biu"
"""Types of NumPy that folders can be named by: truths and whole numbers; texts and labels besides."""


class PartitionError(ValueError):
    """A data set cannot be laid into folders by some columns; the message names the column and the way out."""


def require_partitions(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Make sure that folders can be named by some columns of a data set, and that one is left for the files.

    Raises
    ------
    PartitionError
        Naming the column.
    """
    for name in columns:
        if name not in frame:
            raise PartitionError(
                f"output.partition_by: the data set has no column {name!r}; it has {', '.join(map(str, frame.columns))}"
            )
        if not _is_nameable(frame[name].dtype):
            raise PartitionError(
                f"output.partition_by: {name!r} has values of {frame[name].dtype}, nearly each its own folder; use "
                "columns of labels, whole numbers or truths"
            )
    if set(columns) >= set(frame.columns):
        raise PartitionError("output.partition_by: no column is left for the files; take one out")


def split_part(part: Kept, columns: Sequence[str], folder: Path, *, folders: set[str]) -> Iterator[Path]:
    """Write a part's rows to folders named by the values of some columns, which the files then lack.

    Rows stay in order. Names are as Hive has them: `column=value`, with signs that no path can have as `%2F`, and
    `__HIVE_DEFAULT_PARTITION__` for null.

    Parameters
    ----------
    part
        The part, which must still be what was written there.
    columns
        By which, from the outermost folder to the innermost.
    folder
        Where to.
    folders
        Names of folders of all parts so far; this part's are added.

    Yields
    ------
    Path
        Each file, when it is there.

    Raises
    ------
    DamageError
        If the part is not what was written.
    PartitionError
        If there are more than `MOST_FOLDERS` folders.
    """
    require_kept(part)
    frame = read_part(part.path)
    groups = frame.groupby(list(columns), dropna=False, sort=False, observed=True).ngroup().to_numpy()
    _, firsts = np.unique(groups, return_index=True)
    names = [_name_folder(frame, columns, first) for first in firsts]
    for name in names:
        for step in name.split("/"):
            if len(step) > _LONGEST_NAME:
                raise PartitionError(
                    f"output.partition_by: {step[:80]}… is too long for a folder's name; take that column out"
                )
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}  # two values may have one name
    groups = np.array([places[name] for name in names], int)[groups]
    order = np.argsort(groups, kind="stable")
    rest = frame.drop(columns=list(columns))
    for name, rows in zip(places, np.split(order, np.flatnonzero(np.diff(groups[order])) + 1), strict=len(frame) > 0):
        folders.add(name)
        if len(folders) > MOST_FOLDERS:
            raise PartitionError(
                f"output.partition_by: {', '.join(columns)} would make more than {MOST_FOLDERS:,} folders; use fewer "
                "columns, or some of fewer values"
            )
        (folder / name).mkdir(parents=True, exist_ok=True)
        write_part(rest.take(rows), folder / name / part.path.name)
        yield folder / name / part.path.name


def _is_nameable(dtype: Any) -> bool:  # noqa: ANN401 - any of pandas' types
    is_text = isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(dtype)
    return is_text or getattr(dtype, "kind", "O") in _KINDS


def _name_folder(frame: pd.DataFrame, columns: Sequence[str], row: int) -> str:
    return "/".join(f"{quote(name, safe='')}={_name(frame[name].iloc[row])}" for name in columns)


def _name(value: Any) -> str:  # noqa: ANN401 - a value of any nameable type
    if pd.isna(value):
        return _NULL
    return str(value).lower() if isinstance(value, bool | np.bool_) else quote(str(value), safe="")
