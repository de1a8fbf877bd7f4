"""Traces: what the names of VeReMi's files, and a ground truth among or beside them, say of the senders."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from cdpipe.engine.files.byte_ranges import open_stream
from cdpipe.engine.files.packed import is_packed, plain_name
from cdpipe.engine.files.paths import SourceError
from cdpipe.engine.files.sources import SourceFile
from cdpipe.oserrors import give_reason
from cdpipe.stages.gather.veremi import Trace, is_truth, read_name
from cdpipe.stages.gather.veremi_records import MessageKind
from cdpipe.stages.gather.veremi_truth import write_truth

_LONGEST: Final = 1 << 20
"""Bytes of a line of a ground truth that are read at once; a longer one is no record."""


def tell_traces(
    files: Sequence[SourceFile], folder: Callable[[], Path], *, takes: Sequence[MessageKind]
) -> list[SourceFile]:
    """Return files with what is known of those that are VeReMi's traces; others as they are.

    A message is labelled by the trace of its sender: all names in a trace's folder count, on this machine also those of
    files that are not read. Traces of several folders are several runs, whose vehicles are others though their numbers
    may be the same.

    Parameters
    ----------
    files
        The inputs.
    folder
        Returns the folder that what is known is written to.
    takes
        Which records are messages. What was sent is none where there are traces of what was received beside it.

    Raises
    ------
    SourceError
        If two traces of a vehicle say different kinds of attack, or a ground truth cannot be read.
    """
    runs: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        if file.format == "veremi":
            runs[_folder_of(file.path)].append(file)
    known: dict[str, Trace] = {}
    names = [PurePosixPath(run).name for run in runs]
    for run, name in zip(runs, names, strict=True):
        prefix = "" if len(runs) == 1 else f"{name if names.count(name) == 1 else run}/"
        known |= _tell_run(run, runs[run], Trace(run=prefix, takes=tuple(takes)), folder)
    return [file._replace(trace=known[file.path]) if file.path in known else file for file in files]


def _tell_run(run: str, files: Sequence[SourceFile], usual: Trace, folder: Callable[[], Path]) -> dict[str, Trace]:
    """Return what is known of the traces of a folder, by path."""
    stored = {_name(file.path): file.stored for file in files}
    beside = {} if "://" in run else {path.name: str(path) for path in Path(run).iterdir() if not is_packed(str(path))}
    named = {**beside, **stored}
    kinds: dict[int, int] = {}
    owner: dict[int, str] = {}
    for name in sorted(named):
        told = read_name(name)
        if told is None:
            continue
        if kinds.setdefault(told.vehicle, told.kind) != told.kind:
            raise SourceError(
                f"{run}/{name}: says attack {told.kind} of vehicle {told.vehicle}, and {owner[told.vehicle]} says "
                f"{kinds[told.vehicle]}; keep traces of different runs in different folders"
            )
        owner[told.vehicle] = name
    truths = [named[name] for name in sorted(named) if is_truth(name)]
    written = write_truth(folder(), kinds, _read_lines(truths))
    has_traces = any(read_name(_name(file.path)) for file in files)
    takes = tuple(each for each in usual.takes if each != "sent" or not has_traces)
    found = {}
    for file in files:
        told = read_name(_name(file.path))
        vehicle = -1 if told is None else told.vehicle
        found[file.path] = Trace(vehicle, usual.run, takes, written.path, written.digest)
    return found


def _read_lines(paths: Sequence[str]) -> Iterator[bytes]:
    for path in paths:
        try:
            with open_stream(path) as stream:
                while line := stream.readline(_LONGEST):
                    yield line
        except (OSError, ValueError) as error:
            raise SourceError(f"{path}: {give_reason(error)}") from error


def _name(path: str) -> str:
    return PurePosixPath(plain_name(path).partition("::")[0]).name


def _folder_of(path: str) -> str:
    if "::" in path:
        member, _, archive = path.partition("::")
        return f"{member.rpartition('/')[0]}::{archive}"
    return path.rpartition("/")[0] if "://" in path else str(Path(path).absolute().parent)
