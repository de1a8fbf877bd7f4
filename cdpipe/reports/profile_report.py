"""Profile report: bottlenecks of a run's parts, the run's stages, and what the figures do not tell."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cdpipe.perf.analysis.findings import Report
from cdpipe.perf.report.document import NONE, Item, Section, tabulate
from cdpipe.perf.report.render import print_section, render_brief, render_json, render_markdown, render_text
from cdpipe.perf.wording.units import format_percent, format_quantity
from cdpipe.plain import show_plain
from cdpipe.stages.ledger import Ledger

DASK_REPORT: Final = "dask-report.html"
TRAIN: Final = "train"
"""What fitting and measuring the classifiers is called."""

_WIDTH: Final = 100
_REST: Final = "The rest (remedies, rows of each stage, where it ran)"
_STAGE_COLUMNS: Final = (
    ("Stage", False), ("Rows in", True), ("Rows out", True), ("Thread time", True), ("Of all", True)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """What limits a run.

    Attributes
    ----------
    report
        Class, evidence and remedies of each part, and amounts of all parts together.
    figures
        By part the probe's figures; of parts that ended well.
    ledgers
        By stage, in order, what became of every row; of a run that failed, of stages in parts that ended well.
    thread_seconds
        By stage that ran, seconds of its tasks added over all threads.
    place
        Where tasks ran.
    cached
        Stages whose output came from the cache, in order.
    wall_s, between_s
        Seconds from the first part's beginning to the end, and those of them in no part that was measured.
    files
        Files written, by what they are.
    failure
        Why the run failed; None if it did not.
    broke
        The part in which it failed, if any.
    unmeasured
        By part that ended well but has no figures, why it has none.
    """

    report: Report
    figures: Mapping[str, Mapping[str, Any]]
    ledgers: Mapping[str, Ledger]
    thread_seconds: Mapping[str, float]
    place: str
    cached: tuple[str, ...]
    wall_s: float
    between_s: float
    files: Mapping[str, Path]
    failure: Exception | None
    broke: str | None
    unmeasured: Mapping[str, str] = field(default_factory=dict)

    def render(self, format_: str) -> str:
        """Write the profile as `text` (100 columns), `md` or `json`."""
        if format_ == "json":
            described = json.loads(render_json(self.report)) | {"run": self._describe()}
            return json.dumps(described, indent=2) + "\n"
        if format_ == "md":
            about = Section("About this run", (*self.notes(), *self._name_files()))
            return render_markdown(self.report, *self._lay_stages(), about)
        stream = io.StringIO()
        self.print(Console(file=stream, width=_WIDTH))
        return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())

    def print(self, console: Console, *, whole: bool = True) -> None:
        """Print the profile to a terminal: all of it, or what matters most and where the rest is."""
        if not whole and self.failure is None:
            render_brief(self.report, console, rest=f"{_REST}: {self._name_rest()}; --all prints it.")
            return
        render_text(self.report, console)
        for section in self._lay_stages():
            print_section(section, console)
        console.print("About this run", style="bold")
        for line in self.notes():
            console.print(Padding(Text(show_plain(line)), (0, 0, 0, 2), expand=False))
        for line in self._name_files():
            console.print(
                f"  {show_plain(line)}", highlight=False, markup=False, emoji=False, soft_wrap=True
            )  # a path is to be copied whole

    def notes(self) -> list[str]:
        """Say what the report's figures do not: where it ran, what came from the cache, what is not in them."""
        notes = [f"ran on {self.place}"]
        if self.cached:
            notes.append(f"from the cache, so not run: {', '.join(self.cached)}")
        if self.broke:
            notes.append(f"{self.broke}: failed, so it has no figures")
        notes += [
            f"{name}: could not be measured, so it has no figures: {why}" for name, why in self.unmeasured.items()
        ]
        if self.figures or self.unmeasured:
            notes.append(
                f"{self.between_s:.2f} s of {self.wall_s:.2f} s are in no part: opening and closing the probes, "
                "looking into the cache"
            )
        if TRAIN in self.figures:
            notes.append(
                f"more workers do not make {TRAIN} shorter; fewer [train] classifiers, [train] trees or "
                "[train] sample_rows do"
            )
        if self.failure is not None:
            notes.append(f"the run failed: {show_plain(' '.join(str(self.failure).split()))}")
        if DASK_REPORT not in {path.name for path in self.files.values()}:
            notes.append("no report of Dask's own: no task ran through Dask")
        return notes

    def _lay_stages(self) -> tuple[Section, ...]:
        """Lay out the rows and the time of each stage, which a part has several of; nothing where none is known."""
        if not self.ledgers:
            return ()
        whole = sum(self.thread_seconds.values())
        rows = []
        for name, ledger in self.ledgers.items():
            spent = self.thread_seconds.get(name)
            rows.append(
                (
                    Item(name),
                    Item(f"{ledger.rows_in:,}"),
                    Item(f"{ledger.rows_out:,}"),
                    Item(NONE if spent is None else format_quantity(spent, "s")),
                    Item(NONE if spent is None or not whole else format_percent(spent / whole)),
                )
            )
        notes = (
            "Thread time: added over all threads; writing counts for the stage whose output it is.",
            *((f"{NONE}: not run.",) if any(name not in self.thread_seconds for name in self.ledgers) else ()),
        )
        return (Section("Stages within the parts", (), tabulate(_STAGE_COLUMNS, rows), notes=notes),)

    def _name_rest(self) -> str:
        """Name the file with the text, else the last one."""
        return show_plain(str(next(iter(self.files.values())) if self.files else "nowhere"))

    def _name_files(self) -> list[str]:
        return [f"{what}: {path}" for what, path in self.files.items()]

    def _describe(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "parts": {name: dict(figures) for name, figures in self.figures.items()},
            "stages": {
                name: {**ledger.as_dict(), "thread_seconds": self.thread_seconds.get(name)}
                for name, ledger in self.ledgers.items()
            },
            "from_cache": list(self.cached),
            "wall_seconds": self.wall_s,
            "seconds_in_no_part": self.between_s,
            "failed": None if self.failure is None else str(self.failure),
            "failed_part": self.broke,
            "unmeasured": dict(self.unmeasured),
            "notes": self.notes(),
            "files": {what: str(path) for what, path in self.files.items()},
        }
