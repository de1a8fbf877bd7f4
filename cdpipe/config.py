"""One frozen, typed configuration of a run; a key that nothing reads is an error that names it and its table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, PlainValidator, ValidationError, create_model, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cdpipe.columns import BY_NAME, GENERATED_AT, SOURCE, VEHICLE_ID, canonical
from cdpipe.configfile import ConfigError, find_unfit_text, read_tables
from cdpipe.configwords import as_table, explain
from cdpipe.engine.cache import CacheParams
from cdpipe.engine.session import SessionParams
from cdpipe.engine.streams import local_path
from cdpipe.plain import show_plain
from cdpipe.stages import STAGES
from cdpipe.stages.conventions import ConventionParams
from cdpipe.stages.features import SETS
from cdpipe.stages.gather import GatherParams
from cdpipe.stages.params import Params
from cdpipe.stages.train import TrainParams

_SHOWN: Final = 20
"""How many problems are worded; of the others the number."""

_SOURCE_NAMES: Final = frozenset(column.name for column in SOURCE)


class InputParams(ConventionParams):
    """Where the messages are, and how their files write values."""

    paths: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="files, globs, Parquet folders or URLs, in the order of their rows; packed ones are unpacked"
    )
    format: Literal["auto", "csv", "json", "parquet"] = Field(
        "auto", description="by default the suffix says it: .csv, .json/.jsonl/.ndjson (ODE JSON lines), .parquet"
    )
    identity: Literal["sampled", "content"] = Field(
        "sampled",
        description="what a changed file is told by: its times and 4 MB of it (blind to a rewrite through a memory map "
        'between those), or with "content" all it holds, read twice more',
    )


def _take_folder(given: object) -> Path | str:
    """Return a path of this machine as such, and any other URL as it is."""
    if not isinstance(given, str | Path):
        raise PydanticCustomError("path_type", "must be a path")
    text = str(given)
    if "::" in text:
        raise ValueError("results go to no archive; name a folder or a URL of one")
    return text if "://" in (local := local_path(text)) else Path(local)


class OutputParams(Params):
    """Where results go."""

    directory: Annotated[Path | str, PlainValidator(_take_folder)] = Field(
        Path("cdpipe-out"), description="made if it is not there; or a URL of an object store, s3://bucket/study"
    )
    dataset: bool = Field(True, description="also put the labelled data set there, as Parquet")
    partition_by: tuple[str, ...] = Field(
        (), description="columns of the data set that become its folders, column=value, the outermost first"
    )

    @field_validator("partition_by")
    @classmethod
    def _name_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        named = tuple(map(canonical, names))
        if len(set(named)) < len(named):
            raise ValueError("names a column twice; take one out")
        return named


class _Base(Params):
    """What a run reads, does and writes."""

    seed: int = Field(42, ge=0, lt=2**63, description="seed of every draw, where a table sets no other")
    input: InputParams
    gather: GatherParams = Field(default_factory=GatherParams)
    train: TrainParams | None = Field(default_factory=TrainParams)
    cache: CacheParams = Field(default_factory=CacheParams)
    session: SessionParams = Field(default_factory=SessionParams)
    output: OutputParams = Field(default_factory=OutputParams)

    def __init__(self, /, **given: Any) -> None:  # noqa: ANN401 - tables, or parameters made from Python
        """Check what is given.

        Raises
        ------
        ConfigError
            Naming every wrong key, its table and its value.
        """
        if unfit := next(find_unfit_text(given), None):
            raise ConfigError(f"{show_plain(unfit)}: holds a character that no name can have; remove it")
        try:
            super().__init__(**given)
        except ValidationError as error:
            found = [each for each in error.errors(include_url=False) if not _is_shared(each["loc"], given)]
            problems = [explain(each, given, RunConfig) for each in found[:_SHOWN]]
            more = [f"and {len(found) - _SHOWN:,} more like these"] if len(found) > _SHOWN else []
            raise ConfigError("\n".join(dict.fromkeys([*problems, *more]))) from None

    @model_validator(mode="before")
    @classmethod
    def _agree(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the caller passed
        """Let tables take from each other what they share: the seed, the coordinates, the centre, the columns."""
        return _share(given) if isinstance(given, dict) else given


if TYPE_CHECKING:

    class RunConfig(_Base):
        """What a run reads, does and writes."""

        clean: Any
        attack: Any
        features: Any

else:
    RunConfig = create_model(
        "RunConfig",
        __base__=_Base,
        __doc__=_Base.__doc__,
        **{stage.name: (stage.params, Field(default_factory=stage.default)) for stage in STAGES},
    )


def load_config(path: Path) -> RunConfig:
    """Read a configuration from a TOML or JSON file.

    Raises
    ------
    ConfigError
        If the file cannot be read, is too large or too deep, is not TOML or JSON, has a key twice, or says something
        that no stage understands.
    """
    return parse_config(read_tables(path), source=str(path))


def parse_config(given: dict[str, Any], *, source: str = "configuration") -> RunConfig:
    """Check a configuration given as plain values.

    Raises
    ------
    ConfigError
        Naming every wrong key, its table and its value.
    """
    try:
        return RunConfig(**given)
    except ConfigError as error:
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in str(error).splitlines())) from None


def override(config: RunConfig, *, scheduler: str | None = None, directory: Path | str | None = None) -> RunConfig:
    """Return the configuration with what the command line says instead of what the file says.

    Raises
    ------
    ConfigError
        If the scheduler is none, or goes with no other session setting of the file.
    """
    given = config.model_dump(exclude_unset=True)
    if scheduler is not None:
        given["session"] = {**given.get("session", {}), "scheduler": scheduler}
    if directory is not None:
        given["output"] = {**given.get("output", {}), "directory": directory}
    return parse_config(given, source="command line")


def _share(given: dict[str, Any]) -> dict[str, Any]:
    tables = (given.get(name) for name in ("clean", "attack", "features", "train"))
    if not all(table is None or isinstance(table, dict | BaseModel) for table in tables):
        return given  # one is no table at all, which validation says
    shared = dict(given)
    clean = as_table(given.get("clean"))
    attack = as_table(given.get("attack"))
    attack.setdefault("kind", "offset_rand")
    attack.setdefault("coordinates", clean.get("coordinates", "geographic"))
    if clean.get("centre") is not None:
        attack.setdefault("centre", clean["centre"])
    if attack["coordinates"] != clean.get("coordinates", "geographic"):
        raise ValueError(f"attack.coordinates is {attack['coordinates']!r} but clean.coordinates is not; leave it out")
    if "seed" in given:
        attack.setdefault("seed", given["seed"])
    if given.get("train", {}) is not None:
        train = as_table(given.get("train"))
        if "seed" in given:
            train.setdefault("seed", given["seed"])
        shared["train"] = train
    shared["attack"] = attack
    shared["clean"] = _keep_features(clean, as_table(given.get("features")))
    return shared


def _keep_features(clean: dict[str, Any], features: dict[str, Any]) -> dict[str, Any]:
    """Make cleaning keep the source columns that attacks, splits and features rest on."""
    default = STAGES[0].default().model_dump()["columns"]
    chosen = features.get("columns", STAGES[-1].default().model_dump()["columns"])
    names = SETS.get(chosen, ()) if isinstance(chosen, str) else chosen
    kept = clean.get("columns", default)
    lists = isinstance(kept, list | tuple) and isinstance(names, list | tuple)
    if not lists or not all(isinstance(name, str) for name in (*kept, *names)):
        return clean  # validation says what is wrong
    needed = [canonical(name) for name in (GENERATED_AT, VEHICLE_ID, *names)]
    extra = [name for name in needed if name in _SOURCE_NAMES or name not in BY_NAME]
    return {**clean, "columns": tuple(dict.fromkeys([*map(canonical, kept), *extra]))}


def _is_shared(place: tuple[int | str, ...], given: dict[str, Any]) -> bool:
    """Say whether a value at fault is one that its table took from another, where it is named already."""
    return any(key in place[1:] and key not in as_table(given.get(str(place[0]))) for key in ("seed", "centre"))
