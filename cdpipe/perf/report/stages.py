"""The report's tables of stages: what bounds each, what was only timed, and their other figures."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from cdpipe.figures import UNITS
from cdpipe.perf.analysis.findings import Finding, Rules, Subject
from cdpipe.perf.analysis.slot_classes import BUSY
from cdpipe.perf.report.document import BESIDE, NONE, Item, Section, tabulate
from cdpipe.perf.results.cells import Cell
from cdpipe.perf.results.contention import QUIET
from cdpipe.perf.results.sizes import ROWS
from cdpipe.perf.wording.figures import name_figure
from cdpipe.perf.wording.units import format_percent, format_quantity, format_significant

_OTHERS: Final = {
    "read_bytes": "Read",
    "write_bytes": "Written",
    "tasks": "Tasks",
    "hit_rate": "Hits",
    "lookup_seconds": "Lookup",
    "baseline_seconds": "pandas",
    "kernel_seconds": "Kernel",
    "in_memory_seconds": "In memory",
    "graph_seconds": "Graph",
    "help_seconds": "Help",
}
_TOP_SHARES: Final = 2
_WAY_TO_PROBE: Final = "A benchmark class that inherits `cdpipe.probe.benchmark.Probed` measures where its time goes."


def lay_stages(subject: Subject, name: str) -> Section:
    """Lay out what bounds each stage and size: by shares where any has them, else by the thresholds' figures."""
    of_run = not subject.commit
    title = f"{'Parts of the run' if of_run else 'Stages'} on {name}"
    probed = [finding for finding in subject.findings if finding.probed]
    if not subject.findings:
        return Section(title, ("No part of it ended well." if of_run else "No benchmark gave a figure.",))
    if not probed:
        return Section(title, (f"No stage was probed, so none has a class. {_WAY_TO_PROBE}",))
    shared = any(finding.rules is Rules.ATTRIBUTION for finding in probed)
    columns, row = (_SHARE_COLUMNS, _share_row) if shared else (_THRESHOLD_COLUMNS, _threshold_row)
    rows = [row(finding) for finding in probed]
    columns = (("Part" if of_run else "Stage", False), (name_size(subject.cells), True), *columns)
    kept = [column for column in zip(*rows, strict=True) if any(item.text != NONE for item in column)]
    dashes = any(item.text == NONE for column in kept for item in column)
    what = "part" if of_run else "stage"
    legend = (
        f"Time goes: the largest shares of the slots' time, in percent; a slot is a thread that the {what} may use."
    )
    absent = "not measured" if of_run else "not measured; what failed or was skipped is listed last"
    notes = (
        *((legend,) if any(name_shares(finding) != NONE for finding in probed) and shared else ()),
        *explain_marks(probed),
        *((f"{NONE}: {absent}.",) if dashes else ()),
        *_explain_fallback(probed, shared=shared),
        *_explain_missing(probed),
    )
    return Section(title, (), tabulate(columns, rows), notes=notes)


_SHARE_COLUMNS: Final = (
    ("Class", False), ("Time goes", False), ("Peak", True), ("Time", True),
)  # fmt: skip
_THRESHOLD_COLUMNS: Final = (
    ("Class", False), ("CPU %", True), ("Mem %", True), ("Disk %", True), ("Queue", True),
    ("Peak", True), ("Time", True),
)  # fmt: skip


def _share_row(finding: Finding) -> tuple[Item, ...]:
    cell = finding.cell
    mark = "" if finding.rules is Rules.ATTRIBUTION else " *"
    return (
        Item(cell.title, None, cell.benchmark),
        Item(cell.size or NONE),
        Item(say_class(finding) + mark, finding.bound, cell.benchmark),
        Item(name_shares(finding)),
        _peak(cell),
        show_time(finding),
    )


def say_class(finding: Finding) -> str:
    """Name the class; of what is disturbed, what to do."""
    return f"{finding.label}: measure again" if finding.is_disturbed else finding.label


def show_time(finding: Finding) -> Item:
    """Write the seconds of a finding, marked where other work had the cores."""
    item = show(finding.cell, "seconds", "s")
    marked = finding.is_beside_work and item.text != NONE
    return Item(BESIDE + item.text, None, item.benchmark) if marked else item


