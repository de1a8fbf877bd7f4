"""The cache of stages' outputs: what a lookup costs, and how often it hits in a study."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmarks import _data
from benchmarks._sized import Sized, add, describe, show_source, skip_unless
from benchmarks._sizes import count_rows

RUNS = 20
PARAMS = {"columns": ["coreData_id", "x_pos", "y_pos"]}


class Lookup(Sized, family="lookup", data=("csv",)):
    """From the input file to the entry that was made of it: identify, key, look up."""

    needs = ("cdpipe.engine.cache:Store", "cdpipe.engine.cache:CacheParams")

    def ready(self, rows: str) -> None:
        """Have an entry there too."""
        super().ready(rows)
        fill_store(rows)

    def work(self, rows: str) -> None:
        from cdpipe.engine.cache import identify, key

        source = _data.place("csv", rows)
        if fill_store(rows).lookup(key("gather", 1, PARAMS, identify(source))) is None:
            raise LookupError(f"{source}: the entry that was just made of it is not found")

    def time_lookup(self, rows: str) -> None:
        """Look up what is there."""
        self.work(rows)


class Study(Sized, family="study", data=("csv",)):
    """Runs of the pipeline that differ in nothing but training, as when a classifier is tuned."""

    needs = ("cdpipe:run", "cdpipe:RunConfig", "cdpipe.engine.cache:Store")

    def setup(self, rows: str) -> None:
        skip_unless(*self.needs)
        for kind in self.data:
            _data.need(kind, rows)

    def work(self, rows: str) -> float:
        """Return the share of lookups, over all runs, that found an entry."""
        import cdpipe
        from cdpipe.engine.cache import CacheParams, Store

        folder = self.scratch()
        for seed in range(RUNS):
            config: dict[str, Any] = {
                "input": {"paths": [str(_data.place("csv", rows))]},
                "cache": {"directory": folder / "cache"},
                "train": {"seed": seed, "classifiers": ["DecisionTree"]},
                "output": {"directory": folder / f"run-{seed}"},
            }
            cdpipe.run(cdpipe.RunConfig(**config))
        with Store(CacheParams(directory=folder / "cache")) as store:
            return store.info()["hit_rate"]

    def track_hit_rate(self, rows: str) -> float:
        """Measure the share of hits."""
        return self.work(rows)


add(Lookup, Lookup.time_lookup, "cache", "lookup_seconds")
describe(Study.track_hit_rate, "cache", "hit_rate", f"hit rate over {RUNS} runs that differ in training only")
Study.track_hit_rate.unit = "share"
Study.track_hit_rate.pretty_source = show_source(Study)


@cache
def fill_store(rows: str) -> Any:
    """Return an open store with one entry for the data set, removed when the process ends."""
    import atexit

    from cdpipe.engine.cache import CacheParams, Store, identify, key

    folder = Path(mkdtemp(prefix="cdpipe-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store = Store(CacheParams(directory=folder))
    atexit.register(store.close)
    parts = sorted(_data.need("features", rows).glob("*.parquet"))
    draft = store.begin(key("gather", 1, PARAMS, identify(_data.place("csv", rows))))
    for index, part in enumerate(parts):
        shutil.copyfile(part, draft.part_path(index))
    part_rows = [-(-count_rows(rows) // len(parts))] * len(parts)
    store.commit(draft, stage="gather", params=PARAMS, part_rows=part_rows, ledger={})
    return store
