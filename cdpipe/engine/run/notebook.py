"""Notebook progress: a run shown below the cell that started it."""

from __future__ import annotations

import html
import sys
import time
from typing import Any, Final

from cdpipe.engine.run.observer import (
    Event,
    PartBegan,
    PartEnded,
    PartitionDone,
    PartitionsBegan,
    RunObserver,
    Said,
    StepBegan,
    word_event,
)

_LEAST_S: Final = 0.2
"""Between two changes of what is shown."""


def notebook_observer() -> RunObserver | None:
    """Return an observer that shows a run in the notebook that this process is the kernel of; None elsewhere."""
    if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
        return None
    shell = sys.modules["IPython"].get_ipython()
    return NotebookProgress() if shell is not None and getattr(shell, "kernel", None) is not None else None


class NotebookProgress(RunObserver):
    """Shows the sentences of a run, a bar for each survey and pass, and what is being done now."""

    def __init__(self) -> None:
        super().__init__()
        self._sentences: list[str] = []
        self._bars: dict[str, tuple[int, int]] = {}
        self._rows: dict[str, int] = {}
        self._now = ""
        self._shown: Any = None
        self._last_s = 0.0

    def see(self, event: Event) -> None:
        """Show an event; partitions several times a second at most."""
        match event:
            case Said(sentence):
                self._sentences.append(sentence)
            case StepBegan():
                self._now = word_event(event)
            case PartBegan(part):
                self._now = part
            case PartitionsBegan(part, total):
                self._bars[part], self._rows[part] = (0, total), 0
            case PartitionDone(part, done, total, outcome):
                self._bars[part] = (done, total)
                self._rows[part] += outcome.rows
                if done < total and time.monotonic() - self._last_s < _LEAST_S:
                    return
            case PartEnded(part):
                self._now = f"{part}: done"
        self._show()

    def render(self) -> str:
        """Return what is shown, as HTML."""
        lines = [f"<div>{html.escape(sentence)}</div>" for sentence in self._sentences]
        for part, (done, total) in self._bars.items():
            bar = f'<progress value="{done}" max="{total}"></progress>'
            lines.append(f"<div>{bar} {html.escape(part)}: {self._rows[part]:,} rows, {done:,} of {total:,}</div>")
        lines.append(f"<div>{html.escape(self._now)}</div>")
        return "\n".join(lines)

    def _show(self) -> None:
        from IPython.display import HTML, display  # noqa: PLC0415 - it is there, or nothing is shown

        self._last_s = time.monotonic()
        shown = HTML(self.render())
        if self._shown is None:
            self._shown = display(shown, display_id=True)
        else:
            self._shown.update(shown)
