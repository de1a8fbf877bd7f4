import logging
import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from clusters import PATIENCE_SECONDS, environment

from cdpipe.engine.sessions.last_words import hearing_last_words


def write_from_a_child(text):
    script = "import os, sys; os.write(2, sys.argv[1].encode())"
    subprocess.run([sys.executable, "-c", script, text], check=True)


def test_what_is_held_back_is_kept_or_passed_on(capfd):
    with hearing_last_words() as words:
        write_from_a_child("one\ntwo\n \n")
    assert (words.text, words.last_line) == ("one\ntwo\n \n", "two")
    assert capfd.readouterr().err == ""
    with hearing_last_words() as words:
        write_from_a_child("three\n")
        words.pass_on()
        write_from_a_child("four\n")
    write_from_a_child("five\n")
    assert capfd.readouterr().err == "three\nfour\nfive\n"


def test_a_process_that_lives_on_is_still_heard(capfd):
    script = "import sys; sys.stdin.readline(); sys.stderr.write('late')"
    with hearing_last_words() as words:
        child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
        words.pass_on()
    child.communicate(b"\n")
    deadline, heard = time.monotonic() + PATIENCE_SECONDS, ""
    while heard != "late":
        assert time.monotonic() < deadline
        heard += capfd.readouterr().err
        time.sleep(0.01)


def test_more_than_a_pipe_holds(capfd):
    with hearing_last_words() as words:
        os.write(2, b"x" * 300_000)
    assert words.text == "x" * 300_000


def test_two_at_once_take_turns(capfd):
    heard = []

    def hear(name):
        with hearing_last_words() as words:
            write_from_a_child(name)
        heard.append(words.text)

    threads = [threading.Thread(target=hear, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard) == ["a", "b"]
    write_from_a_child("c")
    assert capfd.readouterr().err == "c"


def test_deaths_are_those_that_nannies_tell_of():
    with hearing_last_words() as words:
        logging.getLogger("distributed.nanny").info("Worker process 7 exited with status 3")
    assert words.death == "worker process 7 exited with status 3"


ENDS = {
    "import no_such_module": r"worker process N exited with status 1, and its last words were: "
    "ModuleNotFoundError: No module named 'no_such_module'; scheduler 'threads' needs no workers",
    "os.kill(os.getpid(), 9)": "worker process N was killed by signal 9, as the system does where memory is short: "
    "use fewer workers; scheduler 'threads' needs no workers",
    "sys.exit(3)": "worker process N exited with status 3; scheduler 'threads' needs no workers",
}
GUARDED = """
    import os, re, sys
    if __name__ == "__mp_main__":
        {how}
    from cdpipe.engine.sessions.base import SessionError
    from cdpipe.engine.sessions.params import SessionParams
    from cdpipe.engine.sessions.open import open_session
    if __name__ == "__main__":
        try:
            with open_session(SessionParams(scheduler="local", workers=2, threads_per_worker=1, dashboard=False)):
                print("open")
        except SessionError as error:
            print(re.sub(r"process [0-9]+", "process N", str(error)))
"""
UNGUARDED = """
    from cdpipe.engine.sessions.params import SessionParams
    from cdpipe.engine.sessions.open import open_session
    with open_session(SessionParams(scheduler="local", workers=1, threads_per_worker=1, dashboard=False)):
        print("open")
"""


def run_script(tmp_path, script):
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(script))
    (tmp_path / "temporary").mkdir()
    ended = subprocess.run(
        [sys.executable, file],
        env=environment(TMPDIR=str(tmp_path / "temporary")),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert list((tmp_path / "temporary").iterdir()) == []
    return ended


@pytest.mark.parametrize(
    "how", [pytest.param(each, marks=pytest.mark.slow if later else ()) for later, each in enumerate(ENDS)]
)
def test_a_worker_dead_at_start_is_told_in_its_own_words(tmp_path, how):
    ended = run_script(tmp_path, GUARDED.format(how=how))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"no local cluster: {ENDS[how]}\n", "")


@pytest.mark.slow
def test_a_script_without_guard_is_told_so(tmp_path):
    ended = run_script(tmp_path, UNGUARDED)
    assert (ended.returncode, ended.stdout) == (1, "")
    said = ended.stderr.splitlines()[-1]
    assert said.startswith(
        "cdpipe.engine.sessions.base.SessionError: no local cluster: workers import the script that starts"
    )
    assert 'must open the cluster below if __name__ == "__main__"' in said
