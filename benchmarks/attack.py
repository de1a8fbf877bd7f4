"""Attack: clean messages -> labelled ones. Three vehicles in ten attack, in degrees on the ellipsoid unless said."""

from pathlib import Path
from typing import Any, ClassVar, Final

from benchmarks._data import LATITUDE_DEG, LONGITUDE_DEG
from benchmarks._stage import Stage

CENTRE: Final = {"latitude": LATITUDE_DEG, "longitude": LONGITUDE_DEG}
KINDS: Final[dict[str, dict[str, Any]]] = {
    "choose": {"kind": "offset_const", "distance_m": 0.0, "coordinates": "local"},
    "offset_const": {"kind": "offset_const"},
    "offset_rand": {"kind": "offset_rand"},
    "offset_const_per_id": {"kind": "offset_const_per_id"},
    "swap_rand": {"kind": "swap_rand"},
    "override_const": {"kind": "override_const", "centre": CENTRE},
    "override_rand": {"kind": "override_rand", "centre": CENTRE},
}
"""By name: the attack's parameters. `choose` is choosing the attackers alone: nothing moves them, in the plane."""


class Attack(Stage, stage="attack/{kind}", family="attack", data=("cleaned",)):
    """Both passes over the messages are measured."""

    needs = ("cdpipe:attack", "cdpipe.stages.attacks:ATTACKS")
    choices: ClassVar = {"kind": list(KINDS)}
    settings: ClassVar = KINDS

    def account(self, folder: Path, kind: str) -> Any:
        import dask.dataframe as dd

        import cdpipe
        from cdpipe.stages.attacks import ATTACKS

        settings = KINDS[kind]
        kinds = {each.model_fields["kind"].default: each for each in ATTACKS}
        params = kinds[settings["kind"]](ratio=0.3, seed=42, **settings)
        return cdpipe.attack(dd.read_parquet(folder), params)[1]


# The graph is the same for all, so building it is measured for one.
Attack.time_build_graph.params = [Attack.params[0], ["offset_rand"]]
Attack.time_build_graph.param_names = list(Attack.param_names)
