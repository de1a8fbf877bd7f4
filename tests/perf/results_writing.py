"""Write results directories in asv's format, by hand, so that every odd shape can be had."""

import json
from pathlib import Path

COLUMNS = [
    "result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
    "stats_q_75", "stats_number", "stats_repeat", "samples", "profile",
]  # fmt: skip
COMMIT = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"
OLDER = "0f1e2d3c4b5a69788796a5b4c3d2e1f001122334"
DATE_MS = 1_795_380_581_000

_KINDS = {"seconds": ("time", "seconds"), "peak_bytes": ("peakmemory", "bytes")}


def row(result, *, params=(), version="v1", started_at=DATE_MS, intervals=None, samples=None):
    """Make a benchmark's row as asv does: all-null columns null, cut after the last value."""
    lows, highs = zip(*intervals, strict=True) if intervals else (None, None)
    values = [result, [list(axis) for axis in params], version, started_at, 0.5]
    values += [list(lows) if lows else None, list(highs) if highs else None, None, None, None, None, samples, None]
    while values and values[-1] is None:
        values.pop()
    return values


def benchmark(name, *, kind="time", unit="seconds", params=(), param_names=(), version="v1", **attributes):
    """Describe a benchmark as `benchmarks.json` does."""
    described = {"name": name, "type": kind, "unit": unit, "version": version, "code": "def f(): ...", **attributes}
    return {**described, "params": [list(axis) for axis in params], "param_names": list(param_names)}


class ResultsWriter:
    """A results directory in the making; each call writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def benchmarks(self, *entries, version=2):
        data = {entry["name"]: entry for entry in entries}
        self._write(self.path / "benchmarks.json", {**data, "version": version})

    def machine(self, name="box", **details):
        data = {"machine": name, "cpu": "Test CPU", "num_cpu": "2", "ram": "8000000", "os": "Linux", **details}
        self._write(self.path / name / "machine.json", {**data, "version": 1})

    def run(self, rows, *, machine="box", commit=COMMIT, date=DATE_MS, env="py3.11", **changes):
        data = {
            "commit_hash": commit, "env_name": env, "date": date, "params": {"machine": machine, "python": "3.11"},
            "python": "3.11", "requirements": {}, "env_vars": {}, "result_columns": COLUMNS, "results": rows,
            "durations": {}, "version": 2, **changes,
        }  # fmt: skip
        data = {key: value for key, value in data.items() if value is not ...}
        path = self.path / machine / f"{commit[:8]}-{env}.json"
        self._write(path, data)
        return path

    def _write(self, path, data):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data), encoding="utf-8")


class Suite:
    """The benchmarks and rows of a cdpipe suite: one benchmark a stage and figure."""

    def __init__(self) -> None:
        self.entries = []
        self.rows = {}

    def add(self, stage, figure, values, *, sizes=(), variant=(), **row_details):
        """Add a figure of a stage, its values in the order of sizes x variants."""
        kind, unit = _KINDS.get(figure, ("track", figure))
        name = f"suite.{stage.replace('/', '_')}.{kind}_{figure}"
        params = [[repr(size) for size in sizes]] if sizes else []
        names = ["rows"] if sizes else []
        for key, choices in variant:
            params.append([repr(choice) for choice in choices])
            names.append(key)
        attributes = {"cdpipe_stage": stage, "cdpipe_figure": figure}
        self.entries.append(benchmark(name, kind=kind, unit=unit, params=params, param_names=names, **attributes))
        self.rows[name] = row(list(values), params=params, **row_details)
        return name

    def write(self, writer: ResultsWriter, **run_details):
        writer.benchmarks(*self.entries)
        writer.machine(run_details.get("machine", "box"))
        return writer.run(self.rows, **run_details)


def full_suite() -> Suite:
    """A suite as cdpipe's own: every class, every target, failures and skips."""
    suite = Suite()
    sizes = ("1M", "5M", "10M")
    probes = {
        "gather": ((12, 14, 13), (30, 30, 31), (0.9, 0.92, 0.95), (4, 4, 4)),
        "clean/basic": ((88, 91, 93), (20, 35, 50), (0.1, 0.1, 0.1), (10, 20, 40)),
        "clean/spatial": ((50, 55, 58), (20, 30, 41), (0.1, 0.1, 0.1), (8, 8, 8)),
        "features": ((40, 41, 42), (61, 75, 82), (0.0, 0.0, 0.0), (3, 3, 3)),
        "attack/swap_rand": ((55, 55, 55), (20, 30, 40), (0.0, 0.0, 0.0), (101, 400, 900)),
    }
    for place, (stage, figures) in enumerate(probes.items()):
        names = ("cpu_percent", "memory_percent", "disk_busy", "ready_queue_max")
        for name, values in zip(names, figures, strict=True):
            suite.add(stage, name, values, sizes=sizes)
        seconds = [(place + 1) * rows for rows in (0.41, 2.1, 4.3)]
        suite.add(stage, "seconds", seconds, sizes=sizes, intervals=[(s * 0.9, s * 1.1) for s in seconds])
        suite.add(stage, "tree_peak_bytes", (4e8, 9e8, 1.4e9), sizes=sizes)
    suite.add("features", "baseline_seconds", (2.0, 11.0, 30.0), sizes=sizes)
    suite.add("attack/offset_rand", "seconds", (0.9, None, float("nan")), sizes=("5M", "10M", "15M"))
    suite.add("pipeline", "seconds", (1.0, 4.0), sizes=("100k",), variant=[("classifier", ("forest", "tree"))])
    suite.add("cache", "hit_rate", (0.97,))
    suite.add("cache", "lookup_seconds", (0.012,))
    return suite
