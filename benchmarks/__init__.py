"""The asv suite: a module a stage, sizes from one table (`_sizes`), inputs from one frozen generator (`_messages`)."""

from contextlib import suppress

from benchmarks import _moved

with suppress(ModuleNotFoundError):  # the environment that makes data sets needs no asv
    from benchmarks import _memory_type, _time_type

    _memory_type.register()
    _time_type.register()

_moved.register()
