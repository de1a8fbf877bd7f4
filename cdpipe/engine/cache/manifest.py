"""Manifests: what an entry of the cache is and what was written to each of its files, with a digest of itself."""

import json
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from cdpipe.engine.files.digests import DIGEST, DamageError, hash_bytes
from cdpipe.engine.files.parts import Written

MANIFEST: Final = "manifest.json"
_SEAL: Final = b',\n "digest": "%s"\n}\n'
_SEAL_BYTES: Final = len(_SEAL % (b"0" * 32))
"""A manifest ends with the digest of all before; what was written by a cdpipe that made none has no such end."""


class OutdatedError(DamageError):
    """An entry is sound, but what another version of cdpipe made."""


class File(BaseModel):
    """A file of an entry, a part or, like its rejects, attached to it, and the digest of what was written there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[^./][^/]*$")
    bytes: NonNegativeInt
    digest: str = Field(pattern=DIGEST)


class Part(File):
    """A file of messages of an entry; its footer has a digest of its own."""

    rows: NonNegativeInt
    footer: str = Field(pattern=DIGEST)

    @property
    def written(self) -> Written:
        """What was written there."""
        return Written(self.rows, self.bytes, self.digest, self.footer)


class Manifest(BaseModel):
    """What an entry is. `bytes` are those of its parts and attachments, `created` is ISO 8601 in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    key: str
    params: dict[str, Any]
    rows: NonNegativeInt
    bytes: NonNegativeInt
    parts: tuple[Part, ...]
    attachments: tuple[File, ...]
    ledger: dict[str, Any]
    created: str
    cdpipe_version: str


def seal(manifest: Manifest) -> bytes:
    """Return a manifest as its file has it: JSON, with the digest of all that stands before as the last item."""
    text = manifest.model_dump_json(indent=1).encode().removesuffix(b"\n}")
    return text + _SEAL % hash_bytes(text).encode()


def open_sealed(data: bytes) -> Manifest:
    """Return the manifest that a file has.

    Raises
    ------
    OutdatedError
        If another version of cdpipe wrote it.
    DamageError
        If it is not what was written.
    """
    text, end = data[:-_SEAL_BYTES], data[-_SEAL_BYTES:]
    if end != _SEAL % hash_bytes(text).encode():
        if _is_unsealed(data):
            raise OutdatedError(f"{MANIFEST} has no digest")
        raise DamageError(f"{MANIFEST} has other bytes than were written there")
    try:
        return Manifest.model_validate_json(text + b"}")
    except ValidationError as error:
        first = error.errors()[0]
        raise OutdatedError(f"{MANIFEST} is of another form: {first['msg']} {first['loc']}") from None


def _is_unsealed(data: bytes) -> bool:
    """Return True if a manifest was written before manifests had digests."""
    try:
        found = json.loads(data)
        return set(found) == set(Manifest.model_fields) and not any("digest" in part for part in found["parts"])
    except (ValueError, TypeError):
        return False
