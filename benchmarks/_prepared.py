"""Benchmarks of work on what is in memory already: it is put there once a process, outside the measured call."""

from functools import cache
from typing import Any

from benchmarks._sized import Sized


class Prepared(Sized):
    """What they share: `prepare` makes what `call` takes."""

    def ready(self, rows: str, *others: Any) -> None:
        """Have the arguments there too."""
        super().ready(rows, *others)
        arguments(type(self), rows, *others)

    def prepare(self, rows: str, *others: Any) -> Any:
        """Return what `call` takes."""
        raise NotImplementedError

    def call(self, given: Any) -> None:
        """Do what is measured."""
        raise NotImplementedError

    def work(self, rows: str, *others: Any) -> None:
        self.call(arguments(type(self), rows, *others))


@cache
def arguments(cls: type[Prepared], rows: str, *others: Any) -> Any:
    """Return what `prepare` makes, made once a process."""
    return cls().prepare(rows, *others)
