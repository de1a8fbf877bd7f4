"""Write results directories in asv's format, by hand, so that every odd shape can be had."""

import json
from pathlib import Path

from cdpipe.perf.settings.settings import read_settings

OWN = read_settings(Path(__file__).parents[2] / "benchmarks" / "bottlenecks.toml")
"""What cdpipe says of its own suite."""

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

    def add(self, stage, figure, values, *, sizes=(), variant=(), order="", name="", **row_details):
        """Add a figure of a stage, its values in the order of sizes x variants."""
        kind, unit = _KINDS.get(figure, ("track", figure))
        name = f"suite.{stage.replace('/', '_')}{name}.{kind}_{figure}"
        params = [[repr(size) for size in sizes]] if sizes else []
        names = ["rows"] if sizes else []
        for key, choices in variant:
            params.append([repr(choice) for choice in choices])
            names.append(key)
        attributes = {"cdpipe_stage": stage, "cdpipe_figure": figure} | ({"cdpipe_order": order} if order else {})
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
    suite.add("features", "in_memory_seconds", (0.01, 0.05, 0.11), sizes=sizes)
    suite.add("attack/offset_rand", "seconds", (0.9, None, float("nan")), sizes=("5M", "10M", "15M"))
    suite.add("pipeline", "seconds", (1.0, 4.0), sizes=("100k",), variant=[("classifier", ("forest", "tree"))])
    suite.add("cache", "hit_rate", (0.97,))
    suite.add("cache", "lookup_seconds", (0.012,))
    return suite


SHARES = ("compute", "memory", "disk", "network", "serialisation", "scheduling", "gil", "lock", "sleep", "contention",
          "gc", "idle", "unattributed")  # fmt: skip


def attributed_suite(*, slower: float = 1.0, gather_disk: float = 0.2) -> Suite:
    """A suite whose stages have shares: four sizes over two decades, every kind of figure, cores and partitions."""
    suite = Suite()
    sizes = ("100k", "1M", "5M", "10M")
    rows = (1e5, 1e6, 5e6, 1e7)
    stages = {
        "gather": ({"compute": 0.97 - gather_disk, "disk": gather_disk, "idle": 0.02}, 0.97, 13.0, 4),
        "clean/basic": ({"compute": 0.91, "gc": 0.03, "idle": 0.06}, 1.0, 91.0, 20),
        "clean/spatial": ({"compute": 0.48, "idle": 0.5, "scheduling": 0.02}, 0.9, 50.0, 8),
        "attack/offset_const_per_id": ({"compute": 0.95, "idle": 0.04}, 1.05, 95.0, 150),
        "attack/swap_rand": ({"compute": 0.4, "scheduling": 0.45, "idle": 0.14}, 1.5, 60.0, 101),
        "features": ({"compute": 0.5, "gil": 0.46, "idle": 0.03}, 1.0, 52.0, 4),
    }
    for place, (stage, (shares, exponent, cpu, queue)) in enumerate(stages.items()):
        for name in SHARES[:-1]:
            suite.add(stage, f"share_{name}", [shares.get(name, 0.0)] * 4, sizes=sizes)
        suite.add(stage, "share_unattributed", [1 - sum(shares.values())] * 4, sizes=sizes)
        beside = {
            "cpu_percent": cpu, "memory_percent": 30.0, "disk_busy": 0.1, "ready_queue_max": queue, "cores": 2,
            "task_seconds_p50": 0.001 if stage == "attack/swap_rand" else 0.5, "tasks": 12_000, "samples": 400,
        }  # fmt: skip
        for name, value in beside.items():
            suite.add(stage, name, [value] * 4, sizes=sizes)
        seconds = [slower * (place + 1) * 0.3 * (each / 1e6) ** exponent for each in rows]
        suite.add(
            stage, "seconds", seconds, sizes=sizes, order="linear", intervals=[(s * 0.9, s * 1.1) for s in seconds]
        )
        suite.add(stage, "tree_peak_bytes", (4e8, 4.1e8, 4.2e8, 4.1e8), sizes=sizes, order="constant")
    suite.add("features", "in_memory_seconds", (0.001, 0.01, 0.05, 0.11), sizes=sizes)
    suite.add("train", "seconds", (1.0, 5.5), sizes=("10k", "50k"))
    curve = [("cores", (1, 2, 4))]
    suite.add("clean/basic", "seconds", (4.0, 2.2, 1.3), sizes=("5M",), variant=curve, name="cores")
    partitions = [("partition_rows", ("50k", "250k", "1M"))]
    times = {"intervals": [(3.9, 4.1), (2.1, 2.3), (2.2, 2.6)]}
    suite.add("clean/basic", "seconds", (4.0, 2.2, 2.4), sizes=("5M",), variant=partitions, name="partitions", **times)
    suite.add("attack/offset_rand", "seconds", (0.9, None, float("nan")), sizes=("5M", "10M", "15M"))
    suite.add("cache", "hit_rate", (0.97,))
    return suite


def write_history(writer: ResultsWriter, commits: int, *, date=DATE_MS) -> list[str]:
    """Write that many commits, oldest first: gather's disk comes in the middle, and all gets 2 % slower each time."""
    names = [f"{place + 1:08x}{0:032x}" for place in range(commits)]
    for place, name in enumerate(names):
        suite = attributed_suite(slower=1.02**place, gather_disk=0.75 if place >= commits // 2 else 0.2)
        suite.write(writer, commit=name, date=date + place * 86_400_000)
    return names
