"""The command writes its files whatever happens: a comment is needed most where nothing could be built."""

import io
import json

import pytest
from rich.console import Console

from cdpipe.perf.gate import command
from cdpipe.perf.gate.command import Options, run_command
from cdpipe.perf.gate.measuring.asv_compat import CannotMeasureError

from .outcomes import make_outcome, make_row


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command with a comparison that is given; (status or error, standard output, progress)."""
    monkeypatch.chdir(tmp_path)

    def ran(compare, format_="text"):
        monkeypatch.setattr(command, "compare_commits", compare)
        out, progress = io.StringIO(), io.StringIO()
        options = Options(
            base="main", markdown=tmp_path / "c.md", json_=tmp_path / "c.json", attributes=(("repeat", 5),)
        )
        consoles = {"console": Console(file=out, width=120), "progress": Console(file=progress)}
        try:
            status = run_command(options, format_=format_, **consoles)
        except CannotMeasureError as error:
            status = error
        return status, out.getvalue(), progress.getvalue()

    return ran


def test_options_reach_the_comparison_and_files_are_written(run, tmp_path):
    seen = {}

    def compare(config, base, head, **options):
        seen.update(options, names=(str(config), base, head))
        return make_outcome(make_row("a", 0.3))

    status, out, _ = run(compare)
    assert status == 1
    assert "1 benchmark got worse (exit status 1)" in out
    assert seen["names"] == ("asv.conf.json", "main", "HEAD")
    assert (seen["attributes"], seen["limit_s"], seen["why"]) == ({"repeat": 5}, 600.0, True)
    assert "1 benchmark got worse" in (tmp_path / "c.md").read_text()
    assert json.loads((tmp_path / "c.json").read_text())["status"] == 1


@pytest.mark.parametrize("format_", ["text", "md", "json"])
def test_a_failed_build_is_written_and_shown_too(run, tmp_path, format_):
    def compare(*_, **__):
        raise CannotMeasureError("commit abc: cannot be built", "first\nlast")

    error, out, progress = run(compare, format_)
    assert isinstance(error, CannotMeasureError)
    assert progress == "first\nlast\n"
    assert "cannot be built" in (tmp_path / "c.md").read_text()
    assert json.loads((tmp_path / "c.json").read_text())["output"] == "first\nlast"
    assert ("cannot be built" in out) == (format_ != "text")
