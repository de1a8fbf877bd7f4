import json
import subprocess
import sys

import pytest

import cdpipe


def modules(code):
    """Modules that a fresh interpreter has after running some code."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=600)
    return set(json.loads(done.stdout.splitlines()[-1]))


def loaded(code):
    return {name.partition(".")[0] for name in modules(code)}


HEAVY = {"pandas", "dask", "distributed", "numba", "numpy", "pyarrow", "sklearn", "scipy", "matplotlib", "pydantic"}


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded("import cdpipe") & HEAVY


def test_importing_the_package_does_not_look_up_its_version():
    assert "importlib.metadata" not in modules("import cdpipe")


def test_stages_on_pandas_frames_do_not_load_dask():
    assert not loaded("import cdpipe; cdpipe.clean, cdpipe.attack, cdpipe.features") & {
        "dask",
        "distributed",
        "sklearn",
    }


def test_a_pipeline_does_not_load_frames_of_dask_nor_its_clusters():
    assert not modules("import cdpipe; cdpipe.run, cdpipe.gather") & {"dask.dataframe", "dask.array", "distributed"}


def test_importing_the_command_line_loads_nothing_heavy():
    assert not loaded("import cdpipe.cli") & HEAVY


def test_asking_for_help_loads_nothing_heavy():
    code = "from click.testing import CliRunner; from cdpipe.cli import main\n"
    code += "assert CliRunner().invoke(main, ['run', '-h']).exit_code == 0"
    assert not loaded(code) & HEAVY


def test_running_the_pipeline_module_does_not_load_what_only_urls_need():
    assert "fsspec" not in loaded("import cdpipe.pipeline")


def test_running_the_pipeline_module_does_not_load_what_only_training_and_plots_need():
    assert not loaded("import cdpipe.pipeline") & {"sklearn", "matplotlib"}


def test_every_public_name_is_there():
    assert len(set(cdpipe.__all__)) == len(cdpipe.__all__)
    for name in cdpipe.__all__:
        assert getattr(cdpipe, name) is not None
    assert set(cdpipe.__all__) <= set(dir(cdpipe))


def test_public_functions_and_classes_say_what_they_do():
    for name in set(cdpipe.__all__) - {"__version__"}:
        assert getattr(cdpipe, name).__doc__.strip(), name


def test_a_name_that_is_none_is_refused_with_those_there_are():
    with pytest.raises(AttributeError, match=r"no attribute 'runn'; it has .*run"):
        cdpipe.runn  # noqa: B018
