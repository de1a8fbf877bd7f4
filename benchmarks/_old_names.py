"""Names of the suite as it was, when each figure, attack and kernel was a benchmark: what each is called now."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from benchmarks._stage import PERCENTS, TRACKED

_UNITS: Final = {figure: unit for unit, figures in TRACKED.items() for figure in figures}
_SHARES: Final = {percent: share for share, percent in PERCENTS.items()}
_HUNDREDTH: Final = 0.01
_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")

_STAGES: Final = {
    "Basic": "clean/basic",
    "Timestamps": "clean/timestamps",
    "Spatial": "clean/spatial",
    "OffsetRand": "attack/offset_rand",
    "SwapRand": "attack/swap_rand",
    "Features": "features",
    "Extended": "features",
}
"""Stages by the classes that measured them on pandas, or in memory."""

_CURVES: Final = {"Clean": "clean/timestamps", "Attack": "attack/offset_rand"}
_KERNELS: Final = {"KeptOf": "kept"}
"""Kernels that their classes were not named after."""


@dataclass(frozen=True, slots=True)
class NewName:
    """Where results of a benchmark belong now: its name, the parameters that were its name, and what makes the unit."""

    name: str
    more: Mapping[str, str] = field(default_factory=dict)
    scale: float = 1.0


def rename(name: str) -> NewName:
    """Return what a benchmark of the suite as it was is called now; any other keeps its name."""
    match name.split("."):
        case ["kernels", group, "time_kernel"]:
            return NewName("kernels.time_kernel", {"kernel": _KERNELS.get(group, _to_snake(group))})
        case [("frames" | "baseline") as module, group, ("time_frames" | "time_pandas") as function]:
            return NewName(f"{module}.{function}", {"stage": _STAGES[group]}) if group in _STAGES else NewName(name)
        case ["curves", group, "time_run"]:
            stage, _, what = group.partition("By")
            return NewName(f"curves.time_by_{what.lower()}", {"stage": _CURVES[stage]})
        case ["imports", "track_first_use" | "track_later_use" as function]:
            return NewName("imports.track_use", {"use": function.split("_")[1]})
        case [module, group, function]:
            return _rename_of_stage(module, group, function)
    return NewName(name)


def _rename_of_stage(module: str, group: str, function: str) -> NewName:
    more, scale = {}, 1.0
    if module == "attack" and group != "Attack":
        more, group = {"kind": _to_snake(group)}, "Attack"
    figure = function.removeprefix("track_")
    if figure != function and _SHARES.get(figure, figure) in _UNITS:
        scale = _HUNDREDTH if figure in _SHARES else 1.0
        figure = _SHARES.get(figure, figure)
        more, function = {**more, "figure": figure}, f"track_{_UNITS[figure]}"
    return NewName(f"{module}.{group}.{function}", more, scale)


def _to_snake(name: str) -> str:
    return _WORD.sub("_", name).lower()
