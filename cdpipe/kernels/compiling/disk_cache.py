"""Machine code on disk: what one process has compiled, for the next ones.

Numba's own files are pickles: who can write one has his code run by whoever reads it, and a damaged one fails every
process from then on. Here files lie in a folder that nobody else can write (`private_folder`), begin with a digest that
is checked before anything is unpickled, and whatever is wrong with one, the kernel is compiled.
"""

import hashlib
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from pickle import loads
from typing import Any, Final, NamedTuple

import llvmlite  # type: ignore[import-untyped]
import numba
import numpy as np

from cdpipe.kernels.compiling.numba_compat import AppDirs, CompileResult, dumps, rtsys
from cdpipe.kernels.compiling.private_folder import UntrustedFolderError, is_loose, require_private

SUFFIX: Final = ".kernel"
_HEAD: Final = b"cdpipe kernel 1\n"
_HEAD_BYTES: Final = len(_HEAD) + hashlib.sha256().digest_size
_UNFINISHED: Final = ".unfinished"
_ABANDONED_S: Final = 3600.0
"""A file that is still unfinished after so long is of a process that was killed."""

_VERSIONS: Final = (numba.__version__, llvmlite.__version__, np.__version__, sys.version)
_SOURCES: Final = (path.read_bytes() for path in sorted(Path(__file__).parents[1].rglob("*.py")))
_MADE_FROM: Final = hashlib.sha256(b"\0".join([*map(str.encode, _VERSIONS), *_SOURCES])).hexdigest()[:16]
"""Stands for all kernels, not only the outermost one, and for who compiled them."""


class Place(NamedTuple):
    """Where machine code of a folder's kernels is kept: None for nowhere, and why that is."""

    folder: Path | None
    reason: str = ""


class DiskCache:
    """The machine code of one kernel, as Numba asks for it; nothing is looked for before it does."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    @property
    def cache_path(self) -> Path | None:
        """The folder of the files, None if there is none that can be trusted."""
        return find_place(Path(self._function.__code__.co_filename).parent).folder

    def flush(self) -> None:
        """Remove the kernel's files."""
        for path in self._files():
            with suppress(OSError):
                path.unlink()

    def is_filled(self) -> bool:
        """Say whether there is a file of the kernel; that it can be used is seen when it is loaded."""
        return any(True for _ in self._files())

    def load_overload(self, signature: object, target: Any) -> object:  # noqa: ANN401 - numba has no types
        """Load machine code, None if there is none that can be used, without making a compiler first.

        Numba's own first registers all that it can compile, which imports 115 modules and takes 0.2 s in every process.
        Kept code needs of it only the helpers that count references; a compilation registers the rest by itself.
        """
        folder = self.cache_path
        if folder is None:
            return None
        rtsys.initialize(target)
        name = self._name(signature, target.codegen())
        try:
            content = _read_own(folder / name)
            head, payload = content[:_HEAD_BYTES], memoryview(content)[_HEAD_BYTES:]
            if head != _HEAD + _digest(name, payload):
                return None
            return CompileResult._rebuild(target, *loads(payload))  # noqa: S301, SLF001, RUF100 - our own, unharmed
        except Exception:  # noqa: BLE001 - of whatever a file dies, the kernel can be compiled
            return None

    def save_overload(self, signature: object, compiled: Any) -> None:  # noqa: ANN401
        """Save machine code, whole or not at all; where that fails the next process compiles again."""
        folder = self.cache_path
        dynamic = compiled.library.has_dynamic_globals or any(not each.can_cache for each in compiled.lifted)
        if folder is None or dynamic:
            return
        payload = dumps(_parts_to_keep(compiled))
        name = self._name(signature, compiled.codegen)
        with suppress(OSError):
            _write_whole(folder / name, _HEAD, _digest(name, payload), payload)

    def _base(self) -> str:
        """Return what the names of the kernel's files begin with."""
        code = self._function.__code__
        fixed = f"{Path(code.co_filename).stem}.{self._function.__qualname__}".replace("<", "").replace(">", "")
        return f"{fixed}-{code.co_firstlineno}.{sys.implementation.cache_tag}{sys.abiflags}-{_MADE_FROM}"

    def _name(self, signature: object, codegen: Any) -> str:  # noqa: ANN401
        """Return the name of a file: of what it is made, for which arguments and which processor."""
        cells = [cell.cell_contents for cell in self._function.__closure__ or ()]
        made_of = (signature, codegen.magic_tuple(), self._function.__code__.co_code, dumps(cells) if cells else b"")
        return f"{self._base()}.{hashlib.sha256(repr(made_of).encode()).hexdigest()[:24]}{SUFFIX}"

    def _files(self) -> Iterator[Path]:
        folder, base = self.cache_path, self._base()
        if folder is not None:
            with suppress(OSError):
                yield from (path for path in folder.iterdir() if path.name.startswith(base) and path.suffix == SUFFIX)


