"""Messages to attack, and how far an attack moved them."""

import numpy as np
import pandas as pd
from pydantic import TypeAdapter
from pyproj import Geod

from cdpipe import attack
from cdpipe.stages import BY_NAME
from cdpipe.stages.attacks import ATTACKS

GEOD = Geod(ellps="WGS84")
CENTRE = {"latitude": 41.5430216, "longitude": -106.0831353}
KINDS = [kind.model_fields["kind"].default for kind in ATTACKS]
OFFSETS = ["offset_const", "offset_rand", "offset_const_per_id"]
ANY = TypeAdapter(BY_NAME["attack"].params)


def params(kind, **given):
    return ANY.validate_python({"kind": kind, "centre": CENTRE, **given})


def messages(rows=4_000, vehicles=37, *, local=False, seed=0):
    """Clean messages: row numbers with gaps, in no order; places within some kilometres of the centre."""
    rng = np.random.default_rng(seed)
    spread = 5_000 if local else 0.1
    middle = (0, 0) if local else (CENTRE["longitude"], CENTRE["latitude"])
    return pd.DataFrame(
        {
            "row_number": rng.permutation(3 * rows)[:rows],
            "coreData_id": pd.Series([f"{number:08X}" for number in rng.integers(0, vehicles, rows)], dtype="str"),
            "x_pos": rng.normal(middle[0], spread, rows),
            "y_pos": rng.normal(middle[1], spread, rows),
            "coreData_speed": rng.uniform(0, 30, rows),
        }
    )


FRAME = messages()
LOCAL = messages(local=True)


def attacked(kind, frame=FRAME, **given):
    made, ledger = attack(frame, params(kind, **given))
    return made, (made["isAttacker"] == 1).to_numpy(), ledger


def moves(before, after):
    """Bearing, degrees clockwise from north, and distance in metres, along the geodesic."""
    columns = (before["x_pos"], before["y_pos"], after["x_pos"], after["y_pos"])
    bearing, _, distance = GEOD.inv(*(column.to_numpy() for column in columns))
    return bearing % 360, distance


def plane_moves(before, after):
    east, north = after["x_pos"] - before["x_pos"], after["y_pos"] - before["y_pos"]
    return np.degrees(np.arctan2(east, north)).to_numpy() % 360, np.hypot(east, north).to_numpy()


def angle(first, second):
    """How far two directions are apart, degrees."""
    return np.abs((np.asarray(first) - second + 180) % 360 - 180)
