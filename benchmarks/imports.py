"""Start-up: what fresh processes cost that import `cdpipe`, ask for help or use it, and the memory below all stages.

A first use compiles the kernels; a later one finds them on disk.

asv puts what a `timeraw_` returns into a string literal of another program: a backslash in it would be read twice, and
what it prints would be taken for the time.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import _data, _sized
from benchmarks._sized import describe, skip_unless

_ROUNDS: Final = {"number": 1, "repeat": (4, 10, 3.0), "rounds": 2, "warmup_time": 0.001}
"""A process a sample, after one that leaves bytecode and machine code behind."""

USES: Final = ("first", "later")
"""A run of a fresh installation, none of whose kernels is compiled, and the same run again."""


def timeraw_import_cdpipe() -> str:
    """Return what a fresh interpreter is to do."""
    return "import cdpipe"


def timeraw_help() -> str:
    """Return the same as `cdpipe --help` does."""
    return """
import os
import sys
shown, sys.stdout = sys.stdout, open(os.devnull, "w")
from cdpipe.cli import main
main(["--help"], prog_name="cdpipe", standalone_mode=False)
sys.stdout.close()
sys.stdout = shown
"""


def timeraw_import_pandas() -> str:
    """Return what is no work of ours, though each use waits for it: the floor of `timeraw_use`."""
    return "import pandas, numba, pydantic"


def timeraw_use() -> str:
    """Return a small use: read a CSV of 100 messages, clean them and attack them, on pandas frames."""
    return """
import io
import pandas as pd
import cdpipe
from cdpipe.stages.attacks import OffsetRand
from cdpipe.stages.clean import CleanParams
columns = ("metadata_generatedAt", "coreData_id", "coreData_position_lat", "coreData_position_long")
lines = [f"07/01/2019 06:00:{i % 60:02d} AM,{i % 9:08X},{41 + i / 1000},-106.0" for i in range(100)]
text = chr(10).join([",".join(columns), *lines])
frame = pd.read_csv(io.StringIO(text), dtype={"coreData_id": str})
clean, _ = cdpipe.clean(frame, CleanParams(columns=columns, required=columns))
attacked, _ = cdpipe.attack(clean, OffsetRand())
assert len(attacked) == 100
"""


_RUN: Final = """
import sys
import cdpipe
messages, folder = sys.argv[1:]
settings = {"input": {"paths": [messages]}, "cache": {"enabled": False}, "output": {"directory": folder + "/out"}}
report = cdpipe.run(cdpipe.RunConfig(**settings))
assert report.trained is not None and len(report.ledgers) == 4
"""
"""All stages as `cdpipe run` takes them by default, from CSV to metrics."""


def _share_folder() -> None:
    """Have asv give one folder to the two benchmarks of a run: which comes first measures for both."""


def _ready(use: str) -> None:
    """Skip commits that cannot run all stages."""
    del use
    skip_unless("cdpipe:run", "cdpipe:RunConfig")


def _use_twice() -> dict[str, float]:
    """Return the seconds of two processes that run all stages, the first of which finds no machine code of kernels."""
    record = Path("used-twice.json")
    if not record.exists():
        messages, seconds = _data.need("csv", _sized.WARM_UP), {}
        with TemporaryDirectory(prefix="cdpipe-bench-") as folder:
            kept = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "kernels")}
            for use in USES:
                start = time.perf_counter()
                subprocess.run([sys.executable, "-c", _RUN, str(messages), folder], env=kept, cwd=folder, check=True)
                seconds[use] = time.perf_counter() - start
        record.write_text(json.dumps(seconds), encoding="utf-8")
    found: dict[str, float] = json.loads(record.read_text(encoding="utf-8"))
    return found


def track_use(use: str) -> float:
    """Return the seconds of a whole run, of the first of a fresh installation or of a later one."""
    return _use_twice()[use]


def _describe(benchmark: Callable[..., object], stage: str, figure: str, title: str, **settings: object) -> None:
    describe(benchmark, stage, figure, title)
    for name, value in {"version": _sized.VERSION, **settings}.items():
        setattr(benchmark, name, value)


_describe(timeraw_import_cdpipe, "import", "seconds", "seconds", **_ROUNDS)
_describe(timeraw_help, "import", "help_seconds", "seconds of cdpipe --help", **_ROUNDS)
_describe(timeraw_import_pandas, "import/pandas", "seconds", "seconds, with numba and pydantic", **_ROUNDS)
_describe(timeraw_use, "import/use", "seconds", "seconds of a small use", **_ROUNDS)
_TRACKED: Final = {"unit": "seconds", "setup_cache": _share_folder, "setup": _ready}
_USES: Final = {"params": [list(USES)], "param_names": ["use"]}
_describe(track_use, "import/{use}_use", "wall_seconds", "seconds of a run of all stages", **_TRACKED, **_USES)


def peakmem_reference() -> None:
    """Import what the stages import, and do nothing: the floor of every other peak."""
    import dask.dataframe as dd

    import cdpipe
    from cdpipe.engine import probe

    assert all((cdpipe.clean, cdpipe.run, dd.read_parquet, probe))


_describe(peakmem_reference, "import", "peak_bytes", "peak bytes, the floor of all others")
