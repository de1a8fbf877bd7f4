import errno
import fcntl
import io
import os
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner

import cdpipe
from cdpipe.cli import main
from cdpipe.config.model import ConfigError
from cdpipe.synthetic.generator import SynthParams, synthesize
from cdpipe.terminal import streams as terminal
from cdpipe.terminal.streams import FAULT, MENDABLE, open_streams, tell_error, word_error

COMMAND = f"cdpipe() {{ {sys.executable} -c 'from cdpipe.cli import main; main()' \"$@\"; }}\nset -o pipefail\n"


def run(shell, cwd, **environment):
    """Run a line of a shell in a folder; gives (status, output, errors)."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= kept | {"PYTHONPATH": str(Path(cdpipe.__file__).parents[1])}
    done = subprocess.run(
        ["bash", "-c", COMMAND + shell], capture_output=True, cwd=cwd, check=False, timeout=120, env=environment
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class OursError(Exception):
    __module__ = "cdpipe.somewhere"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (OursError("it is wrong; mend it"), MENDABLE, "cdpipe: it is wrong; mend it"),
        (ValueError("a \x1b[31mred\nline"), MENDABLE, r"cdpipe: a \x1b[31mred\nline"),
        (ConfigError("a: one\nb: \x9btwo"), MENDABLE, "cdpipe: a: one\nb: \\x9btwo"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/p"),
            MENDABLE,
            "cdpipe: /x/p: the disk is full; free some",
        ),
        (MemoryError(), MENDABLE, "cdpipe: memory is used up; lower gather.block_mb"),
        (TypeError("'x' is no y"), FAULT, "cdpipe: TypeError: 'x' is no y; this is a fault of cdpipe: report it with "),
        (KeyError(), FAULT, "cdpipe: KeyError; this is a fault of cdpipe"),
        (RecursionError("too deep"), FAULT, "cdpipe: RecursionError: too deep; this is a fault"),
    ],
)
def test_an_error_is_told_and_stands_for_a_status(capsys, error, status, said):
    assert tell_error(error) == status
    assert capsys.readouterr().err.startswith(said)


@pytest.fixture
def faulty(monkeypatch):
    """Let every command meet a fault of cdpipe."""

    def fail(*_, **__):
        raise TypeError("nobody foresaw this")

    monkeypatch.setattr("cdpipe.config.command_line.read_tables", fail)


def test_a_fault_keeps_its_trace_in_a_file_that_is_named(faulty, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = CliRunner().invoke(main, ["run", "c.toml"])
    assert result.exit_code == FAULT
    assert "Traceback" not in result.output
    (kept,) = tmp_path.glob("cdpipe-fault-*.txt")
    assert f"report it with {kept}, or run again with --debug" in result.stderr
    assert "in fail\n" in kept.read_text()
    assert "TypeError: nobody foresaw this" in kept.read_text()


def test_a_trace_that_cannot_be_kept_is_printed(faulty, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    result = CliRunner().invoke(main, ["run", "c.toml"])
    assert result.exit_code == FAULT
    assert "in fail\n" in result.stderr
    assert "report it with the lines above" in result.stderr


def test_who_debugs_gets_the_error_itself(faulty):
    assert isinstance(CliRunner().invoke(main, ["--debug", "run", "c.toml"]).exception, TypeError)


def test_a_pipe_that_is_broken_elsewhere_is_told(monkeypatch, capsys):
    assert "broken pipe" in word_error(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert not terminal.ended_reader()


def test_streams_take_any_text(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", None)
    open_streams()
    stream.write("→ \udcff")
    stream.flush()
    assert stream.buffer.getvalue() == rb"\u2192 \udcff"
    sys.stderr.write("nowhere")
    sys.stderr.close()


def test_a_folder_that_was_removed_is_said(tmp_path):
    (tmp_path / "gone").mkdir()
    status, out, err = run("rmdir $PWD && cdpipe cache info", cwd=tmp_path / "gone")
    assert (status, out) == (1, "")
    assert err.endswith("cdpipe: the folder that you are in was removed; change to another and run again\n")


@pytest.mark.parametrize(
    "shell",
    [
        "cdpipe run --example | head -1",
        "cdpipe run --example >&-",
        "cdpipe run --example >&- 2>&-",
        "cdpipe cache info >&-",
        "cdpipe cache info > /dev/full",
        "cdpipe run c.toml | head -1",
        "cdpipe run c.toml | true",
        "cdpipe run c.toml >&- 2>&-",
        "PYTHONIOENCODING=ascii cdpipe run c.toml",
        "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 cdpipe run c.toml",
        "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 cdpipe run --example",
    ],
)
@pytest.mark.slow
def test_a_reader_that_ends_or_knows_few_signs_meets_no_trace(tmp_path, shell):
    synthesize(tmp_path / "→é.csv", SynthParams(rows=500, vehicles=10))
    (tmp_path / "c.toml").write_text('output.directory = "ö[/b]"\ninput.paths = ["*.csv"]\ntrain.classifiers = []\n')
    status, out, err = run(shell, cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "caches"))
    assert "Traceback" not in out + err
    assert "Exception ignored" not in err
    assert status in ((0, 1) if any(each in shell for each in ("head", "true", "full", "PYTHONUTF8=0")) else (0,))
    if "PYTHONUTF8=0" in shell and status:
        assert "has signs beyond ascii, in which this system writes names" in err
    if "full" in shell:
        assert err == "cdpipe: standard output: the disk is full; free some of it, or choose a folder on another\n"


def test_a_user_without_a_home_is_told_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(
        Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("Could not determine home directory."))
    )
    result = CliRunner().invoke(main, ["cache", "info"])
    assert (result.exit_code, result.stderr) == (
        1,
        "cdpipe: cache ~/.cache: there is no such home; set cache.directory to an absolute path\n",
    )
    result = CliRunner().invoke(main, ["cache", "info", "--directory", "~nobody-of-that-name/x"])
    assert result.exit_code == 1
    assert "no home folder is known for ~nobody-of-that-name" in result.stderr


def test_an_error_breaks_between_words_on_a_terminal(monkeypatch):
    reader, writer = os.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        tell_error(ValueError("no message was read: the input has columns but no record"))
        monkeypatch.undo()
        said = os.read(reader, 1000).decode()
    os.close(reader)
    assert said.splitlines() == ["cdpipe: no message was read: the input", "has columns but no record"]
