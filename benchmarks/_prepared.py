"""Benchmarks of work on what is in memory already: it is put there once a process, outside the measured call."""

from functools import cache
from typing import Any

from benchmarks._stage import Sized


class Prepared(Sized):
    """What they share: `prepare` makes what `call` takes."""

    def ready(self, rows: str) -> None:
        """Have the arguments there too."""
        super().ready(rows)
        arguments(type(self), rows)

    def prepare(self, rows: str) -> Any:
        """Return what `call` takes."""
        raise NotImplementedError

    def call(self, given: Any) -> None:
        """Do what is measured."""
        raise NotImplementedError

    def work(self, rows: str) -> None:
        self.call(arguments(type(self), rows))


@cache
def arguments(cls: type[Prepared], rows: str) -> Any:
    """Return what `prepare` makes, made once a process."""
    return cls().prepare(rows)
