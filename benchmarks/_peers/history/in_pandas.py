"""History by pandas: the messages of a chain are a group."""

from typing import Any

import numpy as np

from benchmarks._peers.history.definitions import (
    GAP_S,
    KEYS,
    LEAST_SPREAD_S2,
    MEANT,
    SUMMED,
    TOLD,
    WINDOW,
    leave_line,
    scales,
    wrap,
)


def tell(frame: Any) -> Any:
    """Return history, a frame of 18 columns, of a frame of messages."""
    f = frame.sort_values([*KEYS], ignore_index=True)
    interval = f.groupby("vehicle")["time_us"].diff() / 1e6
    of_east, of_north = scales(np.radians(f["y"]), np.sin, np.cos)
    f = f.assign(
        interval=interval,
        chain=(interval.isna() | (interval > GAP_S)).cumsum(),
        of_east=of_east,
        of_north=of_north,
        sine=np.sin(np.radians(f["heading"])),
        cosine=np.cos(np.radians(f["heading"])),
    )
    was = f.groupby("chain")[["x", "y", "speed", "heading", "of_east", "of_north", "sine", "cosine"]].shift(1)
    f["age"] = (f["time_us"] - f.groupby("chain")["time_us"].transform("first")) / 1e6
    f["count"] = f.groupby("chain").cumcount()
    f["interval"] = f["interval"].where(was["x"].notna())
    rate = (1 / f["interval"]).where(f["interval"] != 0, 0.0)
    f["east"], f["north"] = wrap(f["x"] - was["x"]) * was["of_east"], (f["y"] - was["y"]) * was["of_north"]
    f["moved"] = np.sqrt(f["east"] ** 2 + f["north"] ** 2)
    f["along"] = f["east"] * was["sine"] + f["north"] * was["cosine"] - was["speed"] * f["interval"]
    f["across"] = f["east"] * was["cosine"] - f["north"] * was["sine"]
    f["residual"] = np.sqrt(f["along"] ** 2 + f["across"] ** 2)
    f["speed_gap"] = (f["speed"] - f["moved"] * rate).where(rate != 0, 0.0)
    bearing = np.degrees(np.arctan2(f["east"], f["north"]))
    f["bearing_gap"] = wrap(bearing - f["heading"]).where(f["moved"] != 0, 0.0)
    f["acceleration"], f["turn_rate"] = (f["speed"] - was["speed"]) * rate, wrap(f["heading"] - was["heading"]) * rate
    f["same"] = ((f["x"] == was["x"]) & (f["y"] == was["y"])).astype("float64")
    f[["east_all", "north_all"]] = f[["east", "north"]].fillna(0).groupby(f["chain"]).cumsum()
    f["t_t"], f["t_east"], f["t_north"] = f["age"] ** 2, f["age"] * f["east_all"], f["age"] * f["north_all"]
    means = f[[*MEANT]].abs().groupby(f["chain"]).rolling(WINDOW, min_periods=1).mean()
    f[[f"{name}_mean" for name in MEANT]] = means.to_numpy()
    sums = f.groupby("chain")[[*SUMMED]].rolling(WINDOW, min_periods=1).sum().groupby(level=0).shift(1)
    f[[f"sum_{name}" for name in SUMMED]] = sums.to_numpy()
    f["n"] = f["count"].clip(upper=WINDOW)
    off, spread = leave_line(lambda name: f[name])
    f["trend"] = off.where(spread >= LEAST_SPREAD_S2)
    return f[[*TOLD]].fillna(0.0)
