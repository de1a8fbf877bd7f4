"""Pictures of results."""

import os
from pathlib import Path
from typing import Final

import numpy as np

from cdpipe.oserrors import naming
from cdpipe.training.metrics import Metrics

_LABELS: Final = ("honest", "attacker")


def plot_confusion(metrics: Metrics, title: str, path: Path) -> None:
    """Write a confusion matrix as a PNG: counts, and the share of each true class.

    Parameters
    ----------
    metrics
        Whose matrix.
    title
        Heading of the picture.
    path
        File to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - 0.3 s that only plots need
    from matplotlib.figure import Figure  # noqa: PLC0415

    counts = np.array(
        [
            [metrics.true_negatives, metrics.false_positives],
            [metrics.false_negatives, metrics.true_positives],
        ]
    )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(4.6, 4.2), dpi=150)
    FigureCanvasAgg(figure)
    # Axes of its own and no colour bar: a layout that is searched for and a bar that repeats what the squares say
    # are two thirds of the time that a picture takes.
    axes = figure.add_axes((0.19, 0.13, 0.77, 0.77))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(2):
        for column in range(2):
            axes.text(
                column,
                row,
                f"{counts[row, column]:,}\n{shares[row, column]:.1%}",
                ha="center",
                va="center",
                color="white" if shares[row, column] > 0.5 else "black",
            )
    axes.set(xticks=(0, 1), yticks=(0, 1), xticklabels=_LABELS, yticklabels=_LABELS)
    axes.set(xlabel="predicted", ylabel="true", title=f"{title}: share of the true class")
    with naming(path), path.open("wb") as stream:
        figure.savefig(stream, format="png")
        stream.flush()
        os.fsync(stream.fileno())
