"""Figures: each that is measured of a run or a benchmark, its unit, and how a whole's comes from those of its parts.

Only the standard library is needed, as the sampling process and asv load this without cdpipe's requirements.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

GB: Final = 1e9
"""Bytes in a gigabyte: every `_gb` of cdpipe is decimal (a GiB is 1.074 of them)."""

COMPUTE: Final = "compute"
MEMORY: Final = "memory"
DISK: Final = "disk"
NETWORK: Final = "network"
SERIALISATION: Final = "serialisation"
SCHEDULING: Final = "scheduling"
GIL: Final = "gil"
LOCK: Final = "lock"
SLEEP: Final = "sleep"
CONTENTION: Final = "contention"
GC: Final = "gc"
IDLE: Final = "idle"
UNATTRIBUTED: Final = "unattributed"

SHARES: Final = (
    COMPUTE, MEMORY, DISK, NETWORK, SERIALISATION, SCHEDULING, GIL, LOCK, SLEEP, CONTENTION, GC, IDLE, UNATTRIBUTED,
)  # fmt: skip
"""What a run's slots can be taken by, as fractions of slots x wall time; together 1.

`compute` holds stalls on memory bandwidth: without hardware counters they look like any other use of a core.
`contention` is waiting for a core that another program has, or for a thread that waits for one. Without it, the others'
proportions are those of a machine that nobody else uses.
"""

PREFIX: Final = "share_"
"""Begins a share's name among the figures of a benchmark: `share_compute`."""


class Join(Enum):
    """How a figure of a run comes from those of its parts, which were done one after another."""

    SUM = "added up"
    MOST = "the highest"
    MEAN = "the mean, weighed by the parts' time"


class FigureKind(NamedTuple):
    """What all figures of a name have in common.

    Attributes
    ----------
    unit
        Of its values.
    join
        How those of parts are put together; None if that takes more than these values.
    is_reported
        Whether a benchmark can have it, so that reports show it.
    says_bound
        Whether it says something of what bounds a stage: what has no such figure is no stage to classify.
    """

    unit: str
    join: Join | None = None
    is_reported: bool = True
    says_bound: bool = True


_ASIDE: Final = FigureKind("s", says_bound=False)
_SECONDS: Final = FigureKind("s", Join.SUM, is_reported=False)
_BYTES: Final = FigureKind("B", Join.SUM)

CATALOGUE: Final[Mapping[str, FigureKind]] = MappingProxyType(
    {
        "seconds": FigureKind("s"),
        "peak_bytes": FigureKind("B"),
        "tree_peak_bytes": FigureKind("B", Join.MOST),
        "cpu_percent": FigureKind("%"),
        "memory_percent": FigureKind("%", Join.MOST),
        "read_bytes": _BYTES,
        "write_bytes": _BYTES,
        "disk_busy": FigureKind("share", Join.MEAN),
        "ready_queue_max": FigureKind("tasks", Join.MOST),
        "tasks": FigureKind("tasks", Join.SUM),
        "hit_rate": FigureKind("share", says_bound=False),
        "lookup_seconds": _ASIDE,
        "baseline_seconds": _ASIDE,
        "kernel_seconds": _ASIDE,
        "in_memory_seconds": _ASIDE,
        "graph_seconds": FigureKind("s", Join.SUM, says_bound=False),
        "help_seconds": _ASIDE,
        **{PREFIX + name: FigureKind("share") for name in SHARES},
        "samples": FigureKind("samples", Join.SUM),
        "cores": FigureKind("cores", Join.MOST),
        "wall_seconds": FigureKind("s", Join.SUM),
        "cpu_seconds": FigureKind("s", Join.SUM),
        "task_seconds_p50": FigureKind("s"),
        "task_seconds_mean": FigureKind("s"),
        "task_seconds_max": FigureKind("s"),
        "queue_mean": FigureKind("tasks", Join.MEAN),
        "spilled_bytes": _BYTES,
        "network_bytes": _BYTES,
        "page_cache_share": FigureKind("share"),
        "mean_bytes": FigureKind("B", Join.MEAN, is_reported=False),
        "limit_bytes": FigureKind("B", Join.MOST, is_reported=False),
        "syscall_read_bytes": FigureKind("B", Join.SUM, is_reported=False),
        "syscall_write_bytes": FigureKind("B", Join.SUM, is_reported=False),
        "task_cpu_seconds": _SECONDS,
        "task_blocked_seconds": _SECONDS,
        "serialisation_seconds": _SECONDS,
        "gc_seconds": _SECONDS,
        "pressure_cpu": _SECONDS,
        "pressure_memory": _SECONDS,
        "pressure_io": _SECONDS,
        "run_queue_seconds": _SECONDS,
        "sampler_cpu_seconds": _SECONDS,
    }
)
"""Every figure, by name."""

PERCENTS: Final[Mapping[str, str]] = MappingProxyType({"cpu_share": "cpu_percent", "memory_share": "memory_percent"})
"""What a benchmark may give as a share, as asv has one unit a benchmark, and which figure in percent that is."""

UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {name: figure.unit for name, figure in CATALOGUE.items() if figure.is_reported}
)
"""What a benchmark's `cdpipe_figure` may be, with its unit."""
