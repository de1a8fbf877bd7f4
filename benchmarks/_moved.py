"""Modules of cdpipe that have moved: benchmarks go on naming them as they were first called.

A benchmark's version is the digest of its body, so a new name in a body would end its series on the site; and older
commits, which have the old places, are measured by the same body. Where a commit has no module of the old name, the
import finds it at its new place.
"""

import sys
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType, SimpleNamespace
from typing import Final, cast

PLACES: Final = {
    "cdpipe.engine.frames": "cdpipe.engine.api.stages",
    "cdpipe.engine.probe": "cdpipe.probe.probe",
    "cdpipe.engine.tasks": "cdpipe.probe.recording.task_recorder",
    "cdpipe.engine.threads": "cdpipe.engine.sessions.threads",
    "cdpipe.kernels.calendar": "cdpipe.kernels.text.calendar",
    "cdpipe.kernels.circle": "cdpipe.kernels.geodesy.circle",
    "cdpipe.kernels.hashing": "cdpipe.kernels.text.xxhash",
    "cdpipe.kernels.hexids": "cdpipe.kernels.text.hex_ids",
    "cdpipe.kernels.labels": "cdpipe.kernels.text.dictionary",
    "cdpipe.kernels.plane": "cdpipe.kernels.geodesy.plane",
    "cdpipe.kernels.points": "cdpipe.kernels.text.wkt_points",
    "cdpipe.kernels.positions": "cdpipe.kernels.geodesy.positions",
    "cdpipe.kernels.records": "cdpipe.kernels.csv.records",
    "cdpipe.kernels.rows": "cdpipe.kernels.buffers.selection",
    "cdpipe.kernels.timestamps": "cdpipe.kernels.text.timestamps",
    "cdpipe.stages.train": "cdpipe.training.train",
}
"""Where each module is that benchmarks name by an older place."""


class MovedModules:
    """Finds modules by their older names; asked last, after the import system itself has found none."""

    @staticmethod
    def find_spec(name: str, *_: object) -> ModuleSpec | None:
        """Return how to load a module that has moved; None of any other."""
        if name not in PLACES:
            return None
        module = import_module(PLACES[name])
        own = module.__spec__

        def keep_spec(module: ModuleType) -> None:
            module.__spec__ = own

        loader = SimpleNamespace(create_module=lambda _spec: module, exec_module=keep_spec)
        return spec_from_loader(name, cast("Loader", loader))


def register() -> None:
    """Have moved modules found in this process."""
    if MovedModules not in sys.meta_path:
        sys.meta_path.append(MovedModules)