def _parts_to_keep(compiled: Any) -> tuple[object, ...]:  # noqa: ANN401
    """Return what to keep: all but the empty environments of Numba's own functions that were compiled into it.

    An environment holds the Python objects that code reads. One without any is read by nobody, but to make it
    anew its module is imported: for `np.empty` or `x in (a, b)` a good part of the compiler, 0.1 s.
    """
    *parts, environments = compiled._reduce()  # noqa: SLF001, RUF100 - what Numba's own cache keeps
    return *parts, tuple(each for each in environments if each.consts or not _is_numbas(each))


def _is_numbas(environment: Any) -> bool:  # noqa: ANN401
    return str(environment.globals["__name__"]).startswith("numba.")


def _digest(name: str, payload: bytes | memoryview) -> bytes:
    """Return the digest of a file, which does not agree under another name."""
    digest = hashlib.sha256(name.encode() + b"\0")
    digest.update(payload)
    return digest.digest()


def _read_own(path: Path) -> bytes:
    """Return a file whole, nothing if it is no plain file of this user's that nobody else can write."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        info = os.fstat(descriptor)
        is_ours = stat.S_ISREG(info.st_mode) and info.st_uid == os.geteuid() and not is_loose(str(path), info)
        return stream.read() if is_ours else b""


def _write_whole(path: Path, *pieces: bytes) -> None:
    """Write a file beside, and give it its name when it is whole: other processes read and write it meanwhile."""
    _sweep(path.parent)
    beside = path.with_name(f"{path.name}.{os.urandom(8).hex()}{_UNFINISHED}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines(pieces)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@cache
def _sweep(folder: Path) -> None:
    """Remove what processes that were killed have left unfinished."""
    for path in folder.glob(f"*{SUFFIX}.*{_UNFINISHED}"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > _ABANDONED_S:
                path.unlink()


@cache
def find_place(sources: Path) -> Place:
    """Return where machine code of the kernels in a folder of sources is kept: the first folder that can be written.

    That is one below `NUMBA_CACHE_DIR` if this is set; else `__pycache__` beside the source, or one in the user's
    folder for caches. If none can be written, the first one there is, for what it holds.
    """
    readable, reasons = None, []
    for folder in _candidates(sources.absolute()):
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            found = Path(require_private(str(folder)))
        except OSError as error:
            reasons.append(f"{folder} cannot be made ({error.strerror})")
        except UntrustedFolderError as error:
            reasons.append(str(error))
        else:
            if os.access(found, os.W_OK | os.X_OK):
                return Place(found)
            readable = readable or found
            reasons.append(f"{folder} cannot be written")
    return Place(readable, " and ".join(reasons) or "this user has no folder for caches")


def _candidates(sources: Path) -> Iterator[Path]:
    below = f"{sources.name}_{hashlib.sha256(os.fsencode(sources)).hexdigest()[:40]}"
    if numba.config.CACHE_DIR:
        yield Path(numba.config.CACHE_DIR).absolute() / below
        return
    if sources.is_dir():  # else it is within an archive
        yield sources / "__pycache__"
    users = Path(AppDirs(appname="numba", appauthor=False).user_cache_dir)
    if users.is_absolute():  # else nobody knows a home of this user
        yield users / below
