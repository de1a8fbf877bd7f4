"""Writing: imported configurations as TOML files, which replace nothing that was not made here."""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cdpipe.config.file import ConfigError
from cdpipe.config.model import parse_config
from cdpipe.config.toml_text import show_tables
from cdpipe.plain import show_plain
from cdpipe.studies.importing.translation import Imported, translate

_SEAL: Final = re.compile(r"# sha256 of the lines below: ([0-9a-f]{64})")
_ORDER: Final = ("seed", "input", "gather", "clean", "attack", "features", "train", "cache", "session", "output")


class Outcome(NamedTuple):
    """What became of one file.

    Attributes
    ----------
    source
        The file.
    target
        What was written; None if nothing.
    imported
        What it says; None if it could not be read.
    problem
        Why nothing was written; `""` if it was.
    """

    source: Path
    target: Path | None
    imported: Imported | None
    problem: str = ""


def find_sources(paths: Iterable[Path]) -> list[Path]:
    """Return the files that paths name; of a folder its `.json` files, by name.

    Raises
    ------
    ConfigError
        If a folder has none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise ConfigError(f"{path}: has no .json file; name files, or a folder of them")
        found += inside
    return list(dict.fromkeys(found))


def import_files(sources: Sequence[Path], *, folder: Path | None = None, data: str | None = None) -> Iterator[Outcome]:
    """Import configurations one by one; one that cannot be is no reason to leave out the others.

    Parameters
    ----------
    sources
        JSON files of the pipeline people use today.
    folder
        Where the TOML files go, which is made; by default beside each file.
    data
        The input of all, instead of those that the files name.

    Yields
    ------
    Outcome
        Of each file, in order.
    """
    taken: dict[Path, Path] = {}
    for source in sources:
        target = (source.parent if folder is None else folder) / f"{source.stem}.toml"
        try:
            imported = translate(source, data=data)
        except ConfigError as error:
            yield Outcome(source, None, None, str(error))
            continue
        if other := taken.get(target):
            yield Outcome(source, None, imported, f"{target}: is made of {other} already; import them to two folders")
            continue
        try:
            write_toml(imported, target)
        except OSError as error:
            yield Outcome(source, None, imported, f"{target}: cannot be written ({error.strerror or error})")
            continue
        taken[target] = source
        yield Outcome(source, target, imported)


def write_toml(imported: Imported, target: Path) -> None:
    """Write an imported configuration, instead of one that was made here and that nobody has changed since.

    Raises
    ------
    FileExistsError
        If something else is there.
    OSError
        If it cannot be written.
    """
    text = render_toml(imported)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or (target.exists() and not _is_own(target)):
        raise FileExistsError(0, "is there already, and was not made by an import or was changed since; move it away")
    beside = target.with_name(f".{target.name[:200]}.importing")
    beside.write_text(text, encoding="utf-8")
    beside.replace(target)


def render_toml(imported: Imported) -> str:
    """Return an imported configuration as TOML that `cdpipe run` takes, with the remarks as comments above it."""
    remarks = "".join(f"# {sentence}\n" for sentence in _describe(imported))
    body = f"{remarks}\n{show_tables({name: imported.tables[name] for name in _ORDER if name in imported.tables})}\n"
    parse_config(tomllib.loads(body), source=str(imported.source))  # what is written is what was checked
    return f"# sha256 of the lines below: {_digest(body)}\n{body}"


def _describe(imported: Imported) -> Iterable[str]:
    yield f"Imported by cdpipe from {show_plain(imported.source.name)}; run it with: cdpipe run THIS_FILE"
    yield "nothing is lost" if not imported.lost else f"lost: {len(imported.lost)}"
    for fate, sentence in imported.remarks:
        yield f"{fate}: {show_plain(sentence)}"


def _is_own(path: Path) -> bool:
    try:
        first, _, body = path.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return False
    found = _SEAL.fullmatch(first)
    return found is not None and found[1] == _digest(body)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
