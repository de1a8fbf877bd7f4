"""Texts as kernels take them, the kernels as plain Python, and the oracle for a number in a text."""

import importlib
import math
import re
import sys
from types import ModuleType

import numba
import numpy as np
from vehicle_ids import NULL_WORDS as WORDS
from vehicle_ids import is_null, strip

OK, NULL, MALFORMED = 0, 1, 2
NULL_WORDS = {word.encode() for word in WORDS}
NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def as_cells(texts: list[bytes]) -> tuple[bytes, np.ndarray, np.ndarray]:
    """Put texts next to each other, so that reading past one is reading another."""
    stops = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return b"".join(texts), np.concatenate([np.zeros(1, np.int64), stops[:-1]])[: len(texts)], stops


def load_plain(name: str) -> ModuleType:
    """Import a module of `cdpipe.kernels` afresh, uncompiled: NumPy then checks every index."""
    package = importlib.import_module("cdpipe.kernels")
    prefix = "cdpipe.kernels."
    rooms = {key: value for key, value in vars(package).items() if prefix + key in sys.modules}
    compiled = {key: sys.modules.pop(key) for key in list(sys.modules) if key.startswith(prefix)}
    numba.config.DISABLE_JIT, before = True, numba.config.DISABLE_JIT
    try:
        return importlib.import_module(prefix + name)
    finally:
        numba.config.DISABLE_JIT = before
        for key in [key for key in sys.modules if key.startswith(prefix)]:
            del sys.modules[key]
            if "." not in key.removeprefix(prefix):
                delattr(package, key.removeprefix(prefix))
        sys.modules.update(compiled)
        vars(package).update(rooms)


def read_float(text: bytes) -> tuple[float, int]:
    """Say by Python's own means what `parse_float` must make of a cell."""
    word = strip(text)
    if is_null(word):
        return math.nan, NULL
    if not NUMBER.fullmatch(word) or math.isinf(float(word)):
        return math.nan, MALFORMED
    return float(word), OK


def bits(values: object) -> list[int]:
    """Return float64 values as words: tells -0.0 from 0.0 and shows the last bit."""
    array = np.array(values, dtype=np.float64)
    array[np.isnan(array)] = np.nan
    return array.view(np.uint64).tolist()
