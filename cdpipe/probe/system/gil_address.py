"""GIL address in the memory of CPython, so that waiting for it can be told from other waiting."""

import ctypes
from typing import Final


class _Library(ctypes.Structure):
    """`Dl_info` of dlfcn.h."""

    _fields_ = (
        ("path", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


class _Symbol(ctypes.Structure):
    """`Elf64_Sym` of elf.h."""

    _fields_ = (
        ("name", ctypes.c_uint32),
        ("info", ctypes.c_uint8),
        ("other", ctypes.c_uint8),
        ("section", ctypes.c_uint16),
        ("value", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
    )


_SYMBOL_WANTED: Final = 1  # RTLD_DL_SYMENT of dlfcn.h


def find_gil() -> tuple[int, int]:
    """Return the addresses between which CPython keeps its GIL: those of `_PyRuntime`; (0, 0) if they are not known.

    In CPython 3.11 the GIL's mutex and condition are `_PyRuntime.ceval.gil`; from 3.12 on the main interpreter's are in
    `_PyRuntime._main_interpreter`. Locks of the `threading` module are on the heap (or on the stack, from 3.13 on).
    """
    try:
        start = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
        library, symbol = _Library(), ctypes.POINTER(_Symbol)()
        found = ctypes.CDLL(None).dladdr1(
            ctypes.c_void_p(start), ctypes.byref(library), ctypes.byref(symbol), _SYMBOL_WANTED
        )
    except (ValueError, AttributeError, OSError):
        return 0, 0
    return (start, start + symbol.contents.size) if found and symbol else (0, 0)
