"""Work on cells: what a process needs for one, and the tasks that do them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cdpipe.engine.graph.layers import Layer
from cdpipe.engine.sessions.base import Session
from cdpipe.stages.params import Params
from cdpipe.studies.sweep.cells import AFTER_CLEAN, Cell
from cdpipe.studies.sweep.messages import Messages, attack_messages
from cdpipe.studies.sweep.records import Record, Records
from cdpipe.studies.sweep.transfers import Transfer
from cdpipe.training.train import Trained, TrainParams, train
from cdpipe.training.transfer import train_for_transfer

_AT_ONCE: Final = 4
"""Cells with the same features that a task does one after the other."""

_LONG_ROWS: Final = 500_000
"""With this many messages and more, a task does one cell: an interrupt waits for the end of tasks."""


class Made(NamedTuple):
    """Features of attacked messages.

    Attributes
    ----------
    key
        Of all that they depend on.
    stages
        Parameters of the stages after cleaning.
    """

    key: str
    stages: tuple[Params, ...]


class Work(NamedTuple):
    """What a process needs to do a cell or a transfer.

    Attributes
    ----------
    key, label
        Which it is, for records and for people.
    shared
        Key of the messages before the attack.
    made, train
        What it learns from, and how.
    tests
        Features of each attack that a transfer tests on; none for a cell.
    """

    key: str
    label: str
    shared: str
    made: Made
    train: TrainParams
    tests: tuple[tuple[str, Made], ...] = ()


def take_cell(cell: Cell) -> Work:
    """Return the work that a cell is."""
    return Work(cell.key, cell.label, cell.shared, _take_made(cell), cell.train)


def take_transfer(transfer: Transfer) -> Work:
    """Return the work that a transfer is."""
    tests = tuple((each.attack, _take_made(each)) for each in transfer.tests)
    return take_cell(transfer.cell)._replace(key=transfer.key, label=transfer.label, tests=tests)


def do_works(
    works: Sequence[Work], messages: Messages, *, session: Session, records: Records, on_done: Callable[[Work], None]
) -> None:
    """Do works, each recorded as soon as it is done.

    Parameters
    ----------
    works
        With the same messages.
    messages
        Clean messages.
    session
        Where to work.
    records
        Where what is found goes; every worker must find that folder.
    on_done
        Told of each work, in this process, soon after it is recorded.
    """
    layer, folder = Layer("cells"), records.folder.absolute()
    tasks = _share_features(works, at_once=_AT_ONCE if messages.rows < _LONG_ROWS else 1)
    threads = max(1, session.threads // len(tasks))
    laid = [layer.add("cells", place, run_works, some, messages, folder, threads) for place, some in enumerate(tasks)]

    def tell(place: int, _keys: object) -> None:
        for work in tasks[place]:
            on_done(work)

    session.run(layer.wrap(laid), on_done=tell)


def run_works(works: Sequence[Work], messages: Messages, folder: Path, threads: int) -> tuple[str, ...]:
    """Do works with the same features and write what each finds; this is the body of every task.

    What cannot be learnt (one class, an empty side) is recorded as failed, with the reason.
    """
    records = Records(folder)
    for work in works:
        try:
            record = _find(work, messages, threads)
        except ValueError as error:
            record = {"failed": str(error)}
        records.write(work.key, record)
    return tuple(work.key for work in works)


def _find(work: Work, messages: Messages, threads: int) -> Record:
    frame = attack_messages(messages, work.made.stages, key=work.made.key)
    if not work.tests:
        return _describe(train(frame, work.train, threads=threads))
    test = train_for_transfer(frame, work.train, threads=threads)
    frames = ((name, attack_messages(messages, made.stages, key=made.key)) for name, made in work.tests)
    return {"metrics": {name: test(other).as_dict() for name, other in frames}}


def _describe(trained: Trained) -> Record:
    (fitted,) = trained.fitted
    return {
        "metrics": fitted.metrics.as_dict(),
        "train_rows": trained.train_rows,
        "test_rows": trained.test_rows,
        "test_vehicles": trained.test_vehicles,
        "majority_rate": trained.majority_rate,
        "dropped": dict(trained.ledger.dropped),
        "fit_s": fitted.fit_s,
        "predict_s": fitted.predict_s,
    }


def _take_made(cell: Cell) -> Made:
    return Made(cell.made, tuple(getattr(cell.config, stage.name) for stage in AFTER_CLEAN))


def _share_features(works: Sequence[Work], *, at_once: int) -> list[list[Work]]:
    """Part works into those that one task does; transfers, which need the features of all attacks, come last."""
    found: dict[tuple[bool, str], list[Work]] = {}
    for work in works:
        found.setdefault((bool(work.tests), work.made.key), []).append(work)
    ordered = sorted(found.items(), key=lambda item: item[0][0])
    return [some[start : start + at_once] for _, some in ordered for start in range(0, len(some), at_once)]
