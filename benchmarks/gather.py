"""Gather: CSV text -> a typed, partitioned Parquet data set."""

from benchmarks import _data
from benchmarks._stage import Stage


class Csv(Stage, stage="gather", family="gather", data=("csv",)):
    """All 19 columns of a DOT CSV file."""

    needs = ("cdpipe:gather",)

    def work(self, rows: str) -> None:
        import cdpipe

        cdpipe.gather(_data.place("csv", rows), self.scratch() / "out")
