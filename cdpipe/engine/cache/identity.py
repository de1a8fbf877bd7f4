"""Identity of an input or a result: a digest that is equal only if nothing that matters differs."""

import hashlib
import json
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

WHOLE_FILE_BYTES: Final = 4 << 20
"""Files up to this size are digested whole; of larger ones as much is sampled."""

_BLOCK_BYTES: Final = 1 << 16
_READ_BYTES: Final = 1 << 22
_TRIES: Final = 3

# What object stores and web servers call the thing that changes with the content.
_VALIDATORS: Final = frozenset(
    {
        *("etag", "ukey", "checksum", "digest", "md5", "md5hash", "contentmd5", "crc32c", "generation", "sha"),
        *("crc", "versionid", "lastmodified", "mtime", "modified", "updated", "created"),
    }
)


class IdentityError(ValueError):
    """Nothing tells whether this is the same as before, so it must not be cached."""


def key(stage: str, version: int, params: Mapping[str, Any], upstream: str) -> str:
    """Return the key of a stage's output: SHA-256 of all it depends on.

    The digest is over canonical JSON of a structure, never over joined strings: no two parts can run into each
    other. Floats are written to the last bit, so parameters that differ at all give other keys.

    Parameters
    ----------
    stage
        Name of the stage.
    version
        Version of the stage's code: raised whenever its output changes.
    params
        Every parameter that matters, as JSON-able values (a list and a tuple of the same items are the same).
    upstream
        Key of the stage before, or identity of the input.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    IdentityError
        If a value is not JSON: NaN and infinities, mappings with keys that are not text, any other object.
    """
    _refuse_other_keys(params)
    structure = {"stage": stage, "version": version, "params": dict(params), "upstream": upstream}
    try:
        return _digest_structure(structure)
    except (TypeError, ValueError) as error:
        raise IdentityError(f"parameters of {stage!r} cannot be a cache key ({error}): {dict(params)!r}") from None


def identify(source: str | os.PathLike[str], *, content: bool = False) -> str:
    """Return a digest of what an input is now; it changes whenever the file is edited or replaced.

    With `content` it is that of all the content and of nothing else: a copy is the same file, and a store need not tell
    when a file changes. Else it is of marks, and of some of the content:

    Local files: size, modification and status-change time, inode, and a digest of the content: all of it up to
    `WHOLE_FILE_BYTES`, beyond that as much in evenly spread blocks. An edit that restores size and modification
    time still moves the status-change time, which no program can set. The price: a mere copy or change of
    permissions counts as another file. What it cannot see is an edit of a larger file between those blocks that moves
    no time: through a writable memory map until the system writes it to the disk, or on a damaged or remote disk.
    Folders: the same for every file in them, by relative name.
    URLs (fsspec): size and whatever the store gives that follows content, such as an ETag. Members of archives: the
    archive.

    Raises
    ------
    FileNotFoundError
        If there is nothing there.
    IdentityError
        If the file keeps changing, or the store gives nothing that follows the content.
    """
    text = os.fspath(source)
    if "://" in text or "::" in text:
        return _identify_url(text, content=content)
    path = Path(text)
    if not path.is_dir():
        return _identify_file(path, content=content)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return _digest_structure({str(file.relative_to(path)): _identify_file(file, content=content) for file in files})


def _digest_remote(store: Any, path: str) -> str:  # noqa: ANN401 - fsspec has no types
    if not store.isdir(path):
        return _digest_stored(store, path)
    files = {name.removeprefix(path): name for name in store.find(path)}
    return _digest_structure({name: _digest_stored(store, files[name]) for name in sorted(files)})


def _digest_stored(store: Any, path: str) -> str:  # noqa: ANN401 - fsspec has no types
    digest = hashlib.sha256()
    with store.open(path, "rb") as stream:
        while block := stream.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _digest_structure(structure: object) -> str:
    text = json.dumps(structure, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_other_keys(value: object) -> None:
    """Refuse keys that JSON would turn into text: 1 and "1" would become one."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str):
                raise IdentityError(f"{name!r} is a key of {value!r}: only text can be, write {str(name)!r}")
            _refuse_other_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_other_keys(item)


def _identify_file(path: Path, *, content: bool) -> str:
    if not stat.S_ISREG(path.stat().st_mode):
        raise IdentityError(f"{path} is no regular file, so what it holds cannot be known beforehand: save it as one")
    for _ in range(_TRIES):
        _let_settle(path.stat())
        before = path.stat()
        digest = _digest_file(path) if content else _digest_blocks(path, before.st_size)
        after = path.stat()
        if _marks(before) == _marks(after):
            return _digest_structure({"content": digest} if content else {"marks": _marks(after), "content": digest})
    raise IdentityError(f"{path} is being written: it changed {_TRIES} times while it was read; wait until it is done")


def _marks(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _let_settle(status: os.stat_result) -> None:
    """Wait until another write could not leave the times as they are: clocks of file systems tick slowly."""
    tick_s = 0.02 if status.st_ctime_ns % 1_000_000_000 else 2.0
    age_s = time.time() - status.st_ctime_ns / 1e9
    if 0 <= age_s < tick_s:
        time.sleep(tick_s - age_s)


def _digest_file(path: Path) -> str:
    with path.open("rb", buffering=0) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest_blocks(path: Path, size: int) -> str:
    if size <= WHOLE_FILE_BYTES:
        return _digest_file(path)
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        blocks = WHOLE_FILE_BYTES // _BLOCK_BYTES
        for index in range(blocks):
            stream.seek(index * (size - _BLOCK_BYTES) // (blocks - 1))
            digest.update(stream.read(_BLOCK_BYTES))
    return digest.hexdigest()


def _identify_url(url: str, *, content: bool) -> str:
    head, _, archive = url.partition("::")
    if "://" in head and archive:  # a member changes with its archive
        return _digest_structure({"member": head, "archive": identify(archive, content=content)})
    from fsspec.implementations.local import LocalFileSystem  # noqa: PLC0415 - only URLs need it

    from cdpipe.engine.files.byte_ranges import find_store, reaching  # noqa: PLC0415

    store, path = find_store(url)
    if isinstance(store, LocalFileSystem):
        return identify(path, content=content)
    with reaching(url):
        store.invalidate_cache()  # a listing kept from earlier would hide a replaced file
        if content:
            return _digest_structure({"content": _digest_remote(store, path)})
        info = store.info(path)
    marks = {
        name: str(value)
        for name, value in info.items()
        if name.lower().replace("-", "").replace("_", "") in _VALIDATORS and value is not None
    }
    if not marks:
        raise IdentityError(
            f"{url} gives no ETag, checksum or time of change, so a replaced file would go unnoticed: "
            'set input.identity = "content", copy it to a local file, or turn the cache off'
        )
    return _digest_structure({"url": url, "size": info.get("size"), "marks": marks})
