"""Sighting: what the witness saw of one process."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sighting:
    """Figures of one call of the benchmarked function, and seconds of one call by function of the project."""

    figures: Mapping[str, float]
    functions: Mapping[str, float] = field(default_factory=dict)
