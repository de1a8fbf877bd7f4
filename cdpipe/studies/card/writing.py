"""Writing: a card beside the data set, instead of one that was made here and that nobody has changed since."""

import hashlib
import json
from pathlib import Path
from typing import Final

from cdpipe.engine.files.seals import SEAL, find_own, seal
from cdpipe.engine.outputs.output_folder import OutputError
from cdpipe.studies.card.card import Facts, describe_run
from cdpipe.studies.card.markdown import render_card

PAGE: Final = "card.md"
FACTS: Final = "card.json"


def write_card(folder: Path, *, out: Path | None = None) -> Facts:
    """Describe the data set of a run, and write `card.md` and `card.json`.

    Parameters
    ----------
    folder
        The run's output folder.
    out
        Where the card goes, which is made; by default that folder.

    Raises
    ------
    OutputError
        If the folder is none of a run, or something that no card made stands where the card goes.
    OSError
        If it cannot be written.
    """
    facts = describe_run(folder)
    target = folder if out is None else out
    target.mkdir(parents=True, exist_ok=True)
    own = find_own(target / FACTS)
    for name in (PAGE, FACTS):
        if name not in own and (target / name).exists():
            raise OutputError(
                f"{target / name}: is no card made here, or was changed since; move it away, or set --out"
            )
    page = render_card(facts)
    sealed = seal(facts, {PAGE: hashlib.sha256(page.encode()).hexdigest()})
    _replace(target / PAGE, page)
    _replace(target / FACTS, f"{json.dumps(sealed, indent=2, allow_nan=False)}\n")
    return {name: value for name, value in sealed.items() if name != SEAL}


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.writing")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
