"""Checking of a configuration: what a run of it would read, do, take from the cache and need, with nothing written."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any, NamedTuple

from cdpipe.config.model import RunConfig, as_config
from cdpipe.engine.cache.store import Store
from cdpipe.engine.files.own_folders import own_folder
from cdpipe.engine.run.inputs import Inputs
from cdpipe.engine.run.memory_projection import Projection
from cdpipe.engine.run.observer import Announcer, RunObserver
from cdpipe.engine.run.runner import Runner
from cdpipe.engine.sessions.open import open_session
from cdpipe.limits import require_base
from cdpipe.planning import fit_memory, own_limit_bytes, plan_inputs, project, stage_params
from cdpipe.stages.gather.conventions import describe_conventions


class InputFile(NamedTuple):
    """A file that would be read: its path, format, bytes once unpacked, and partitions."""

    path: str
    format: str
    bytes: int
    partitions: int


class Check(NamedTuple):
    """What a run would do.

    Attributes
    ----------
    files
        What would be read.
    conventions
        Sentences on how the files write values.
    absent
        By column that would be read as null: the files that lack it.
    cached
        Stages whose output the cache has.
    passes
        Surveys and passes that would be made, in order.
    classifiers
        What would be trained.
    projection
        Memory that everything before training would take; that of training is known when the rows are counted.
    directory
        Where results would go.
    """

    files: tuple[InputFile, ...]
    conventions: tuple[str, ...]
    absent: dict[str, tuple[str, ...]]
    cached: tuple[str, ...]
    passes: tuple[str, ...]
    classifiers: tuple[str, ...]
    projection: Projection
    directory: Path | str


def check(config: RunConfig | Mapping[str, Any] | str | Path, *, observer: RunObserver | None = None) -> Check:
    """Find out what a run would do, and do none of it.

    Parameters
    ----------
    config
        What would be run: a configuration, its tables, or the path of a TOML or JSON file.
    observer
        Is told what takes long: compiling, starting workers.

    Raises
    ------
    SourceError
        If an input cannot be read.
    MemoryLimitError
        If not even the program fits into memory; whether the run fits is in `Check.projection`.
    ValueError
        If stages do not fit together.

    Examples
    --------
    >>> found = check({"input": {"paths": ["bsm.csv"]}, "cache": {"enabled": False}})
    >>> found.passes
    ('gather → clean', 'attack → features')
    >>> found.projection.fits
    True
    """
    announcer = Announcer(observer or RunObserver())
    config = as_config(config)
    require_base(own_limit_bytes(config))
    config = fit_memory(config, announcer.say)
    with ExitStack() as stack:
        inputs = Inputs(config.input.paths, cached=config.cache.enabled, content=config.input.identity == "content")
        folder = cache(lambda: stack.enter_context(own_folder(Path(gettempdir()), "cdpipe-check-")))
        sources, absent = plan_inputs(config, inputs.paths, announcer, folder)
        session = stack.enter_context(open_session(config.session))
        files = {source.block.file.path: source.block.file for source in sources}
        partitions = {path: sum(source.block.file.path == path for source in sources) for path in files}
        store = stack.enter_context(Store(config.cache))
        runner = Runner(
            stage_params(config, sources),
            files=inputs.keys(files),
            require_unchanged=inputs.require_unchanged,
            session=session,
            store=store,
            kept=config.cache.stages if config.cache.enabled else (),
        )
        cached, passes = runner.plan()
        return Check(
            files=tuple(InputFile(path, file.format, file.size, partitions[path]) for path, file in files.items()),
            conventions=tuple(describe_conventions({path: file.convention for path, file in files.items()})),
            absent=absent,
            cached=cached,
            passes=passes,
            classifiers=config.train.classifiers if config.train else (),
            projection=project(config, session, sources),
            directory=config.output.directory,
        )
