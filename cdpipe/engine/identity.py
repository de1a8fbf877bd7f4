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


def identify(source: str | os.PathLike[str]) -> str:
    """Return a digest of what an input is now; it changes whenever the file is edited or replaced.

    Local files: size, modification and status-change time, inode, and a digest of the content: all of it up to
    `WHOLE_FILE_BYTES`, beyond that as much in evenly spread blocks. An edit that restores size and modification
    time still moves the status-change time, which no program can set. The price: a mere copy or change of
    permissions counts as another file. Folders: the same for every file in them, by relative name.
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
        return _identify_url(text)
    path = Path(text)
    if not path.is_dir():
        return _identify_file(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return _digest_structure({str(file.relative_to(path)): _identify_file(file) for file in files})


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


def _identify_file(path: Path) -> str:
    if not stat.S_ISREG(path.stat().st_mode):
        raise IdentityError(f"{path} is no regular file, so what it holds cannot be known beforehand: save it as one")
    for _ in range(_TRIES):
        _let_settle(path.stat())
        before = path.stat()
        digest = _digest_content(path, before.st_size)
        after = path.stat()
        if _marks(before) == _marks(after):
            return _digest_structure({"marks": _marks(after), "content": digest})
    raise IdentityError(f"{path} is being written: it changed {_TRIES} times while it was read; wait until it is done")


def _marks(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _let_settle(status: os.stat_result) -> None:
    """Wait until another write could not leave the times as they are: clocks of file systems tick slowly."""
    tick_s = 0.02 if status.st_ctime_ns % 1_000_000_000 else 2.0
    age_s = time.time() - status.st_ctime_ns / 1e9
    if 0 <= age_s < tick_s:
        time.sleep(tick_s - age_s)


def _digest_content(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        if size <= WHOLE_FILE_BYTES:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
        else:
            blocks = WHOLE_FILE_BYTES // _BLOCK_BYTES
            for index in range(blocks):
                stream.seek(index * (size - _BLOCK_BYTES) // (blocks - 1))
                digest.update(stream.read(_BLOCK_BYTES))
    return digest.hexdigest()


def _identify_url(url: str) -> str:
    head, _, archive = url.partition("::")
    if "://" in head and archive:  # a member changes with its archive
        return _digest_structure({"member": head, "archive": identify(archive)})
    from fsspec.implementations.local import LocalFileSystem  # noqa: PLC0415 - only URLs need it

    from cdpipe.engine.streams import find_store, reaching  # noqa: PLC0415

    store, path = find_store(url)
    if isinstance(store, LocalFileSystem):
        return identify(path)
    with reaching(url):
        store.invalidate_cache()  # a listing kept from earlier would hide a replaced file
        info = store.info(path)
    marks = {
        name: str(value)
        for name, value in info.items()
        if name.lower().replace("-", "").replace("_", "") in _VALIDATORS and value is not None
    }
    if not marks:
        raise IdentityError(
            f"{url} gives no ETag, checksum or time of change, so a replaced file would go unnoticed: "
            "copy it to a local file, or turn the cache off"
        )
    return _digest_structure({"url": url, "size": info.get("size"), "marks": marks})
