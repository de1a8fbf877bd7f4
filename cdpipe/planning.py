"""Planning of a run: its inputs, columns, partitions and memory, decided before anything is written."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from cdpipe.config.model import RunConfig
from cdpipe.engine.api.reading import plan_sources
from cdpipe.engine.api.stages import rehearse
from cdpipe.engine.files.partitions import require_partitions
from cdpipe.engine.graph.steps import Raw
from cdpipe.engine.run.inputs import require_unlabelled
from cdpipe.engine.run.memory_projection import Fit, Projection, fit_streaming, project_streaming
from cdpipe.engine.run.observer import Announcer, StepBegan
from cdpipe.engine.sessions.base import Session
from cdpipe.kernels.warm_up import compiling_ahead, needs_compiling
from cdpipe.limits import count_processors, machine_memory_bytes
from cdpipe.stages import STAGES
from cdpipe.stages.gather.gather import NAME as GATHER
from cdpipe.stages.gather.gather import POSITIONS
from cdpipe.stages.params import Params

_MB: Final = 1e6
_GB: Final = 1e9
_COMPILING: Final = "compiling kernels, once on this machine: about 10 s on an idle one"


def plan_inputs(
    config: RunConfig, paths: list[str], announcer: Announcer, folder: Callable[[], Path]
) -> tuple[list[Raw], dict[str, tuple[str, ...]]]:
    """Find the input, the columns that the stages need of it, and those that some file lacks; check both.

    Parameters
    ----------
    config
        What to read and do.
    paths
        The input's files.
    announcer
        Tells that kernels are compiled.
    folder
        Returns the folder that packed inputs are unpacked to.
    """
    announcer.see(StepBegan("looking at the inputs", is_brief=True))
    required = config.gather.required or (*config.clean.must, *POSITIONS)
    planned = plan_sources(
        paths,
        config.gather.model_copy(update={"required": required}),
        needed=config.clean.inputs,
        format_=None if config.input.format == "auto" else config.input.format,
        conventions=config.input,
        folder=folder,
    )
    sources, _absent = planned
    require_unlabelled(source.block.file for source in sources)
    reads_csv = any(source.block.file.format == "csv" for source in sources)
    if reads_csv and needs_compiling():
        announcer.see(StepBegan(_COMPILING))
    with compiling_ahead() if reads_csv else nullcontext():
        made = rehearse(sources[0].columns, {stage.name: getattr(config, stage.name) for stage in STAGES})
    require_partitions(made, config.output.partition_by)
    return planned


def describe_unpacked(sources: list[Raw]) -> Iterator[str]:
    """Say how much of the disk packed inputs take while the run lasts."""
    unpacked = {file.unpacked: file.size for file in (source.block.file for source in sources) if file.unpacked}
    if unpacked:
        folder = Path(next(iter(unpacked))).parent
        yield f"unpacked {sum(unpacked.values()) / _GB:.2f} GB of inputs to {folder}, until the run ends"


def project(config: RunConfig, session: Session, sources: list[Raw]) -> Projection:
    """Project what streaming takes."""
    largest = max(source.block.unpacked_bytes(len(source.columns)) for source in sources)
    return project_streaming(session, largest_block_bytes=largest, facts_bytes=_held_bytes(config), blocks=len(sources))


def fit_memory(config: RunConfig, tell: Callable[[str], None]) -> RunConfig:
    """Return the configuration with smaller blocks or fewer threads where those not chosen would not fit; say so."""
    session, gather = config.session, config.gather
    if session.scheduler != "threads":
        return config
    wish = Fit(int(gather.block_mb * _MB), session.threads_per_worker or count_processors())
    fit = fit_streaming(
        wish,
        limit_bytes=own_limit_bytes(config),
        facts_bytes=_held_bytes(config),
        keep_block="block_mb" in gather.model_fields_set,
        keep_threads=session.threads_per_worker is not None,
    )
    if fit == wish:
        return config
    megabytes = fit.block_bytes / _MB
    tell(
        f"gather.block_mb is {megabytes:.3g} and session.threads_per_worker {fit.threads}, so that the run fits into "
        f"{own_limit_bytes(config) / _GB:.2f} GB"
    )
    return config.model_copy(
        update={
            "gather": gather.model_copy(update={"block_mb": megabytes}),
            "session": session.model_copy(update={"threads_per_worker": fit.threads}),
        }
    )


def own_limit_bytes(config: RunConfig) -> int:
    """Return the memory that this process may use, in bytes."""
    limit_gb = config.session.memory_limit_gb if config.session.scheduler == "threads" else None
    return machine_memory_bytes() if limit_gb is None else int(limit_gb * _GB)


def _held_bytes(config: RunConfig) -> int:
    """Return what each process holds of the whole data set, in bytes."""
    return max(stage.held_bytes(getattr(config, stage.name)) for stage in STAGES)


def stage_params(config: RunConfig, sources: list[Raw]) -> dict[str, Params]:
    """Return the parameters of all stages before training, those of gathering as they are settled."""
    read = config.gather.model_copy(update={"columns": sources[0].columns, "required": sources[0].required})
    return {GATHER: read, **{stage.name: getattr(config, stage.name) for stage in STAGES}}