def explain_marks(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Say what the mark of a time means, if one has it."""
    known = list(findings)
    probed = any(finding.attribution and finding.attribution.is_beside_work for finding in known)
    timed = any(finding.cell.is_time_disturbed for finding in known)
    meanings = (
        *((f"{format_percent(BUSY)} of the slots' time or more",) if probed else ()),
        *((f"over {format_percent(QUIET)} of the time of most samples: measure again",) if timed else ()),
    )
    return (f"{BESIDE}: other work had the cores for {', or for '.join(meanings)}.",) if meanings else ()


def name_size(cells: Iterable[Cell]) -> str:
    """Name what sizes are counts of: `Rows`, or `Size` where a parameter of another name says them."""
    return "Size" if any(cell.size_name not in {ROWS, ""} for cell in cells) else "Rows"


def name_shares(finding: Finding) -> str:
    """Name the largest shares in percent: `compute 94, idle 6`; `-` where there are none."""
    if finding.attribution is None or not finding.attribution.shares:
        return NONE
    ordered = sorted(finding.attribution.shares.items(), key=lambda pair: -pair[1])
    known = [f"{name} {share * 100:.0f}" for name, share in ordered[:_TOP_SHARES] if share >= 0.005]
    return ", ".join(known)


def _threshold_row(finding: Finding) -> tuple[Item, ...]:
    cell = finding.cell
    busy = cell.figures.get("disk_busy")
    return (
        Item(cell.title, None, cell.benchmark),
        Item(cell.size or NONE),
        Item(say_class(finding), finding.bound, cell.benchmark),
        show(cell, "cpu_percent"),
        show(cell, "memory_percent"),
        Item(format_significant(busy.value * 100), None, busy.benchmark) if busy else Item(NONE),
        show(cell, "ready_queue_max"),
        _peak(cell),
        show_time(finding),
    )


def _peak(cell: Cell) -> Item:
    return show(cell, "tree_peak_bytes" if "tree_peak_bytes" in cell.figures else "peak_bytes", "B")


def show(cell: Cell, figure: str, unit: str = "") -> Item:
    """Write a figure of a cell, with its unit if one is given, linked to its benchmark; `-` where there is none."""
    if figure not in cell.figures:
        return Item(NONE)
    known = cell.figures[figure]
    text = format_quantity(known.value, unit) if unit else format_significant(known.value)
    return Item(text, None, known.benchmark)


def _explain_fallback(probed: list[Finding], *, shared: bool) -> tuple[str, ...]:
    if shared:
        without = sum(finding.rules is Rules.REPORT for finding in probed)
        return (f"*: no shares were measured ({without}), so the fixed thresholds name the class.",) if without else ()
    if all(finding.attribution is None for finding in probed):
        return ("By the fixed thresholds: nothing was measured of where the time goes.",)
    return ("By the fixed thresholds, as asked.",)


def _explain_missing(findings: list[Finding]) -> tuple[str, ...]:
    lacking = Counter(figure for finding in findings for figure in finding.verdict.missing)
    if not lacking:
        return ()
    counts = ", ".join(f"{name_figure(figure)} ({count})" for figure, count in lacking.most_common())
    return (f"Insufficient data: a decision lacks {counts}.",)


def lay_unprobed(subject: Subject, name: str) -> Section | None:
    """Fold what was timed, or whose memory was measured, and no more: one line a stage; None where there is none."""
    folded: dict[tuple[str, tuple[tuple[str, str], ...]], list[Cell]] = {}
    unprobed = [finding for finding in subject.findings if not finding.probed]
    for finding in unprobed:
        folded.setdefault((finding.cell.stage, finding.cell.variant), []).append(finding.cell)
    if not folded:
        return None
    rows = [
        (
            Item(cells[0].title, None, cells[0].benchmark),
            Item(_join(cells, ("seconds", "wall_seconds"), "s")),
            Item(_join_peaks(cells)),
        )
        for cells in folded.values()
    ]
    lines = ("Nothing says what bounds these: no probed run at this size.",)
    table = tabulate((("Stage", False), ("Time", False), ("Peak", False)), rows)
    return Section(f"Not probed on {name}", lines, table, notes=explain_marks(unprobed))


def _join_peaks(cells: list[Cell]) -> str:
    return _join(cells, ("tree_peak_bytes", "peak_bytes"), "B")


def _join(cells: list[Cell], names: tuple[str, ...], unit: str) -> str:
    """Write one figure of several sizes in a line: `1M: 0.4 s, 5M: 2.1 s`."""
    texts = []
    for cell in cells:
        name = next((name for name in names if name in cell.figures), None)
        if name is not None:
            size = f"{cell.rows_text}: " if cell.rows_text else ""
            mark = BESIDE if name == "seconds" and cell.is_time_disturbed else ""
            texts.append(f"{size}{mark}{format_quantity(cell.figures[name].value, unit)}")
    return ", ".join(texts) or NONE


def lay_others(subject: Subject, name: str) -> Section | None:
    """Lay out the figures that decide nothing; None where there is none."""
    title = f"Other figures on {name}"
    shown = [cell for cell in subject.cells if cell.figures.keys() & _OTHERS.keys()]
    known = [figure for figure in _OTHERS if any(figure in cell.figures for cell in shown)]
    if not shown:
        return None
    rows = [
        (Item(cell.title), Item(cell.size or NONE), *(show(cell, figure, UNITS[figure]) for figure in known))
        for cell in shown
    ]
    columns = (("Stage", False), (name_size(shown), True), *((_OTHERS[figure], True) for figure in known))
    return Section(title, table=tabulate(columns, rows))
