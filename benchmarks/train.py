"""Train: features -> three classifiers fitted and measured."""

from benchmarks import _data
from benchmarks._stage import Stage


class ThreeClassifiers(Stage, stage="train", family="train", data=("features",)):
    """RandomForest, DecisionTree and KNeighbors, split by vehicle."""

    needs = ("cdpipe:train", "cdpipe.stages.train:TrainParams")
    repeat = (2, 6, 10.0)

    def work(self, rows: str) -> None:
        import pandas as pd

        import cdpipe
        from cdpipe.stages.train import TrainParams

        cdpipe.train(pd.read_parquet(_data.place("features", rows)), TrainParams(seed=42))
