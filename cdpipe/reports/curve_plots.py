"""Pictures of ROC and precision-recall curves."""

from io import BytesIO
from pathlib import Path
from typing import Final

from cdpipe.reports.evaluation_tables import format_cell
from cdpipe.reports.flushed_files import write_flushed
from cdpipe.training.evaluation.result import Evaluation

CURVE_FILES: Final = ("evaluation_roc.png", "evaluation_pr.png")
"""Names of the files."""

_KINDS: Final = (
    ("roc_auc", "ROC", "false positive rate", "true positive rate"),
    ("average_precision", "precision and recall", "recall", "precision"),
)


def plot_curves(evaluation: Evaluation, folder: Path) -> list[str]:
    """Draw the curves of every classifier that has any; return the names of the files.

    Parameters
    ----------
    evaluation
        Whose curves.
    folder
        Where to write `CURVE_FILES`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - 0.3 s that only plots need
    from matplotlib.figure import Figure  # noqa: PLC0415

    drawn = [each for each in evaluation.classifiers if each.curves is not None]
    if not drawn:
        return []
    for place, (name, (area, title, across, up)) in enumerate(zip(CURVE_FILES, _KINDS, strict=True)):
        figure = Figure(figsize=(5.2, 4.6), dpi=150)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.12, 0.11, 0.84, 0.82))
        for each in drawn:
            curve = (each.curves or ())[place]
            axes.plot(curve.x, curve.y, lw=1.4, label=f"{each.classifier}: {format_cell(each.rankings[area])}")
        chance = ((0, 1), (0, 1)) if place == 0 else ((0, 1), (evaluation.positive_share,) * 2)
        axes.plot(*chance, lw=0.8, ls=":", color="grey", label="by chance")
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel=across, ylabel=up, title=f"{title}: area [interval of 95 %]")
        axes.legend(loc="lower right" if place == 0 else "lower left", fontsize=7)
        content = BytesIO()
        figure.savefig(content, format="png")
        write_flushed(folder / name, content.getvalue())
    return list(CURVE_FILES)
