"""Surroundings: cluster, cache and output folder of a foreign configuration."""

import re
from collections.abc import Iterator
from typing import Any, Final

from cdpipe.studies.importing.given import Given, Setting, as_flag, as_number, show

_BYTES: Final = re.compile(r"\s*([0-9.]+)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_UNFIT: Final = re.compile(r"[^\w.+-]+")


def read_session(given: Given) -> Iterator[Setting]:
    """Give the cluster, if there is one."""
    table: dict[str, Any] = {}
    for ours, key in (("workers", "n_workers"), ("threads_per_worker", "threads_per_worker")):
        value = given.take(f"dask.{key}", f"dask_config.{key}")
        if value is not None:
            table[ours] = value
    limit = given.take("dask.memory_limit", "dask_config.memory_limit")
    if limit is not None and (size := _parse_bytes(limit)) is not None:
        table["memory_limit_gb"] = size / 1e9
    elif limit is not None and str(limit).casefold() not in {"auto", "0"}:
        given.say("left out", f"dask.memory_limit = {show(limit)}")
    if table:
        yield Setting(("session",), {"scheduler": "local", **table}, f"dask: {show(table)}")


def read_cache(given: Given) -> Iterator[Setting]:
    """Give whether outputs of stages are kept."""
    enabled = given.take("cache.enabled", "cache.use_cache")
    if enabled is not None:
        flag = as_flag(enabled)
        yield Setting(("cache", "enabled"), enabled if flag is None else flag, f"cache.enabled = {show(enabled)}")


def read_output(given: Given) -> Iterator[Setting]:
    """Give whether a map is drawn, and the output folder: that of the file, else one by the name of its pipeline."""
    wanted = given.take("_special_features.enlarged_map")
    if (flag := as_flag(wanted)) is not False:
        yield Setting(("output", "map"), wanted if flag is None else flag, f"enlarged_map = {show(wanted)}")
    names = ("output.results_dir", "output_config.results_dir", "output.directory")
    folder, name = given.take(*names), given.take("pipeline_name", "output_config.pipeline_name")
    fallback: tuple[Setting, ...] = ()
    if name is not None:
        fit = _UNFIT.sub("-", str(name)).strip(".-")[:200]
        fallback = (
            (Setting(("output", "directory"), f"cdpipe-out/{fit}", f"pipeline_name = {show(name)}"),) if fit else ()
        )
    if folder is None:
        yield from fallback
    else:
        yield Setting(("output", "directory"), folder, f"{given.name(*names)} = {show(folder)}", fallback)


def _parse_bytes(value: object) -> float | None:
    """Return bytes: a number, or text such as 12GB or 16 GiB."""
    if (number := as_number(value)) is not None:
        return number if number > 0 else None
    found = _BYTES.fullmatch(str(value))
    number = as_number(found[1]) if found else None
    if found is None or number is None or number <= 0:
        return None
    return float(number * (1024 if found[3] else 1000) ** _POWERS[found[2].lower()])
