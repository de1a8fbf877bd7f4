"""Ctrl-C ends a run, wherever it falls: also where Python forgets exceptions."""

import contextlib
import ctypes
import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path

import psutil
import pytest

import cdpipe
from cdpipe import interrupts
from cdpipe.engine.files import locks
from cdpipe.engine.files import own_folders as ownfolders
from cdpipe.engine.outputs import output_folder as outputs
from cdpipe.interrupts import STATUS, check_interrupt, heeding_interrupts, holding_interrupts
from cdpipe.pipeline import run
from cdpipe.synthetic.generator import SynthParams, synthesize

PATIENCE_S = 60


@pytest.fixture(autouse=True)
def python_s_own_handler():
    """What a program that says nothing of signals has; whoever started the tests may have them ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    hook = sys.unraisablehook
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
    assert sys.unraisablehook is hook
    assert not interrupts._HEEDING


def interrupt(*_):
    signal.raise_signal(signal.SIGINT)


def work():
    """Go on for as long as nobody ends it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        time.sleep(0.001)


def collect():
    gc.callbacks.append(interrupt)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(interrupt)


def delete():
    class Held:
        def __del__(self):
            interrupt()

    Held()


def die():
    class Held:
        pass

    held = Held()
    reference = weakref.ref(held, interrupt)
    del held
    assert reference() is None


def call_from_c():
    ctypes.CFUNCTYPE(None)(interrupt)()


def heed(work, *, ends_by=KeyboardInterrupt):
    """Do some work in a block that heeds interrupts; returns by what it ended."""

    def heeded():
        with heeding_interrupts():
            work()

    with pytest.raises(ends_by) as raised:
        heeded()
    return raised.value


FORGETFUL = [collect, delete, die, call_from_c]


@pytest.mark.parametrize("fall_into", FORGETFUL)
def test_what_python_forgets_is_raised_again(fall_into, capfd):
    heed(lambda: (fall_into(), work()))
    assert capfd.readouterr().err == ""


def test_without_it_python_does_forget(monkeypatch):
    forgotten = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: forgotten.append(unraisable.exc_type))
    delete()
    assert forgotten == [KeyboardInterrupt]


def test_several_that_are_forgotten_end_the_work_once():
    heed(lambda: (delete(), delete(), delete(), work()))


def test_one_that_is_caught_ends_the_work_at_the_next_check():
    reached = []

    def work():
        try:
            interrupt()
        except KeyboardInterrupt:
            reached.append("caught")
        check_interrupt()
        reached.append("beyond")

    heed(work)
    assert reached == ["caught"]


def test_one_that_is_forgotten_to_the_end_is_raised_there(monkeypatch):
    monkeypatch.setattr(interrupts, "_AGAIN_S", PATIENCE_S)
    heed(delete)


def test_one_that_became_another_error_is_an_interrupt():
    def work():
        try:
            interrupt()
        except KeyboardInterrupt:
            raise OSError("the connection is gone") from None

    assert isinstance(heed(work).__cause__, OSError)


def test_cleaning_up_is_not_interrupted_by_the_same_interrupt():
    cleaned = []

    def work():
        try:
            delete()
            check_interrupt()
        finally:
            time.sleep(5 * interrupts._AGAIN_S)
            check_interrupt()
            cleaned.append(True)

    heed(work)
    assert cleaned == [True]


def test_errors_and_other_forgotten_exceptions_pass(monkeypatch):
    ignored = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)

    class Broken:
        def __del__(self):
            raise KeyError

    def work():
        Broken()
        raise FileNotFoundError

    heed(work, ends_by=FileNotFoundError)
    assert [each.exc_type for each in ignored] == [KeyError]
    monkeypatch.undo()


def test_a_block_within_a_block_is_the_outer_one_s():
    def work():
        with heeding_interrupts():
            delete()
        with heeding_interrupts():
            pytest.fail("this is a place to end")

    heed(work)


