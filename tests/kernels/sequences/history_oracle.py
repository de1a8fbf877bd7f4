"""The columns of history in plain pandas, one after the other, as their definitions say."""

import numpy as np
import pandas as pd

from cdpipe.kernels.sequences.history import NAMES

A, E2 = 6378137.0, (1 / 298.257223563) * (2 - 1 / 298.257223563)


def wrap(degrees):
    return (degrees + 180) % 360 - 180


def metres_per_degree(lat):
    share = 1 - E2 * np.sin(np.radians(lat)) ** 2
    normal = A / np.sqrt(share)
    return np.radians(normal * np.cos(np.radians(lat))), np.radians(normal * (1 - E2) / share)


def history(frame, *, window, gap_s, is_geographic):
    """Columns of history of ordered messages: group, time_us, x, y, speed, heading."""
    frame = frame.assign(t=frame.groupby("group")["time_us"].cummax() * 1.0)
    interval = frame.groupby("group")["t"].diff() / 1e6
    frame["chain"] = (interval.isna() | (interval > gap_s)).cumsum()
    told = [_chain(part, window=window, is_geographic=is_geographic) for _, part in frame.groupby("chain")]
    return pd.concat(told) if told else pd.DataFrame(columns=list(NAMES), dtype=float)


def _chain(part, *, window, is_geographic):
    was = part.shift(1)
    interval = (part["t"] - was["t"]) / 1e6
    some = interval.where(interval > 0)
    dx, dy = part["x"] - was["x"], part["y"] - was["y"]
    if is_geographic:
        of_east, of_north = metres_per_degree(was["y"])
        east, north = wrap(dx) * of_east, dy * of_north
    else:
        east, north = dx, dy
    moved, sine, cosine = np.hypot(east, north), np.sin(np.radians(was["heading"])), np.cos(np.radians(was["heading"]))
    out = pd.DataFrame(index=part.index)
    out["history_count"] = np.arange(len(part))
    out["history_age_s"] = (part["t"] - part["t"].iloc[0]) / 1e6
    out["history_interval_s"], out["history_displacement_m"] = interval, moved
    out["history_along_m"] = east * sine + north * cosine - was["speed"] * interval
    out["history_across_m"] = east * cosine - north * sine
    out["history_speed_gap_mps"] = part["speed"] - moved / some
    bearing = np.degrees(np.arctan2(east, north))
    out["history_bearing_gap_deg"] = wrap(bearing - part["heading"]).where(moved > 0)
    out["history_acceleration_mps2"] = (part["speed"] - was["speed"]) / some
    out["history_turn_rate_dps"] = wrap(part["heading"] - was["heading"]) / some
    out["history_trend_m"] = _trend(part, east.fillna(0).cumsum(), north.fillna(0).cumsum(), window)
    out["history_same_position"] = ((dx == 0) & (dy == 0)).astype(float)
    out = out.fillna(0.0)
    residual = np.hypot(out["history_along_m"], out["history_across_m"])
    for name, values in {
        "history_interval_mean_s": out["history_interval_s"],
        "history_displacement_mean_m": out["history_displacement_m"],
        "history_residual_mean_m": residual,
        "history_speed_gap_mean_mps": out["history_speed_gap_mps"].abs(),
        "history_bearing_gap_mean_deg": out["history_bearing_gap_deg"].abs(),
        "history_acceleration_mean_mps2": out["history_acceleration_mps2"].abs(),
    }.items():
        out[name] = values.iloc[1:].rolling(window, min_periods=1).mean().reindex(part.index).fillna(0.0)
    return out[list(NAMES)]


def _trend(part, east, north, window):
    found = np.zeros(len(part))
    t = ((part["t"] - part["t"].iloc[0]) / 1e6).to_numpy()
    for i in range(2, len(part)):
        before = slice(max(0, i - window), i)
        n = len(t[before])
        spread = t[before] - t[before].mean()
        if n * (spread**2).sum() < 1e-7:
            continue
        off = [
            values.iloc[i]
            - values.iloc[before].mean()
            - (spread @ values.iloc[before]) / (spread @ spread) * (t[i] - t[before].mean())
            for values in (east, north)
        ]
        found[i] = np.hypot(*off)
    return found
