"""The example notebook in a real kernel: its progress, tables and pictures are in the outputs."""

import base64
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

nbclient = pytest.importorskip(
    "nbclient", reason="nbclient is of the extra `notebook`, which only `make notebook` installs"
)
pytest.importorskip("ipykernel", reason="ipykernel is of the extra `notebook`, which only `make notebook` installs")
import nbformat  # noqa: E402 - it comes with nbclient

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "notebook" / "study.ipynb"
PNG = b"\x89PNG\r\n\x1a\n"


class Watched(nbclient.NotebookClient):
    """Keeps each state of what a kernel shows: a notebook has the last one alone."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.states = []

    def process_message(self, message, cell, cell_index):
        if message["msg_type"] in {"display_data", "update_display_data"}:
            self.states.append((cell_index, message["content"]["data"].get("text/html", "")))
        return super().process_message(message, cell, cell_index)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after all its cells, with the states of what it showed."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = Watched(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    return notebook, client.states


def cell_of(notebook, source):
    """Position and outputs of the one cell that has this text."""
    (found,) = [
        (at, cell) for at, cell in enumerate(notebook.cells) if cell.cell_type == "code" and source in cell.source
    ]
    return found[0], found[1].outputs


def test_it_is_kept_without_outputs():
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert not [cell for cell in cells if cell.outputs or cell.execution_count]


def test_no_cell_fails_or_warns(executed):
    notebook, _ = executed
    outputs = [each for cell in notebook.cells if cell.cell_type == "code" for each in cell.outputs]
    assert not [each for each in outputs if each.output_type in {"error", "stream"}]


def test_a_run_shows_its_progress_in_one_output_that_changes(executed):
    notebook, states = executed
    at, outputs = cell_of(notebook, "cdpipe.run(")
    (shown,) = [each.data["text/html"] for each in outputs]
    assert "projected memory" in shown
    bars = re.findall(r'<progress value="(\d+)" max="(\d+)"></progress> ([^:]+): ([\d,]+) rows', shown)
    assert bars[0][2:] == ("gather → clean", "20,000")
    assert all(done == total for done, total, *_ in bars)
    seen = [html for cell, html in states if cell == at]
    assert len(seen) > 5
    assert any("train DecisionTree (1 of 2)" in html for html in seen)
    assert seen[-1] == shown


def test_the_report_is_tables_and_pictures(executed):
    notebook, _ = executed
    (output,) = [each for cell in notebook.cells if cell.source == "report" for each in cell.outputs]
    shown = output.data["text/html"]
    assert shown.count("<table") >= 3
    for said in ("gather", "features", "no position", "DecisionTree", "HistGradientBoosting", "mcc"):
        assert said in shown
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', shown)
    assert len(pictures) >= 2
    for each in pictures:
        assert base64.b64decode(each).startswith(PNG)
    assert output.data["text/plain"].startswith("<RunReport: 20,000 rows in")


def test_a_stage_alone_gives_a_frame(executed):
    notebook, _ = executed
    _, (output,) = cell_of(notebook, "cdpipe.clean(")
    assert "<table" in output.data["text/html"]
    assert "x_pos" in output.data["text/html"]