def test_one_that_falls_where_it_has_to_wait_is_raised_at_the_end():
    reached = []

    def work():
        with holding_interrupts():
            delete()
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            reached.append("done")
        reached.append("beyond")

    heed(work)
    assert reached == ["done"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.parametrize("block", [heeding_interrupts, holding_interrupts])
def test_one_that_became_another_error_within_a_block_is_an_interrupt_there(block):
    def fail():
        with block():
            delete()
            raise OSError("the connection is gone")

    def work():
        with pytest.raises(KeyboardInterrupt) as raised:
            fail()
        assert isinstance(raised.value.__cause__, OSError)
        raise raised.value

    heed(work)


def test_where_it_has_to_wait_what_is_started_gets_no_interrupt(capfd):
    code = "import time; print(1, flush=True); time.sleep(60)"

    def start():
        with subprocess.Popen([sys.executable, "-c", code], stdout=-1) as child:
            child.stdout.readline()
            child.send_signal(signal.SIGINT)
            child.send_signal(signal.SIGTERM)
        ended.append(child.returncode)

    ended = []
    with holding_interrupts():
        starter = threading.Thread(target=start)
        starter.start()
    starter.join()
    assert ended == [-signal.SIGTERM]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *_: None])
def test_who_handles_or_ignores_interrupts_goes_on_doing_so(handler):
    signal.signal(signal.SIGINT, handler)
    with heeding_interrupts():
        assert signal.getsignal(signal.SIGINT) is handler
        interrupt()
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_in_another_thread_there_is_nothing_to_heed():
    seen = []

    def elsewhere():
        with heeding_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


DEALT_WITH = """
import signal
from cdpipe.interrupts import forget_unhandled
try:
    exec("signal.raise_signal(signal.SIGINT)")
except KeyboardInterrupt:
    {forget}
raise SystemExit(130)
"""


@pytest.mark.parametrize(("forget", "status"), [("forget_unhandled()", STATUS), ("pass", -signal.SIGINT)])
def test_one_that_is_dealt_with_does_not_kill_python_at_its_end(forget, status, tmp_path):
    (tmp_path / "work.py").write_text(DEALT_WITH.format(forget=forget))
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(cdpipe.__file__).parents[1]}"}
    command = [sys.executable, "-m", "work"]
    done = subprocess.run(command, env=environment, check=False, timeout=60)
    assert done.returncode == status


