"""Seals: how cdpipe knows a file that it has made from one of somebody else's, or one that somebody changed since.

A report has the digests of the files beside it, and one of itself. What no report vouches for is not cdpipe's.
"""

import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

FILES: Final = "sha256_of_files"
SEAL: Final = "sha256_of_this"
_BLOCK_BYTES: Final = 1 << 20


def seal(report: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Return a report with the digests of the files beside it, by name, and of all that it says."""
    said = json.loads(json.dumps({**report, FILES: dict(files)}))  # as whoever reads it will find it
    return {**said, SEAL: _digest_document(said)}


def open_seal(data: bytes) -> dict[str, Any] | None:
    """Return what a sealed report says; None of what is none, or was changed since."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return None
    is_sealed = isinstance(said, dict) and isinstance(said.get(FILES), dict) and SEAL in said
    return said if is_sealed and said.pop(SEAL) == _digest_document(said) else None


def digest_bytes(data: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def find_own(report: Path) -> set[str]:
    """Return the names of the files beside a report, itself included, that are as the run that made it left them.

    Of a report without a seal, which an older cdpipe wrote, nothing is known but the names.
    """
    try:
        data = report.read_bytes()
        said = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return set()
    if not isinstance(said, dict):
        return set()
    if SEAL not in said:
        versions = said.get("versions")
        if not isinstance(versions, dict) or "cdpipe" not in versions:
            return set()
        outputs = said.get("outputs")
        names = {Path(str(path)).name for path in outputs.values()} if isinstance(outputs, dict) else set()
        return {name for name in names | {report.name} if is_plain_file(report.parent / name)}
    sealed = open_seal(data)
    if sealed is None:
        return set()
    found = {report.name}
    for name, digest in sealed[FILES].items():
        path = report.parent / name
        if Path(name).name == name and is_plain_file(path) and digest_file(path) == digest:
            found.add(name)
    return found


def is_plain_file(path: Path) -> bool:
    """Return True if a path is that of a file itself, not of a link or a folder."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _digest_document(document: Mapping[str, Any]) -> str:
    return digest_bytes(json.dumps(document, sort_keys=True).encode())
