import html
import sys
import types

import pytest

from cdpipe import run
from cdpipe.config.model import as_config, parse_config
from cdpipe.engine.graph.steps import Outcome
from cdpipe.engine.run.notebook import NotebookProgress, notebook_observer
from cdpipe.engine.run.observer import PartBegan, PartEnded, PartitionDone, PartitionsBegan, Said, StepBegan
from cdpipe.synthetic.generator import SynthParams, synthesize


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    synthesize(folder / "a<b>.csv", SynthParams(rows=2_000, vehicles=30))
    given = {
        "input": {"paths": [str(folder / "a<b>.csv")]},
        "train": {"classifiers": ["DecisionTree"]},
        "cache": {"enabled": False},
        "output": {"directory": str(folder / "out")},
    }
    return run(given)


def test_a_report_is_a_line(report):
    assert repr(report).startswith("<RunReport: 2,000 rows in, ")
    assert f"best MCC {report.fitted[0].metrics.mcc:.3f} (DecisionTree)" in repr(report)
    assert "\n" not in repr(report)


def test_a_notebook_gets_tables_and_pictures_and_no_markup_of_names(report):
    text = report._repr_html_()
    for said in ("<table", "gather", "DecisionTree", "data:image/png;base64,", "RunReport"):
        assert said in text
    assert "<b>" not in text
    assert f"always naming the commoner class scores {report.trained.majority_rate:.4f}" in text
    assert report.notes
    assert all(html.escape(note) in text for note in report.notes)
    assert text.count("<img ") == 1


def test_a_configuration_is_given_as_such_as_tables_or_as_a_file(tmp_path):
    (tmp_path / "s.toml").write_text('[input]\npaths = ["a.csv"]\n')
    expected = parse_config({"input": {"paths": ["a.csv"]}})
    assert as_config(expected) is expected
    assert as_config({"input": {"paths": ["a.csv"]}}) == expected
    assert as_config(str(tmp_path / "s.toml")) == as_config(tmp_path / "s.toml") == expected


@pytest.fixture
def shown(monkeypatch):
    """Let this process be a kernel; gives what was displayed, the last state last."""
    states = []

    def display(html, display_id):
        states.append(html)
        return types.SimpleNamespace(update=states.append)

    shell = types.SimpleNamespace(kernel=object())
    module = types.ModuleType("IPython")
    module.get_ipython = lambda: shell
    drawing = types.ModuleType("IPython.display")
    drawing.display, drawing.HTML = display, str
    for name, each in (("IPython", module), ("IPython.display", drawing), ("ipykernel", types.ModuleType("ipykernel"))):
        monkeypatch.setitem(sys.modules, name, each)
    return states


def test_a_run_is_shown_below_its_cell(shown):
    observer = notebook_observer()
    assert isinstance(observer, NotebookProgress)
    for event in (
        StepBegan("compiling"),
        Said("projected <memory>"),
        PartBegan("gather → clean"),
        PartitionsBegan("gather → clean", 2),
        PartitionDone("gather → clean", 1, 2, Outcome({}, {}, 1_500, 10)),
        PartitionDone("gather → clean", 2, 2, Outcome({}, {}, 1_500, 10)),
        PartEnded("gather → clean"),
    ):
        observer.see(event)
    assert "projected &lt;memory&gt;" in shown[-1]
    assert '<progress value="2" max="2"></progress> gather → clean: 3,000 rows, 2 of 2' in shown[-1]
    assert len(shown) >= 4


@pytest.mark.skipif("ipykernel" in sys.modules, reason="this is a notebook")
def test_elsewhere_nothing_is_shown():
    assert notebook_observer() is None
