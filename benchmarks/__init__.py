"""The asv suite: a module a stage, sizes from one table (`_sizes`), inputs from one frozen generator (`_data`)."""

import os
from pathlib import Path

# Numba's disk cache knows a kernel by its file's size and time, and wheels give every file the same time: without a
# cache for each commit, a commit could be measured with the machine code of another.
if "ASV_COMMIT" in os.environ and "ASV_ENV_DIR" in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = str(Path(os.environ["ASV_ENV_DIR"]) / "numba-cache" / os.environ["ASV_COMMIT"])
