"""Running kernels as the plain Python they are written in."""

from contextlib import ExitStack, contextmanager
from unittest import mock


@contextmanager
def interpreted(*modules):
    """Replace every compiled function of the modules, also where they call each other, by its source."""
    with ExitStack() as patches:
        for module in modules:
            for name, value in list(vars(module).items()):
                if hasattr(value, "py_func"):
                    patches.enter_context(mock.patch.object(module, name, value.py_func))
        yield
