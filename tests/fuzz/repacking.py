"""Repacking: a packed file is unpacked, changed and packed again, so that changes reach what is in it."""

import bz2
import gzip
import io
import lzma
import random
import zipfile
from collections.abc import Callable

import pyarrow as pa

_MOST: int = 1 << 16


def mutate_packed(data: bytes, most: int, draw: random.Random, mutate: Callable[[bytes, int], bytes]) -> bytes:
    """Return the packed file with its content, or its own bytes, changed by `mutate(data, most)`."""
    try:
        if data.startswith(b"\x1f\x8b"):
            return gzip.compress(mutate(gzip.decompress(data)[:_MOST], most), mtime=0)
        if data.startswith(b"BZh"):
            return bz2.compress(mutate(bz2.decompress(data)[:_MOST], most))
        if data.startswith(b"\xfd7zXZ"):
            return lzma.compress(mutate(lzma.decompress(data)[:_MOST], most))
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            with pa.input_stream(io.BytesIO(data), compression="zstd") as stream:
                return pa.compress(mutate(stream.read(_MOST), most), "zstd", asbytes=True)
        if data.startswith(b"PK"):
            return _mutate_zip(data, most, draw, mutate)
    except Exception:  # noqa: BLE001 - broken already: its own bytes are changed
        pass
    return bytes(mutate(data, most))


def _mutate_zip(data: bytes, most: int, draw: random.Random, mutate: Callable[[bytes, int], bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(each.filename, archive.read(each)[:_MOST]) for each in archive.infolist()]
    place = draw.randrange(len(members))
    name, content = members[place]
    if draw.random() < 0.3:
        name = bytes(mutate(name.encode("utf-8", "replace"), 60)).decode("utf-8", "replace") or "a"
    else:
        content = bytes(mutate(content, most))
    members[place] = (name, content)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()
