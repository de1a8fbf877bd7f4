"""Clean: messages -> the messages and columns a study is about. Each reads its input inside the measured call."""

from pathlib import Path
from typing import Any

from benchmarks._stage import Stage

ID, STAMP, POINT = "coreData_id", "metadata_generatedAt", "coreData_position"
NUMBERS = ("coreData_elevation", "coreData_speed", "coreData_heading")
POSITION = ("coreData_position_lat", "coreData_position_long")
RADIUS_M = 20_000.0


class Basic(Stage, stage="clean/basic", family="clean", data=("raw",)):
    """Nulls dropped, columns chosen, positions from `POINT (lon lat)` text."""

    needs = ("cdpipe:clean", "cdpipe.stages.clean:CleanParams")

    def account(self, folder: Path) -> Any:
        import dask.dataframe as dd

        import cdpipe
        from cdpipe.stages.clean import CleanParams

        kept = (ID, *NUMBERS)
        frame = dd.read_parquet(folder, columns=[*kept, POINT])
        params = CleanParams(columns=kept, required=kept, position="point", timestamp_parts=False)
        return cdpipe.clean(frame, params)[1]


class Timestamps(Stage, stage="clean/timestamps", family="clean", data=("raw",)):
    """The same, and text timestamps to times and their parts."""

    needs = ("cdpipe:clean", "cdpipe.stages.clean:CleanParams")

    def account(self, folder: Path) -> Any:
        import dask.dataframe as dd

        import cdpipe
        from cdpipe.stages.clean import CleanParams

        kept = (STAMP, ID, *NUMBERS)
        frame = dd.read_parquet(folder, columns=[*kept, POINT])
        params = CleanParams(columns=kept, required=kept, position="point", timestamp_parts=True)
        return cdpipe.clean(frame, params)[1]


class Spatial(Stage, stage="clean/spatial", family="clean", data=("gathered",)):
    """Messages within 20 km of a centre (about one in twenty), from typed columns."""

    needs = ("cdpipe:clean", "cdpipe.stages.clean:CleanParams")

    def account(self, folder: Path) -> Any:
        import dask.dataframe as dd

        import cdpipe
        from benchmarks._data import LATITUDE_DEG, LONGITUDE_DEG
        from cdpipe.stages.clean import CleanParams

        kept = (ID, *NUMBERS)
        frame = dd.read_parquet(folder, columns=["row_number", *kept, *POSITION])
        within = {"latitude": LATITUDE_DEG, "longitude": LONGITUDE_DEG, "radius_m": RADIUS_M}
        params = CleanParams(columns=kept, required=kept, timestamp_parts=False, filters={"within": within})
        return cdpipe.clean(frame, params)[1]
