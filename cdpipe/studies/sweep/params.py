"""Parameters of a study: what every cell shares, and the axes along which cells differ."""

from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError, field_validator

from cdpipe.config.file import ConfigError, read_tables
from cdpipe.config.messages import explain
from cdpipe.stages.params import Params
from cdpipe.training.classifiers import CLASSIFIERS
from cdpipe.training.split import SPLITS

_OWN: Final = {
    "seed": "seeds",
    "train.seed": "seeds",
    "attack.seed": "seeds",
    "train.split": "splits",
    "train.classifiers": "classifiers",
    "attack.kind": "attacks",
    "output": "directory",
}
"""Keys of `base` that the axes set, and the axis; nobody says a thing twice."""

Table = dict[str, Any]


class StudyParams(Params):
    """What a study sweeps over; a cell is one value of each axis."""

    base: Table | Path = Field(description="what all cells share: tables of a run's configuration, or a file of them")
    directory: Path = Field(
        default=Path("cdpipe-study"), description="where cells and tables go; made if it is not there"
    )
    attacks: Annotated[tuple[Table, ...], Field(min_length=1)] = Field(
        description="a table each: kind, its keys, a name, and variants = [{…}, …], tables of keys that differ"
    )
    features: tuple[Table, ...] = Field(
        default=(), description="a table each: a name and keys of [features]; by default those of base"
    )
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], Field(min_length=1)] = Field(
        default=(1, 2, 3, 4, 5), description="seed of every draw of a cell"
    )
    splits: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        default=("vehicle",),
        description="any of " + ", ".join(SPLITS) + ", all_data, or place (base.train.test_places)",
    )
    classifiers: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        default=("HistGradientBoosting",), description="any of " + ", ".join(CLASSIFIERS)
    )
    transfer: bool = Field(
        default=True,
        description="also test what was trained on the first variant of each attack on those of all others",
    )

    @field_validator("seeds", "splits", "classifiers")
    @classmethod
    def _once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError("has a value twice; take one out")
        return values


def load_study(path: Path, *, directory: Path | None = None) -> StudyParams:
    """Read a study from a TOML or JSON file; a `base` that is a file is looked for beside it.

    Parameters
    ----------
    path
        The file.
    directory
        Instead of the one that the file names.

    Raises
    ------
    ConfigError
        If a file cannot be read, or says something that no study understands.
    """
    given = read_tables(path)
    if directory is not None:
        given["directory"] = directory
    try:
        study = StudyParams(**given)
    except ValidationError as error:
        problems = [explain(each, given, StudyParams) for each in error.errors(include_url=False)]
        raise ConfigError("\n".join(f"{path}: {each}" for each in dict.fromkeys(problems))) from None
    if isinstance(study.base, Path):
        study = study.model_copy(update={"base": read_tables(path.parent / study.base)})
    for key, axis in _OWN.items():
        if _has(study.base, key):
            raise ConfigError(f"{path}: [base] has {key}, which is for the study to say: leave it out, and set {axis}")
    return study


def _has(base: Table | Path, key: str) -> bool:
    found: Any = base
    for step in key.split("."):
        if not isinstance(found, dict) or step not in found:
            return False
        found = found[step]
    return True
