"""Definitions of the columns of history that all say alike, and their constants."""

from collections.abc import Callable
from typing import Any, Final

WINDOW: Final = 10
GAP_S: Final = 60.0
EQUATORIAL_M: Final = 6_378_137.0
ECCENTRICITY_2: Final = (1 / 298.257223563) * (2 - 1 / 298.257223563)
LEAST_SPREAD_S2: Final = 1e-7
"""Times closer to each other than this have no line through them."""
KEYS: Final = ("vehicle", "time_us", "row")
MEANT: Final = ("interval", "moved", "residual", "speed_gap", "bearing_gap", "acceleration")
SUMMED: Final = ("age", "t_t", "east_all", "north_all", "t_east", "t_north")
TOLD: Final = (
    *("count", "age", "interval", "moved", "along", "across", "speed_gap", "bearing_gap", "acceleration", "turn_rate"),
    *("trend", "same"),
    *(f"{name}_mean" for name in MEANT),
)
"""In the order of our kernel's columns."""


def wrap(degrees: Any) -> Any:
    """Bring angles, a Series or an expression, to -180 to 180."""
    return (degrees + 180) % 360 - 180


def scales(y: Any, sine: Callable[[Any], Any], cosine: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Return metres a degree to the east and to the north at latitudes, of which the functions are given."""
    share = 1 - ECCENTRICITY_2 * sine(y) ** 2
    normal = EQUATORIAL_M * 0.017453292519943295 / share**0.5
    return normal * cosine(y), normal * (1 - ECCENTRICITY_2) / share


def leave_line(column: Callable[[str], Any]) -> tuple[Any, Any]:
    """Return how far messages are from the line through those before them, and how far apart the times of these are."""
    n, mean = column("n"), column("sum_age") / column("n")
    spread = n * column("sum_t_t") - column("sum_age") ** 2
    off = 0
    for way, product in (("east_all", "sum_t_east"), ("north_all", "sum_t_north")):
        slope = (n * column(product) - column("sum_age") * column(f"sum_{way}")) / spread
        off = off + (column(way) - column(f"sum_{way}") / n - slope * (column("age") - mean)) ** 2
    return off**0.5, spread
