"""Replay: what each reader makes of the kept corpus. `python -m tests.fuzz.replay` prints it as JSON."""

import json
import sys
import warnings
from pathlib import Path
from typing import Final

from .targets import TARGETS

CORPUS: Final = Path(__file__).parent / "corpus"


def replay() -> dict[str, str]:
    """Return, by reader and name of the file, what is read of it: a digest, an error of ours, or else the fault."""
    said = {}
    for reader, read in TARGETS.items():
        for path in sorted((CORPUS / reader).iterdir()):
            try:
                said[f"{reader}/{path.name}"] = read(path.read_bytes())
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault of the reader
                said[f"{reader}/{path.name}"] = f"fault: {error!r}"
    return said


def main() -> None:
    """Be the command."""
    warnings.simplefilter("ignore")
    json.dump(replay(), sys.stdout)


if __name__ == "__main__":
    main()
