"""Train: features -> three classifiers fitted and measured."""

from typing import ClassVar

from benchmarks import _data
from benchmarks._stage import Stage


class ThreeClassifiers(Stage, stage="train", family="train", data=("features",), tasks=False):
    """RandomForest, DecisionTree and KNeighbors, split by vehicle."""

    needs = ("cdpipe:train", "cdpipe.stages.train:TrainParams")
    repeat = (2, 6, 10.0)
    orders: ClassVar = {"seconds": "linearithmic", "peak_bytes": "linear", "tree_peak_bytes": "linear"}

    def work(self, rows: str) -> None:
        import pandas as pd

        import cdpipe
        from cdpipe.stages.train import TrainParams

        cdpipe.train(pd.read_parquet(_data.place("features", rows)), TrainParams(seed=42))
