"""Extras: what a mere run does not import, and the install line that gets it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

EXTRAS: Final = {
    "asv": "bench",
    "bokeh": "cluster",
    "cryptography": "cluster",
    "distributed": "cluster",
    "s3fs": "s3",
    "sklearnex": "fast",
}
"""Extra of the distribution by module that it brings."""


class MissingExtraError(ImportError):
    """A module that belongs to an extra is not installed; the message has the install line."""


@contextmanager
def needing(what: str) -> Iterator[None]:
    """Name the install line where something in the block imports a module of an extra that is not installed.

    Parameters
    ----------
    what
        What needs it, as the beginning of a sentence.

    Raises
    ------
    MissingExtraError
        If that is so. A module that is no extra's is missing by a fault, which is raised as it is.

    Examples
    --------
    >>> with needing("a cluster"):
    ...     raise ModuleNotFoundError("No module named 'distributed'", name="distributed.client")
    Traceback (most recent call last):
    cdpipe.extras.MissingExtraError: a cluster needs distributed, which is not installed: pip install 'cdpipe[cluster]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        line = find_install_line(error)
        if line is None:
            raise
        module = (error.name or "").partition(".")[0]
        raise MissingExtraError(f"{what} needs {module}, which is not installed: {line}") from None


def find_install_line(error: BaseException) -> str | None:
    """Return the command that installs what an import failed for; None if that is of no extra.

    Examples
    --------
    >>> find_install_line(ModuleNotFoundError("No module named 's3fs'", name="s3fs"))
    "pip install 'cdpipe[s3]'"
    """
    module = (getattr(error, "name", None) or "").partition(".")[0]
    return f"pip install 'cdpipe[{EXTRAS[module]}]'" if module in EXTRAS else None
