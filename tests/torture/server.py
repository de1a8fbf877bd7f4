"""Fork server: a process that has imported cdpipe and loaded its kernels, and forks a child for each run.

One line of JSON asks for some runs at once, one answers when all have ended. It has one thread, so that a child
is what a process of its own would be, but for the seconds that imports take.
"""

import gc
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from .crashpoints import CrashPoints, Fault

MARK: Final = "CDPIPE_TORTURE"
"""Environment variable of every process that this starts; its value says whose it is."""

HANGING_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 0.002


def main() -> None:
    """Serve until standard input ends."""
    _warm_up(Path(sys.argv[1]))
    click.echo("ready")
    for line in sys.stdin:
        answers = _run_all(json.loads(line)["runs"])
        click.echo(json.dumps(answers))


def _warm_up(source: Path) -> None:
    """Import all that a run needs, and load its kernels, without starting a thread."""
    import matplotlib.pyplot  # noqa: F401
    import sklearn.ensemble
    import sklearn.neighbors
    import sklearn.tree  # noqa: F401

    from cdpipe import read
    from cdpipe.engine.api.stages import apply_stage
    from cdpipe.stages import STAGES

    frame = read(source)[0].compute(scheduler="sync")
    for stage in STAGES:
        frame, _ = apply_stage(stage.name, frame, stage.default())


def _run_all(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    started = [(_fork(each), time.monotonic(), each) for each in runs]
    answers: dict[int, dict[str, Any]] = {}
    while len(answers) < len(started):
        for pid, since, each in started:
            if pid in answers:
                continue
            ended, status = os.waitpid(pid, os.WNOHANG)
            lasted = time.monotonic() - since
            if ended:
                answers[pid] = {"status": os.waitstatus_to_exitcode(status), "seconds": lasted}
            elif lasted > HANGING_SECONDS or (each.get("kill_after") is not None and lasted > each["kill_after"]):
                os.kill(pid, signal.SIGKILL)
                hangs = lasted > HANGING_SECONDS
                answers[pid] = {
                    "status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]),
                    "seconds": lasted,
                    "hangs": hangs,
                }
        time.sleep(_LOOK_SECONDS)
    return [answers[pid] for pid, _, _ in started]


def _fork(asked: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _be_run(asked)
    return pid


def _be_run(asked: dict[str, Any]) -> NoReturn:
    """Be the command `cdpipe run` in a child, and leave without whatever the server would do at its end."""
    code = 99
    try:
        log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        null = os.open(os.devnull, os.O_RDONLY)
        for own, standard in ((null, 0), (log, 1), (log, 2)):
            os.dup2(own, standard)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
        os.environ["TMPDIR"] = asked["tmp"]
        tempfile.tempdir = None
        points = None
        if asked.get("fault"):
            points = CrashPoints(Fault(*asked["fault"]))
            points.install()
        code = _call(asked["config"])
        if points is not None and points.fault.action == "count":
            Path(asked["log"] + ".points").write_text("\n".join(points.seen))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _call(config: str) -> int:
    import traceback

    from cdpipe.cli import main as cdpipe

    try:
        cdpipe(["run", config])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever a run ends with is what is looked for
        traceback.print_exc()
        return 98
    finally:
        gc.collect()  # what a process does at its end: files that nobody closed are
    return 0


if __name__ == "__main__":
    main()
