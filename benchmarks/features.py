"""Features: attacked messages -> numbers."""

from typing import Any

from benchmarks import _data
from benchmarks._stage import Stage


class Extended(Stage, stage="features", family="features", data=("attacked",)):
    """Hexadecimal ids to integers, positions, elevation, speed and heading; vehicles and times as keys."""

    needs = ("cdpipe:features", "cdpipe.stages.features:FeatureParams")

    def build(self, rows: str) -> Any:
        import dask.dataframe as dd

        import cdpipe
        from cdpipe.stages.features import FeatureParams

        columns = ("coreData_id", "x_pos", "y_pos", "coreData_elevation", "coreData_speed", "coreData_heading")
        frame = dd.read_parquet(_data.place("attacked", rows))
        return cdpipe.features(frame, FeatureParams(columns=columns))[1]
