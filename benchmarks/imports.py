"""Start-up: what fresh processes cost that import `cdpipe`, ask for help or use it, and the memory below all stages.

asv puts what a `timeraw_` returns into a string literal of another program: a backslash in it would be read twice, and
what it prints would be taken for the time.
"""

from collections.abc import Callable
from typing import Final

_ROUNDS: Final = {"number": 1, "repeat": (4, 10, 3.0), "rounds": 2, "warmup_time": 0.001}
"""A process a sample, after one that leaves bytecode and machine code behind."""


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


def _describe(benchmark: Callable[[], str], stage: str, figure: str, text: str) -> None:
    for name, value in _ROUNDS.items():
        setattr(benchmark, name, value)
    benchmark.cdpipe_stage, benchmark.cdpipe_figure = stage, figure
    benchmark.pretty_name = f"{stage}: {text}"


_describe(timeraw_import_cdpipe, "import", "seconds", "seconds")
_describe(timeraw_help, "import", "help_seconds", "seconds of cdpipe --help")
_describe(timeraw_import_pandas, "import/pandas", "seconds", "seconds, with numba and pydantic")
_describe(timeraw_use, "import/use", "seconds", "seconds of a small use")


def peakmem_reference() -> None:
    """Import what the stages import, and do nothing: the floor of every other peak."""
    import dask.dataframe as dd

    import cdpipe
    from cdpipe.engine import probe

    assert all((cdpipe.clean, cdpipe.run, dd.read_parquet, probe))


peakmem_reference.cdpipe_stage = "import"
peakmem_reference.cdpipe_figure = "peak_bytes"
peakmem_reference.pretty_name = "import: peak bytes, the floor of all others"
