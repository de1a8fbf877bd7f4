"""How much memory a run will need at most, said before it starts."""

from typing import Final, NamedTuple

from cdpipe.engine.session import Session

BASE_BYTES: Final = 450_000_000
"""A Python process with cdpipe, Dask, Arrow and the compiled kernels, and what the allocators keep."""

BLOCK_FACTOR: Final = 8.0
"""Bytes that a task holds at most for each byte of its block: the text, cell bounds, typed columns, and copies."""

TRAINING_ROW_BYTES: Final = 64
"""Keys, label and bookkeeping of a row in training, copies included."""

FEATURE_BYTES: Final = 28
"""A feature of a row in training: as stored, as float32, the split sides, and the classifiers' own copy."""

TREE_NODE_BYTES: Final = 100
"""A node of a scikit-learn tree with its class counts."""


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


class MemoryLimitError(MemoryError):
    """A part of a run would not fit into memory; it was not started."""


def project_streaming(session: Session, *, largest_block_bytes: int, facts_bytes: int = 0) -> Projection:
    """Project the peak of the stages that stream: it grows with blocks and threads, not with rows.

    Parameters
    ----------
    session
        Where they run.
    largest_block_bytes
        Bytes of the largest block as stored.
    facts_bytes
        What every process holds of the whole data set.
    """
    processes = session.workers + (session.dashboard_link is not None)
    needed = processes * (BASE_BYTES + facts_bytes) + session.threads * int(BLOCK_FACTOR * largest_block_bytes)
    limit = int(session.memory()["cluster_total_gb"] * 1e9)
    return Projection("streaming", needed, limit, "set gather.block_mb lower, or session.threads_per_worker")


def project_training(*, rows: int, features: int, trees: int, limit_bytes: int) -> Projection:
    """Project the peak of training, which holds all rows: fully grown trees have at most two nodes a row."""
    row = TRAINING_ROW_BYTES + FEATURE_BYTES * features + 2 * TREE_NODE_BYTES * trees
    way_out = "train on fewer rows (a narrower clean.filters), with fewer train.trees, or without RandomForest"
    return Projection(f"training on {rows:,} rows", BASE_BYTES + rows * row, limit_bytes, way_out)


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
