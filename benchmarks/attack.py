"""Attack: clean messages -> labelled ones. Three vehicles in ten attack, in degrees on the ellipsoid unless said."""

from pathlib import Path
from typing import Any, ClassVar

from benchmarks._data import LATITUDE_DEG, LONGITUDE_DEG
from benchmarks._stage import Stage

CENTRE = {"latitude": LATITUDE_DEG, "longitude": LONGITUDE_DEG}


class Attack(Stage):
    """What attacks share; `settings` say which it is. Both passes over the messages are measured.

    The graph is the same for all, so building it is measured for one.
    """

    needs = ("cdpipe:attack", "cdpipe.stages.attacks:ATTACKS")

    def account(self, folder: Path) -> Any:
        import dask.dataframe as dd

        import cdpipe
        from cdpipe.stages.attacks import ATTACKS

        kinds = {each.model_fields["kind"].default: each for each in ATTACKS}
        params = kinds[self.settings["kind"]](ratio=0.3, seed=42, **self.settings)
        return cdpipe.attack(dd.read_parquet(folder), params)[1]


class Choose(Attack, stage="attack/choose", family="attack", data=("cleaned",), graph=False):
    """Choosing the attackers: they are moved by nothing, in the plane."""

    settings: ClassVar = {"kind": "offset_const", "distance_m": 0.0, "coordinates": "local"}


class OffsetConst(Attack, stage="attack/offset_const", family="attack", data=("cleaned",), graph=False):
    """Every attacker moved by the same distance and bearing."""

    settings: ClassVar = {"kind": "offset_const"}


class OffsetRand(Attack, stage="attack/offset_rand", family="attack", data=("cleaned",)):
    """Every message of an attacker moved by a draw of its own."""

    settings: ClassVar = {"kind": "offset_rand"}


class OffsetConstPerId(Attack, stage="attack/offset_const_per_id", family="attack", data=("cleaned",), graph=False):
    """Every attacker moved by a draw of its own."""

    settings: ClassVar = {"kind": "offset_const_per_id"}


class SwapRand(Attack, stage="attack/swap_rand", family="attack", data=("cleaned",), graph=False):
    """Every message of an attacker at the position of another message."""

    settings: ClassVar = {"kind": "swap_rand"}


class OverrideConst(Attack, stage="attack/override_const", family="attack", data=("cleaned",), graph=False):
    """Every attacker at the same place."""

    settings: ClassVar = {"kind": "override_const", "centre": CENTRE}


class OverrideRand(Attack, stage="attack/override_rand", family="attack", data=("cleaned",), graph=False):
    """Every message of an attacker at a random place around the centre."""

    settings: ClassVar = {"kind": "override_rand", "centre": CENTRE}
