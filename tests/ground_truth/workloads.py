"""All workloads, in the order of their sessions."""

from typing import Final

from .computing import COMPUTING, EMPTY
from .ground import SESSIONS, Workload
from .handing import LIMITING, SCHEDULING, TAKING
from .waiting import LOCKING, READING, SLEEPING, TALKING

_ALL: Final = (*COMPUTING, *EMPTY, *LOCKING, *READING, *TALKING, *SLEEPING, *SCHEDULING, *TAKING, *LIMITING)

WORKLOADS: Final[tuple[Workload, ...]] = tuple(sorted(_ALL, key=lambda each: [*SESSIONS].index(each.session)))
"""Those of one session stand together, so that it is opened once."""