LOADING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder())
from cdpipe.__main__ import main
main()
"""


def test_one_while_the_command_line_is_loaded_is_a_sentence():
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == STATUS
    said = "cdpipe: interrupted; nothing unfinished was published; the same command starts anew\n"
    assert done.stderr == said


# Whole runs


class Moment:
    """Raises an interrupt at a call of a function in this thread, counted from the beginning."""

    def __init__(self, at=None):
        self.at = at
        self.calls = 0

    def __call__(self, _frame, event, _argument):
        if event == "call":
            self.calls += 1
            if self.calls == self.at:
                sys.setprofile(None)
                interrupt()

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)


@pytest.fixture
def config(configure_run, tmp_path):
    synthesize(tmp_path / "bsm.csv", SynthParams(rows=2000, vehicles=20))
    return configure_run(tmp_path / "bsm.csv", block_mb=0.2, cache={"enabled": False})


def children():
    return {each.pid for each in psutil.Process().children(recursive=True)}


def names(folder):
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*")) if folder.exists() else []


MOMENTS = [each / 8 for each in range(8)]
RARE = [pytest.param(each / 80, marks=pytest.mark.slow) for each in range(80) if each % 10]


# A library that is interrupted between opening a file and its `with` leaves the closing to Python, which warns.
@pytest.mark.filterwarnings(r"ignore:Exception ignored in. <_io\.FileIO:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("part", MOMENTS + RARE)
def test_a_run_that_is_interrupted_at_any_moment_leaves_nothing(config, tmp_path, monkeypatch, part, whole_calls):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before, threads = children(), threading.active_count()
    with Moment(max(1, int(whole_calls(config) * part))) as moment:
        try:
            run(config)
        except KeyboardInterrupt:
            assert moment.calls >= moment.at
        else:  # no two runs make as many calls: this one had ended
            assert moment.calls < moment.at
            assert part > 0.9
    assert children() <= before
    assert threading.active_count() == threads
    assert not [each for each in gc.callbacks if each.__module__ == "cdpipe.probe.recording.task_recorder"]
    assert names(temporary) == []
    assert not [name for name in names(config.output.directory) if ".scratch" in name]


# The output folder's lock and the scratch folder


class Step:
    """Raises an interrupt before an instruction of what takes and releases them, counted from the beginning."""

    OF = (interrupts, locks, outputs, ownfolders, contextlib)

    def __init__(self, at=None):
        self.at = at
        self.steps = 0

    def __call__(self, frame, event, _argument):
        if frame.f_code.co_filename not in {module.__file__ for module in self.OF}:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.steps += 1
            if self.steps == self.at:
                sys.settrace(None)
                interrupt()
        return self

    def __enter__(self):
        self._before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *_):
        sys.settrace(self._before)


def take_and_release(out, step):
    """Take them, as a run does, and release them; returns what the interrupt left behind, its traceback alive."""
    with pytest.raises(KeyboardInterrupt, match="^there was none$" if step.at is None else "^$") as raised:
        in_steps(out, step)
    with outputs.sole_run(out):
        left = names(out)
    assert not interrupts._HEEDING
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return left, raised


def in_steps(out, step):
    with step:
        begin_and_end(out)
    raise KeyboardInterrupt("there was none")


def begin_and_end(out):
    with heeding_interrupts() as heeding:
        scratch = outputs.LocalFolder(out).take(heeding.held, heeding.held)
        (scratch / "file").write_text("")


@pytest.mark.parametrize("part", [3, *(pytest.param(each, marks=pytest.mark.slow) for each in range(8) if each != 3)])
def test_wherever_a_run_is_interrupted_its_folder_is_free_again(tmp_path, part):
    begin_and_end(tmp_path)
    whole = Step()
    take_and_release(tmp_path, whole)
    assert whole.steps > 500
    for at in range(part + 1, whole.steps, 8):
        left, _ = take_and_release(tmp_path, Step(at))
        assert left == [".cdpipe-lock"], at


@pytest.fixture
def whole_calls():
    """Count the calls of a whole run, once."""

    def count(config):
        if not _CALLS:
            run(config)  # imports, and compiles
            with Moment() as moment:
                run(config)
            _CALLS.append(moment.calls)
            for path in sorted(config.output.directory.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
        return _CALLS[0]

    return count


_CALLS = []

COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from cdpipe.cli import main
from cdpipe.probe.recording import task_recorder as tasks

class Book(tasks.TaskBook):
    def _note_collection(self, phase, information):
        super()._note_collection(phase, information)
        if phase == "start" and not fallen:
            fallen.append(phase)
            signal.raise_signal(signal.SIGINT)

fallen = []
import cdpipe.probe.probe
cdpipe.probe.probe.TaskBook = Book
try:
    main()
finally:
    assert fallen, "no garbage was collected"
"""


def test_ctrl_c_while_garbage_is_collected_ends_the_command(tmp_path, configure_run):
    synthesize(tmp_path / "bsm.csv", SynthParams(rows=2000, vehicles=20))
    (tmp_path / "run.toml").write_text(
        f"input.paths = ['{tmp_path}/bsm.csv']\noutput.directory = '{tmp_path}/out'\ncache.enabled = false\n"
        "train.classifiers = ['DecisionTree']\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "run", str(tmp_path / "run.toml")],
        env=os.environ | {"PYTHONPATH": str(Path(cdpipe.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == STATUS, done.stderr
    assert done.stderr.splitlines()[-1].startswith("cdpipe: interrupted; nothing unfinished was published")
    assert names(tmp_path / "out") == []
