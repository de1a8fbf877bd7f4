"""Bounds: the bottlenecks that a run can have, in the words that both rule sets share."""

from enum import StrEnum


class Bound(StrEnum):
    """What a stage is bound by.

    The thresholds of the design name *compute*, *memory*, *I/O*, *scheduler* and *balanced*; the attribution of time
    names all but *I/O* and *balanced*, which it tells apart. *Insufficient data* is of both, and so is *disturbed*:
    other work had the cores for too much of the time to tell, so the run is to be measured again.
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
    DISTURBED = "disturbed"
    MIXED = "mixed"
    BALANCED = "balanced"
    INSUFFICIENT = "insufficient data"
