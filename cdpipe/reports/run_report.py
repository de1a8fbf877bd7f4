"""Run report: a run's configuration, machine, accounts, seconds, memory and metrics."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from cdpipe.engine.files.rejects import count_further
from cdpipe.engine.files.seals import seal
from cdpipe.limits import count_processors
from cdpipe.oserrors import naming
from cdpipe.reports.evaluation_data import describe_evaluation, describe_interval
from cdpipe.stages.gather.conventions import Convention
from cdpipe.stages.gather.gather import NAME as GATHER
from cdpipe.stages.ledger import Ledger
from cdpipe.training.train import Fitted, Trained

_PACKAGES: Final = ("cdpipe", "dask", "numba", "numpy", "pandas", "pyarrow", "scikit-learn")
_OPTIONAL: Final = ("distributed", "scikit-learn-intelex")
"""Of the extras `cluster` and `fast`: a base install has neither."""


@dataclass(frozen=True, slots=True, repr=False)
class RunReport:
    """The account of one run.

    Attributes
    ----------
    config
        The configuration, with every default filled in.
    ledgers
        By stage, in order.
    cache
        By stage, "hit" or "miss"; a stage that keeps nothing is not there.
    seconds
        By stage, seconds of its tasks added over all threads (0 where it came from the cache).
    wall_s
        Seconds of the whole run.
    used
        What the run used: CPU, memory, disk, tasks, as the probe measured them; None if it could not.
    projections
        What was projected before each part, as (what, needed bytes, limit bytes).
    trained
        Metrics; None where nothing was trained.
    absent
        Columns that were read as null because a file lacks them.
    conventions
        By input file, how it writes its values.
    outputs
        Files written, or URLs of objects.
    versions, machine
        What it ran on.
    inputs
        By input file, what told it as the run began; see `cdpipe.engine.cache.identity.identify`.
    failed
        Why nothing was trained although the data set is there; None if all went well.
    notes
        What a reader of the metrics must know.

    Examples
    --------
    >>> from cdpipe import run
    >>> report = run("study.toml")
    >>> [(name, ledger.rows_in) for name, ledger in report.ledgers.items()][:2]
    [('gather', 2000), ('clean', 2000)]
    >>> sorted(report.outputs)
    ['confusion matrix of DecisionTree', 'dataset', 'rejects', 'report']
    """

    config: dict[str, Any]
    ledgers: dict[str, Ledger]
    cache: dict[str, str]
    seconds: dict[str, float]
    wall_s: float
    used: dict[str, Any] | None
    projections: tuple[tuple[str, int, int], ...]
    trained: Trained | None
    absent: dict[str, tuple[str, ...]]
    conventions: dict[str, Convention]
    outputs: dict[str, Path | str]
    versions: dict[str, str]
    machine: dict[str, Any]
    inputs: dict[str, str] = field(default_factory=dict)
    failed: str | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return the run in a line: rows, vehicles' labels, the best score, seconds."""
        ledgers = list(self.ledgers.values())
        rows = f"{ledgers[0].rows_in:,} rows in, {ledgers[-1].rows_out:,} out" if ledgers else "no rows"
        best = max(self.fitted, key=lambda each: each.metrics.mcc, default=None)
        score = f", best MCC {best.metrics.mcc:.3f} ({best.classifier})" if best else ""
        return f"<RunReport: {rows}{score}, {self.wall_s:.1f} s>"

    def _repr_html_(self) -> str:
        """Return tables and pictures, for a notebook."""
        from cdpipe.reports.notebook import show_report_as_html  # noqa: PLC0415 - pandas and pictures, for notebooks

        return show_report_as_html(self)

    @property
    def fitted(self) -> tuple[Fitted, ...]:
        """A result for each classifier, none where nothing was trained."""
        return self.trained.fitted if self.trained is not None else ()

    @property
    def rejects_further(self) -> int:
        """How many rejected records are counted and not in the rejects file."""
        return count_further(self.ledgers[GATHER]) if GATHER in self.ledgers else 0

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        return {
            "failed": self.failed,
            "config": self.config,
            "machine": self.machine,
            "versions": self.versions,
            "ledgers": [ledger.as_dict() for ledger in self.ledgers.values()],
            "rejects_further": self.rejects_further,
            "cache": self.cache,
            "stage_seconds": self.seconds,
            "wall_s": self.wall_s,
            "used": self.used,
            "projections": [
                {"what": what, "needed_bytes": needed, "limit_bytes": limit} for what, needed, limit in self.projections
            ],
            "training": None if self.trained is None else {**_training(self.trained), "notes": list(self.notes)},
            "inputs": self.inputs,
            "conventions": {path: each.as_dict() for path, each in self.conventions.items()},
            "absent_columns": {name: list(files) for name, files in self.absent.items()},
            "outputs": {name: str(path) for name, path in self.outputs.items()},
        }

    def write(self, path: Path, *, files: Mapping[str, str] | None = None) -> None:
        """Write the report as JSON and flush it, sealed with the SHA-256 of the `files` beside it, by name."""
        with naming(path):
            text = json.dumps(seal(self.as_dict(), files or {}), indent=2, allow_nan=False)
            with path.open("w", encoding="utf-8") as stream:
                stream.write(f"{text}\n")
                stream.flush()
                os.fsync(stream.fileno())


def describe_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results can depend on."""
    names = [*_PACKAGES, *(name for name in _OPTIONAL if any(metadata.distributions(name=name)))]
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def describe_machine() -> dict[str, Any]:
    """Return what the run's machine is: system, processor, cores, memory."""
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": count_processors(),
        "memory_gb": round(pages * page_bytes / 1e9, 1),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in _lines(info) if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _training(trained: Trained) -> dict[str, Any]:
    return {
        "ledger": trained.ledger.as_dict(),
        "features": list(trained.features),
        "train_rows": trained.train_rows,
        "test_rows": trained.test_rows,
        "test_vehicles": trained.test_vehicles,
        "majority_rate": trained.majority_rate,
        "classifiers": [
            {
                "name": each.classifier,
                "fit_s": each.fit_s,
                "predict_s": each.predict_s,
                **each.metrics.as_dict(),
                **({"chosen": each.chosen} if each.chosen else {}),
                "intervals": {name: describe_interval(estimate) for name, estimate in each.estimates.items()},
            }
            for each in trained.fitted
        ],
        "evaluation": None if trained.evaluation is None else describe_evaluation(trained.evaluation),
    }
