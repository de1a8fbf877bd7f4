"""Worker: libFuzzer on one reader, in a process of its own; faults are written down, and it goes on.

`python -m tests.fuzz.worker READER FOUND [libFuzzer's options]`; needs atheris, and kernels as plain Python.
`FUZZ_ITSELF` names a program that does the same with further options: libFuzzer starts it to merge.
"""

import hashlib
import os
import random
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, Final

import atheris

with atheris.instrument_imports(include=["cdpipe", "tomllib"], enable_loader_override=False):
    from . import targets

from .repacking import mutate_packed
from .seeds import TOKENS

_TOKEN_SHARE: Final = 0.3


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    reader, found = sys.argv[1], Path(sys.argv[2])
    target = targets.TARGETS[reader]
    warnings.simplefilter("ignore")

    def run(data: bytes) -> None:
        try:
            target(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
            note_fault(found, reader, data, error)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        draw = random.Random(seed)
        if reader == "packed" and draw.random() < 0.7:
            return mutate_packed(data, most, draw, atheris.Mutate)
        if draw.random() < _TOKEN_SHARE:
            return _put_token(data, draw, TOKENS[reader])[:most]
        return bytes(atheris.Mutate(data, most))

    options: dict[str, Any] = {"custom_mutator": mutate}
    atheris.Setup([os.environ["FUZZ_ITSELF"], *sys.argv[3:]], run, **options)
    atheris.Fuzz()


def note_fault(found: Path, reader: str, data: bytes, error: Exception) -> None:
    """Keep the smallest input of each fault, which is told from others by where it arises."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/cdpipe/" in frame.filename] or frames
    place = f"{type(error).__name__} {Path(ours[-1].filename).name} {ours[-1].name} {ours[-1].line}"
    name = f"{reader}-{hashlib.sha256(place.encode()).hexdigest()[:10]}"
    path = found / f"{name}.bin"
    if not path.exists() or path.stat().st_size > len(data):
        path.write_bytes(data)
        (found / f"{name}.txt").write_text("".join(traceback.format_exception(error)), errors="replace")


def _put_token(data: bytes, draw: random.Random, tokens: tuple[bytes, ...]) -> bytes:
    token, at = draw.choice(tokens), draw.randrange(len(data) + 1)
    gone = draw.choice((0, 0, 0, len(token), draw.randrange(8)))
    return data[:at] + token + data[at + gone :]


if __name__ == "__main__":
    main()
