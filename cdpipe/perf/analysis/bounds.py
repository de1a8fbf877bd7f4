"""Bounds: the bottlenecks that a run can have and their remedies, in the words that both rule sets share."""

from dataclasses import dataclass
from enum import StrEnum


class Bound(StrEnum):
    """What a stage is bound by.

    The thresholds of the design name *compute*, *memory*, *I/O*, *scheduler* and *balanced*; the attribution of time
    names all but *I/O* and *balanced*, which it tells apart. *Insufficient data* is of both.
    """

    COMPUTE = "compute-bound"
    MEMORY = "memory-bound"
    IO = "I/O-bound"
    DISK = "disk-bound"
    NETWORK = "network-bound"
    SERIALISATION = "serialisation-bound"
    SCHEDULER = "scheduler-bound"
    LOCK = "lock-bound"
    WAITING = "waiting"
    PARALLELISM = "too little parallel work"
    MIXED = "mixed"
    BALANCED = "balanced"
    INSUFFICIENT = "insufficient data"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do, and the configuration keys (`table.key`) to do it with."""

    text: str
    keys: tuple[str, ...] = ()
