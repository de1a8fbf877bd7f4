"""Memory projection: the most that a run will need, said before it starts."""

from typing import Final, NamedTuple

from cdpipe.engine.sessions.base import Session
from cdpipe.limits import BASE_BYTES, MemoryLimitError, idle_address_bytes

LEAST_BLOCK_BYTES: Final = 1_000_000
"""No smaller blocks are chosen unasked: each partition has its price."""

BLOCK_FACTOR: Final = 8.0
"""Bytes that a task holds at most for each byte of its block: the text, cell bounds, typed columns, and copies."""

TRAINING_ROW_BYTES: Final = 96
"""Keys, label and bookkeeping of a row in training, copies included."""

FEATURE_BYTES: Final = 28
"""A feature of a row in training: as float32, gathered and on a split side, and the classifiers' own copies."""

GROWING_ROW_BYTES: Final = 64
"""A row in a tree that a thread is growing: its weight, its index, the values that are sorted."""

TREE_ROW_BYTES: Final = 160
"""A row in a fully grown tree: at most two nodes, of 80 bytes each with their class counts in scikit-learn."""

BAG_SHARE: Final = 0.64
"""Different rows in a bootstrap sample, which is what a tree of a forest can tell apart: 1 - 1/e = 0.632 of all."""


class Projection(NamedTuple):
    """Projected peak of one part of a run against what there is.

    Attributes
    ----------
    what
        Which part of the run.
    needed_bytes
        Peak over all its processes.
    limit_bytes
        Memory they may use.
    way_out
        What to change if it does not fit.
    """

    what: str
    needed_bytes: int
    limit_bytes: int
    way_out: str

    @property
    def fits(self) -> bool:
        """Whether the need is within the limit."""
        return self.needed_bytes <= self.limit_bytes

    def __str__(self) -> str:
        """Return the projection as a sentence."""
        return f"{self.what}: at most {self.needed_bytes / 1e9:.2f} GB of {self.limit_bytes / 1e9:.2f} GB"


def project_streaming(
    session: Session, *, largest_block_bytes: int, facts_bytes: int = 0, blocks: int | None = None
) -> Projection:
    """Project the peak of the stages that stream: it grows with blocks and threads, not with rows.

    Parameters
    ----------
    session
        Where they run.
    largest_block_bytes
        Bytes of the largest block as stored.
    facts_bytes
        What every process holds of the whole data set.
    blocks
        How many blocks there are.
    """
    processes = session.workers + (session.dashboard_link is not None)
    at_once = session.threads if blocks is None else min(session.threads, blocks)
    needed = processes * (BASE_BYTES + facts_bytes) + at_once * int(BLOCK_FACTOR * largest_block_bytes)
    if session.runs_here:
        needed += idle_address_bytes(session.threads)
    limit = int(session.memory()["cluster_total_gb"] * 1e9)
    return Projection("streaming", needed, limit, "set gather.block_mb lower, or session.threads_per_worker")


class Fit(NamedTuple):
    """Size of blocks, bytes, and threads with which streaming fits."""

    block_bytes: int
    threads: int


def fit_streaming(wish: Fit, *, limit_bytes: int, facts_bytes: int = 0, keep_block: bool, keep_threads: bool) -> Fit:
    """Return smaller blocks, and if need be fewer threads, with which streaming in this process fits, if it can.

    Parameters
    ----------
    wish
        What is wanted; it is returned where it fits.
    limit_bytes
        Memory that there is.
    facts_bytes
        What is held of the whole data set.
    keep_block, keep_threads
        Whether this one of the two is not to be changed.
    """
    for threads in range(wish.threads, 0, -1) if not keep_threads else (wish.threads,):
        room = limit_bytes - BASE_BYTES - facts_bytes - idle_address_bytes(threads)
        # A block ends with a line's end, behind the size that is asked for.
        block = int(0.95 * room / (BLOCK_FACTOR * threads))
        if block >= wish.block_bytes:
            return Fit(wish.block_bytes, threads)
        if block >= LEAST_BLOCK_BYTES and not keep_block:
            return Fit(block, threads)
    return wish


def project_training(
    *,
    rows: int,
    features: int,
    trees: int,
    limit_bytes: int,
    threads: int = 1,
    further_row_bytes: int = 0,
    further_bytes: int = 0,
) -> Projection:
    """Project the peak of training, which holds its rows.

    Trees that are fully grown have at most two nodes for each row that they can tell apart, which is what noise as
    labels makes of them; most data give far smaller ones.

    Parameters
    ----------
    rows
        Messages that train and test: all, or those of a sample.
    features
        Columns.
    trees
        Trees of the random forest; 1 where there is none.
    limit_bytes
        Memory that there is.
    threads
        Trees that grow at a time.
    further_row_bytes, further_bytes
        What an evaluation needs besides, for each row and in all.
    """
    forest = TREE_ROW_BYTES * max(1.0, BAG_SHARE * trees) + GROWING_ROW_BYTES * min(trees, threads)
    row = TRAINING_ROW_BYTES + FEATURE_BYTES * features + forest + further_row_bytes
    fixed = BASE_BYTES + further_bytes
    most = max(0, int((limit_bytes - fixed) / row))
    fewer = f"set train.sample_rows to {most:,} or fewer" if most else "narrow clean.filters"
    way_out = f"{fewer}, or train.trees lower, or train HistGradientBoosting instead of RandomForest"
    return Projection(f"training on {rows:,} rows", fixed + int(rows * row), limit_bytes, way_out)


def require_fit(projection: Projection) -> None:
    """Refuse what cannot fit.

    Raises
    ------
    MemoryLimitError
        Naming the need, the limit and the way out.
    """
    if not projection.fits:
        raise MemoryLimitError(
            f"{projection}; it would not fit: {projection.way_out}, or raise session.memory_limit_gb"
        )
