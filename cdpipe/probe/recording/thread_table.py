"""Thread table, in shared memory: a header of numbers, then a row (native thread id, duty) a thread."""

from typing import Final

HEADER_CELLS: Final = 8
ROWS: Final = 1020
TABLE_BYTES: Final = 8 * (HEADER_CELLS + 2 * ROWS)

THREADS: Final = 0
"""Cell: threads that the process runs tasks on."""

FETCHING: Final = 1
"""Cell: tasks that wait for data which is on its way to this process."""

RUNNABLE: Final = 2
"""Cell: tasks that run or could, as the scheduler in this process knows."""

MOVES_DATA: Final = 3
"""Cell: 1 if the process has a loop that moves data for its tasks."""

ONLY_SCHEDULES: Final = 4
"""Cell: 1 if no thread of the process works on tasks."""

GIL_START: Final = 5
GIL_END: Final = 6
"""Cells: the addresses between which a futex is the GIL's."""

ROWS_USED: Final = 7
"""Cell: rows that hold a thread, from the first on."""

TASK: Final = 1
SCHEDULING: Final = 2
"""Duties."""
