import builtins
import tomllib
from pathlib import Path

import pytest

from cdpipe import SessionParams, open_session
from cdpipe.extras import EXTRAS, MissingExtraError, needing

PROJECT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text())["project"]


def test_every_extra_named_is_one_and_brings_the_module():
    distributions = {"sklearnex": "scikit-learn-intelex"}
    for module, extra in EXTRAS.items():
        wanted = PROJECT["optional-dependencies"][extra]
        assert any(each.startswith(distributions.get(module, module)) for each in wanted), module
        assert not any(each.startswith(f"{module}>") for each in PROJECT["dependencies"])


@pytest.fixture
def without(monkeypatch):
    """Have a module not be installed."""
    real = builtins.__import__

    def hide(hidden):
        def load(name, *args, **kwargs):
            if name.partition(".")[0] == hidden:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", load)
        for name in [each for each in __import__("sys").modules if each.startswith("cdpipe.engine.sessions.conn")]:
            monkeypatch.delitem(__import__("sys").modules, name)

    return hide


def test_a_cluster_without_its_extra_is_told_the_install_line(without):
    without("distributed")
    with (
        pytest.raises(MissingExtraError, match=r"'local' needs distributed.*: pip install 'cdpipe\[cluster\]'"),
        open_session(SessionParams(scheduler="local")),
    ):
        pass


def test_a_module_of_no_extra_is_a_fault():
    with pytest.raises(ModuleNotFoundError, match="numpy"), needing("this"):
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")
