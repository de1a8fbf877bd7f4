"""Messages to clean, and parameters that ask for little."""

import pandas as pd

from cdpipe.stages.clean import Centre, CleanParams
from cdpipe.synthetic.generator import SynthParams, synthesize_frame

CENTRE = Centre(latitude=41.5430216, longitude=-106.0831353)
WHOLE = synthesize_frame(SynthParams(rows=3_000, vehicles=20, dirty_share=0.1))
LAT, LON, POINT = "coreData_position_lat", "coreData_position_long", "coreData_position"
TIME = "metadata_generatedAt"


def small(**changed):
    """Four good messages, some columns of which are changed (None: left out)."""
    made = {
        "row_number": [7, 3, 11, 5],
        TIME: pd.to_datetime(
            ["2019-07-01", "2019-07-31T23:59:59.9", "2019-08-01", "2020-02-29T12:00"], format="ISO8601"
        ),
        "coreData_id": ["A1", "B2", "A1", "C3"],
        LAT: [41.5, 41.6, 41.7, 41.8],
        LON: [-106.0, -106.1, -106.2, -106.3],
        "coreData_speed": [0.0, 10.0, 20.0, 30.0],
    }
    frame = pd.DataFrame({name: values for name, values in (made | changed).items() if values is not None})
    return frame.astype({name: "datetime64[us]" for name in (TIME,) if name in frame and name not in changed})


def params(**given):
    return CleanParams(**{"columns": ("coreData_id",), "required": (), "timestamp_parts": False, **given})


def box(south, north, west=-180, east=180):
    return {"south": south, "north": north, "west": west, "east": east}
