"""Examples in docstrings: each runs, and every public function and class has one."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest
from perf.results_writing import ResultsWriter, attributed_suite

import cdpipe
import cdpipe.perf
from cdpipe.probe.benchmark import Probed

ROOT = Path(cdpipe.__file__).parent
STUDY = '[input]\npaths = ["bsm.csv"]\n[train]\nclassifiers = ["DecisionTree"]\n[cache]\nenabled = false\n'
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
FINDER = doctest.DocTestFinder(exclude_empty=True)
PUBLIC = {
    **{f"cdpipe.{name}": getattr(cdpipe, name) for name in cdpipe.__all__ if name != "__version__"},
    **{f"cdpipe.perf.{name}": getattr(cdpipe.perf, name) for name in cdpipe.perf.__all__},
    "cdpipe.probe.benchmark.Probed": Probed,
}


def modules_with_examples():
    for found in pkgutil.walk_packages([str(ROOT)], "cdpipe."):
        path = ROOT.parent.joinpath(*found.name.split("."))
        path = path / "__init__.py" if found.ispkg else path.with_suffix(".py")
        if ">>> " in path.read_text(encoding="utf-8"):
            yield found.name


MODULES = list(modules_with_examples())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What examples find where they run: `bsm.csv`, `study.toml`, and results of asv."""
    monkeypatch.chdir(tmp_path)
    cdpipe.synthesize("bsm.csv", rows=2_000, vehicles=40)
    Path("study.toml").write_text(STUDY)
    results = tmp_path / ".asv" / "results"
    results.mkdir(parents=True)
    attributed_suite().write(ResultsWriter(results))
    return tmp_path


def run_example(test):
    said = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)
    return runner.tries


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name, folder):
    tests = [test for test in FINDER.find(importlib.import_module(name)) if test.examples]
    assert tests
    for test in tests:
        assert run_example(test) > 0


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_has_an_example_that_runs(name):
    public = PUBLIC[name]
    examples = doctest.DocTestParser().get_examples(public.__doc__ or "")
    assert examples, f"{name} has no example in its docstring"
    assert not [each for each in examples if each.options.get(doctest.SKIP)], f"an example of {name} is skipped"
    assert sum(each.source.count("\n") for each in examples) <= 8, f"the example of {name} is long"
    assert public.__module__ in MODULES


def test_an_example_that_is_wrong_is_found():
    parsed = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    with pytest.raises(AssertionError, match="Expected"):
        run_example(parsed)
