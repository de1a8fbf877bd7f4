"""The whole job of whoever makes a data set: CSV on disk -> labelled messages on disk, nothing trained of them."""

from benchmarks import _data
from benchmarks._stage import Stage


class Job(Stage, stage="job", family="job", data=("csv",)):
    """Gather, clean, attack, features and publication, in this process's threads, without the cache."""

    needs = ("cdpipe:run", "cdpipe:RunConfig")

    def work(self, rows: str) -> None:
        import cdpipe

        cdpipe.run(
            cdpipe.RunConfig(
                input={"paths": [str(_data.place("csv", rows))]},
                cache={"enabled": False},
                train=None,
                output={"directory": self.scratch()},
            )
        )
