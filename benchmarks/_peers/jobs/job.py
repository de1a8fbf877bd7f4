"""The job: what is asked of every program, and the command that does it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks._peers import stages as s

COLUMNS: Final = (s.TIME, s.ID, "coreData_secMark", "coreData_elevation", "coreData_speed", "coreData_heading")
"""What is read beside the position; a row with a null in any of it is dropped."""

_HERE: Final = Path(__file__).parent


def describe(stage: s.Stage, source: Path, out: Path) -> dict[str, Any]:
    """Return the job of a stage as the peers' programs take it: plain values, which JSON can hold."""
    high, wide = s.box_deg(stage.radius_m)
    return {
        "source": str(source),
        "out": str(out),
        "columns": COLUMNS,
        "position": s.POSITION,
        "texts": (*s.TEXT_IN_CSV, s.TIME, "metadata_receivedAt"),
        "id": s.ID,
        "time": s.TIME,
        "stamp": s.TEXT_STAMP,
        "parts": s.PARTS,
        "label": s.LABEL,
        "centre_lat": s.CENTRE_LAT,
        "centre_lon": s.CENTRE_LON,
        "latitudes": (s.CENTRE_LAT - high, s.CENTRE_LAT + high),
        "longitudes": (s.CENTRE_LON - wide, s.CENTRE_LON + wide),
        "radius_m": stage.radius_m,
        "earth_m": s.EARTH_M,
        "metres_a_degree": s.METRES_A_DEGREE,
        "ratio": s.RATIO,
        "seed": s.SEED,
        "min_m": s.MIN_M,
        "max_m": s.MAX_M,
    }


def configure(stage: s.Stage, source: Path, out: Path) -> dict[str, Any]:
    """Return the same job as a configuration of cdpipe, without cache and training."""
    centre = {"latitude": s.CENTRE_LAT, "longitude": s.CENTRE_LON}
    return {
        "seed": s.SEED,
        "input": {"paths": [str(source)]},
        "clean": {
            "columns": COLUMNS,
            "required": COLUMNS,
            "position": "columns",
            "filters": {"within": centre | {"radius_m": stage.radius_m}},
        },
        "attack": {"kind": "offset_rand", "ratio": s.RATIO, "min_m": s.MIN_M, "max_m": s.MAX_M},
        "features": {"columns": (*(name for name in COLUMNS if name != s.TIME), "x_pos", "y_pos", *s.PARTS)},
        "train": {"classifiers": []},
        "cache": {"enabled": False},
        "output": {"directory": str(out)},
    }


def _command_ours(stage: s.Stage, source: Path, out: Path) -> list[str]:
    out.mkdir()
    config = out / "job.json"
    config.write_text(json.dumps(configure(stage, source, out / "run")), encoding="utf-8")
    return [str(Path(sys.executable).with_name("cdpipe")), "run", str(config)]


def _command_peer(program: str) -> Callable[[s.Stage, Path, Path], list[str]]:
    """Return the command of a peer: by its file, so that nothing of this package is imported."""

    def command(stage: s.Stage, source: Path, out: Path) -> list[str]:
        return [sys.executable, str(_HERE / program), json.dumps(describe(stage, source, out))]

    return command


COMMANDS: Final[dict[str, Callable[[s.Stage, Path, Path], list[str]]]] = {
    s.OURS: _command_ours,
    "polars": _command_peer("in_polars.py"),
    "duckdb": _command_peer("in_duckdb.py"),
}
"""By implementation: (stage, source, where the result goes) -> command."""
