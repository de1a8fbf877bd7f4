"""The full pipeline, as `cdpipe run` does it: CSV -> gather -> clean -> attack -> features -> train -> metrics."""

from typing import ClassVar

from benchmarks import _data
from benchmarks._stage import Stage


class ThreeClassifiers(Stage, stage="pipeline", family="pipeline", data=("csv",)):
    """Default configuration, without the cache: six stages and three classifiers."""

    needs = ("cdpipe:run", "cdpipe:RunConfig")
    repeat = (2, 6, 10.0)
    orders: ClassVar = {"seconds": "linearithmic", "peak_bytes": "linear", "tree_peak_bytes": "linear"}

    def work(self, rows: str) -> None:
        import cdpipe

        cdpipe.run(
            cdpipe.RunConfig(
                input={"paths": [str(_data.place("csv", rows))]},
                cache={"enabled": False},
                output={"directory": self.scratch()},
            )
        )
