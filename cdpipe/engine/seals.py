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
        said = json.loads(report.read_bytes())
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
    files = said.get(FILES)
    if not isinstance(files, dict) or said.pop(SEAL) != _digest_document(said):
        return set()
    found = {report.name}
    for name, digest in files.items():
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
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
