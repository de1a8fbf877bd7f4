"""Partitioned data sets: what the folders of a Parquet file tell of all its rows: `day=2020-01-01/part.parquet`."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from cdpipe.columns import canonical

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
