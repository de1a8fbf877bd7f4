"""Features: attacked messages -> numbers."""

from pathlib import Path
from typing import Any

from benchmarks._stage import Stage


class Extended(Stage, stage="features", family="features", data=("attacked",)):
    """Hexadecimal ids to integers, positions, elevation, speed and heading; vehicles and times as keys."""

    needs = ("cdpipe:features", "cdpipe.stages.features:FeatureParams")

    def account(self, folder: Path) -> Any:
        import dask.dataframe as dd

        import cdpipe
        from cdpipe.stages.features import FeatureParams

        columns = ("coreData_id", "x_pos", "y_pos", "coreData_elevation", "coreData_speed", "coreData_heading")
        frame = dd.read_parquet(folder)
        return cdpipe.features(frame, FeatureParams(columns=columns))[1]
