"""Spellings: what the pipeline people use today calls things, and what they are called here."""

import re
from typing import Any, Final

from cdpipe.columns import IS_ATTACKER, LATITUDE, LONGITUDE, POINT, VEHICLE_ID, X_POS, Y_POS
from cdpipe.training.classifiers import CLASSIFIERS

ATTACKS: Final[dict[str, str]] = {
    "randoffset": "offset_rand",
    "randomoffset": "offset_rand",
    "offsetrand": "offset_rand",
    "constoffset": "offset_const",
    "constantoffset": "offset_const",
    "offsetconst": "offset_const",
    "constoffsetperid": "offset_const_per_id",
    "constantoffsetperid": "offset_const_per_id",
    "constantoffsetpervehicle": "offset_const_per_id",
    "constoffsetpervehicle": "offset_const_per_id",
    "offsetconstperid": "offset_const_per_id",
    "overriderand": "override_rand",
    "randoverride": "override_rand",
    "randposition": "override_rand",
    "randomposition": "override_rand",
    "overrideconst": "override_const",
    "constoverride": "override_const",
    "swaprand": "swap_rand",
    "randswap": "swap_rand",
    "positionswap": "swap_rand",
    "randpositionswap": "swap_rand",
}
"""Kinds of attack, by their names without case, `_`, `-` and blanks."""

_BASIC: Final = (X_POS, Y_POS, "coreData_elevation")
_MOVEMENT: Final = (*_BASIC, "coreData_heading", "coreData_speed")
_EXTENDED: Final = (*_BASIC, "coreData_speed", "coreData_accelset_accelYaw", "coreData_heading")
FEATURES: Final[dict[str, str | tuple[str, ...]]] = {
    "minimalxyelev": "minimal_xy_elev",
    "xyelev": "minimal_xy_elev",
    "minimalxyelevheadingspeed": (VEHICLE_ID, *_MOVEMENT),
    "extendedwithtimestamps": "extended_timestamps",
    "extendedtimestamps": "extended_timestamps",
    "all": "all",
    "basic": _BASIC,
    "basicwithid": (*_BASIC, VEHICLE_ID),
    "movement": _MOVEMENT,
    "movementwithid": (*_MOVEMENT, VEHICLE_ID),
    "extended": _EXTENDED,
    "extendedwithid": (*_EXTENDED, VEHICLE_ID),
}
"""Sets of features, likewise."""

SPLITS: Final[dict[str, str]] = {
    "random": "row",
    "row": "row",
    "randomsplit": "row",
    "vehicle": "vehicle",
    "vehicledisjoint": "vehicle",
    "byvehicle": "vehicle",
    "grouped": "vehicle",
    "time": "time",
    "temporal": "time",
    "chronological": "time",
}
"""Splits, likewise."""

TEMPLATE: Final[dict[str, Any]] = {
    "data": {
        "source_file": "April_2021_Wyoming_Data_Fixed.csv",
        "filtering": {"center_longitude": -109.319556, "center_latitude": 41.538689},
        "date_range": {"start": "2021-04-01", "end": "2021-04-30"},
    },
    "ml": {
        "train_test_split": {"test_size": 0.2, "random_state": 42, "shuffle": True},
        "classifiers": ["RandomForest", "DecisionTree", "KNeighbors"],
    },
}
"""What a template does not say, since the program that fills it in does."""

NO_BEARING: Final = frozenset(
    {
        *("version", "created", "template_generated", "template_parameters", "attack_plan", "notes", "description"),
        *("schema_version", "author", "name", "comment"),
        *("data.source_type", "data.csv_source", "data.lines_per_file", "data.coordinate_conversion"),
        *("output.log_dir", "output_config.cache_dir", "output_config.log_dir", "logging"),
        *("cache", "dask", "dask_config", "features.column_set"),
    }
)
"""Keys without bearing on results, and tables of such keys, once the rest has been asked for."""

POSITIONS: Final = frozenset({LATITUDE, LONGITUDE, POINT, X_POS, Y_POS, IS_ATTACKER})
"""Columns that cleaning and attacking make or take anyway."""

_SIGNS: Final = re.compile(r"[\s_-]+")


def fold(name: object) -> str:
    """Return a name without case, `_`, `-` and blanks."""
    return _SIGNS.sub("", str(name)).casefold()


def find_classifier(name: str) -> str | None:
    """Return our name of a classifier, None if there is none: `random_forest`, `RandomForestClassifier`, `KNN`."""
    folded = fold(name).removesuffix("classifier")
    shorts = {"rf": "RandomForest", "dt": "DecisionTree", "knn": "KNeighbors", "kneighbours": "KNeighbors"}
    return {fold(each): each for each in CLASSIFIERS}.get(folded) or shorts.get(folded)
