"""Messages of a study: what is gathered and cleaned once for all cells, through the cache."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

import pandas as pd
from pandas.api.types import union_categoricals

from cdpipe.config.model import RunConfig
from cdpipe.engine.api.stages import apply_stage
from cdpipe.engine.cache.store import CacheParams, Store
from cdpipe.engine.files.packed import temporary_folder
from cdpipe.engine.files.parts import Written, read_part
from cdpipe.engine.run.inputs import Inputs, require_shared, require_visible
from cdpipe.engine.run.memory_projection import require_fit
from cdpipe.engine.run.observer import Announcer, RunObserver
from cdpipe.engine.run.runner import Runner
from cdpipe.engine.sessions.base import Session
from cdpipe.figures import GB
from cdpipe.planning import plan_inputs, project, stage_params
from cdpipe.stages.clean import NAME as CLEAN
from cdpipe.stages.gather.gather import NAME as GATHER
from cdpipe.stages.params import Params
from cdpipe.studies.sweep.cells import AFTER_CLEAN

_HELD_SHARE: Final = 0.15
"""Share of a process's memory for frames with features that cells to come may need."""

_MADE: Final[OrderedDict[str, pd.DataFrame]] = OrderedDict()
_MAKING: Final = Lock()


class Messages(NamedTuple):
    """Clean messages on disk, which each process that works on cells reads once.

    Attributes
    ----------
    parts
        Files, in the order of their rows, each with what was written there.
    rows
        How many messages there are.
    held_bytes
        How much of frames with features a process may remember, beside the one in use.
    """

    parts: tuple[tuple[Path, Written], ...]
    rows: int
    held_bytes: int


def clean_once(
    config: RunConfig, inputs: Inputs, *, session: Session, opened: ExitStack, scratch: Path, observer: RunObserver
) -> Messages:
    """Gather and clean the input of a study, or take what the cache has of it.

    Parameters
    ----------
    config
        Of any cell.
    inputs
        Its input files.
    session
        Where to run.
    opened
        Keeps the cache open, and with it what it gave.
    scratch
        Folder for what is kept, where the configuration has no cache.
    observer
        Told how it goes.

    Raises
    ------
    SourceError
        If an input cannot be read.
    MemoryLimitError
        If it would not fit into memory.
    ValueError
        If no message is left.
    """
    announcer = Announcer(observer)
    sources, _absent = plan_inputs(config, inputs.paths, announcer, temporary_folder)
    require_visible(session, [source.block.file for source in sources])
    require_fit(project(config, session, sources))
    own = CacheParams(directory=scratch / "stages", limit_gb=1e9)
    store = opened.enter_context(Store(config.cache if config.cache.enabled else own))
    require_shared(session, store.directory, mark=store.mark, remedy="set cache.directory to")
    runner = Runner(
        stage_params(config, sources),
        files=inputs.keys({source.block.file.path: source.block.file for source in sources}),
        require_unchanged=inputs.require_unchanged,
        session=session,
        store=store,
        kept=(GATHER, CLEAN),
        announcer=announcer,
    )
    entry = runner.find(CLEAN)
    if entry is None:
        store.forget(runner.prepare(sources).passing)
        entry = runner.find(CLEAN)
    if entry is None or not entry.manifest.rows:
        raise ValueError("no message is left after cleaning; `cdpipe run` says why: widen clean.filters")
    held = int(session.memory()["cluster_total_gb"] * GB * _HELD_SHARE / session.workers)
    return Messages(tuple(zip(entry.parts, entry.written, strict=True)), entry.manifest.rows, held)


@lru_cache(maxsize=1)
def read_messages(messages: Messages) -> pd.DataFrame:
    """Return the messages as one frame; nobody may change it."""
    return join_frames([read_part(path, known=known) for path, known in messages.parts])


def join_frames(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return frames with the same columns as one, rows in order; labels stay labels."""
    if len(frames) == 1:
        return frames[0]
    joined: dict[str, Any] = {}
    for name in map(str, frames[0].columns):
        pieces = [frame[name] for frame in frames]
        is_label = isinstance(pieces[0].dtype, pd.CategoricalDtype)
        joined[name] = union_categoricals(pieces) if is_label else pd.concat(pieces, ignore_index=True)
    return pd.DataFrame(joined)


def attack_messages(messages: Messages, params: Sequence[Params], *, key: str) -> pd.DataFrame:
    """Return the features of attacked messages as one frame, which nobody may change.

    A process remembers the last few, and makes one at a time, so that cells which share one wait for it.

    Parameters
    ----------
    messages
        Clean messages.
    params
        Of the stages after cleaning, in their order.
    key
        Of all that the frame depends on.
    """
    with _MAKING:
        if key not in _MADE:
            frame = read_messages(messages)
            for stage, given in zip(AFTER_CLEAN, params, strict=True):
                frame, _ledger = apply_stage(stage.name, frame, given)
            size = int(frame.memory_usage().sum())
            while _MADE and (len(_MADE) + 1) * size > messages.held_bytes:
                _MADE.popitem(last=False)
            _MADE[key] = frame
        _MADE.move_to_end(key)
        return _MADE[key]
