import io
import logging
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console
from terminals import Terminal

import cdpipe
from cdpipe.engine.graph.steps import Outcome
from cdpipe.engine.run.observer import (
    Announcer,
    PartBegan,
    PartEnded,
    PartitionDone,
    PartitionsBegan,
    RunObserver,
    Said,
    StepBegan,
    StepCounted,
)
from cdpipe.terminal.progress import LoggedProgress, Progress, TerminalProgress
from cdpipe.terminal.reports import follow

EVENTS = (
    StepBegan("compiling kernels"),
    Said("projected memory, streaming: at most 1 GB"),
    PartBegan("gather → clean"),
    PartitionsBegan("gather → clean", 2),
    PartitionDone("gather → clean", 1, 2, Outcome({}, {}, 1_500_000, 10**6)),
    PartitionDone("gather → clean", 2, 2, Outcome({}, {}, 1_500_000, 10**6)),
    PartEnded("gather → clean"),
    PartBegan("train"),
    StepBegan("train DecisionTree", 2, 3),
    PartEnded("train"),
    StepCounted("messages", 7, 9),
)


def run(observer):
    for event in EVENTS:
        Announcer(observer).see(event)
    return "done"


def shown(*, width=80, is_terminal):
    stream = io.StringIO()
    progress = TerminalProgress(Console(file=stream, width=width, force_terminal=is_terminal))
    assert follow(run, progress) == "done"
    assert progress.ended == ["gather → clean", "train"]
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_terminal_shows_steps_rows_and_classifiers(width):
    text = shown(width=width, is_terminal=True)
    assert "projected memory, streaming: at most 1 GB" in text
    assert "2/2" in text
    assert "3,000,000 rows" in text or width < 80


def test_a_file_gets_a_line_for_each_step_and_each_part_that_ended():
    lines = shown(is_terminal=False).splitlines()
    assert lines[:2] == ["compiling kernels", "projected memory, streaming: at most 1 GB"]
    assert lines[2].startswith("gather → clean: 3,000,000 rows, ")
    assert lines[3] == "train DecisionTree (2 of 3)"
    assert lines[4].startswith("train: ")
    assert len(lines) == 5


def test_a_pass_that_begins_anew_is_shown_from_its_beginning():
    stream = io.StringIO()
    progress = TerminalProgress(Console(file=stream, width=100, force_terminal=True))
    with progress.showing():
        for event in (*EVENTS[2:5], *EVENTS[3:7]):
            progress.see(event)
    assert progress.ended == ["gather → clean"]


def test_every_event_is_logged(caplog):
    with caplog.at_level(logging.DEBUG, logger="cdpipe.run"):
        run(RunObserver())
    assert [record.levelname for record in caplog.records].count("DEBUG") == 3
    assert "gather → clean: 2 of 2 partitions, 1,500,000 rows in the last" in caplog.messages
    assert "train DecisionTree (2 of 3)" in caplog.messages


def test_a_log_takes_the_place_of_bars(capsys):
    assert follow(run, LoggedProgress()) == "done"
    out, err = capsys.readouterr()
    assert out == ""
    assert "gather → clean: 1 of 2 partitions" in err
    assert logging.getLogger("cdpipe").handlers == []


def test_nothing_is_shown_where_nothing_is_wanted(capsys):
    assert follow(run, Progress()) == "done"
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("events", "resumes", "note"),
    [
        (EVENTS[:7], True, "kept in the cache: gather → clean; the same command goes on after it"),
        (EVENTS[:7], False, "with cache.enabled = true the same command could go on where it was"),
        (EVENTS[:2], True, None),
    ],
)
def test_an_interrupt_says_what_is_kept_and_how_to_go_on(events, resumes, note):
    def interrupted(observer):
        for event in events:
            observer.see(event)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        follow(interrupted, Progress(), resumes=resumes)
    assert getattr(raised.value, "__notes__", []) == ([] if note is None else [note])


HELD_BACK = """
from cdpipe.engine.sessions.last_words import hearing_last_words
from cdpipe.terminal.progress import choose_progress
progress = choose_progress()
with progress.showing(), hearing_last_words():
    progress.say("seen at once")
"""


def test_a_terminal_shows_progress_while_workers_start():
    """Standard error is held back then, and here never passed on."""
    environment = os.environ | {"PYTHONPATH": str(Path(cdpipe.__file__).parents[1])}
    with Terminal([sys.executable, "-c", HELD_BACK], env=environment) as terminal:
        assert terminal.wait() == 0, terminal.text
    assert "seen at once" in terminal.text
