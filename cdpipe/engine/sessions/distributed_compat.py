"""Private parts of distributed; `tests/engine/sessions/test_distributed_compat.py` says which of them broke.

`core`, `client` and `scheduler` are the modules where `cluster_plugins.Packing` times pickling: Dask meters neither
graphs nor tasks with their arguments.
"""

from distributed import client, scheduler
from distributed.deploy.utils import nprocesses_nthreads
from distributed.protocol import core
from distributed.utils import silence_logging_cmgr

__all__ = ["client", "core", "nprocesses_nthreads", "scheduler", "silence_logging_cmgr"]
