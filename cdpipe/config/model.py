"""One frozen, typed configuration of a run; a key that nothing reads is an error that names it and its table."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, PlainValidator, ValidationError, create_model, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cdpipe.columns import canonical
from cdpipe.config.file import ConfigError, find_unfit_text, read_tables
from cdpipe.config.messages import explain
from cdpipe.config.sharing import is_shared, share_values
from cdpipe.engine.cache.store import CacheParams
from cdpipe.engine.files.byte_ranges import local_path
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.plain import show_plain
from cdpipe.stages import STAGES
from cdpipe.stages.gather.conventions import ConventionParams
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.stages.params import Params, expand_home, is_url_path
from cdpipe.training.params import TrainParams

_SHOWN: Final = 20
"""How many problems are worded; of the others the number."""

_PATTERNS: Final = frozenset("*?[]")
"""What file systems take for patterns of names, not names."""


class InputParams(ConventionParams):
    """Where the messages are, and how their files write values."""

    paths: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="files, globs, Parquet folders or URLs, in the order of their rows; packed ones are unpacked"
    )
    format: Literal["auto", "csv", "json", "parquet", "veremi"] = Field(
        default="auto",
        description="by default the suffix says it: .csv, .json/.jsonl/.ndjson (ODE JSON lines), .parquet; veremi is "
        "VeReMi's traces, with their labels",
    )
    identity: Literal["sampled", "content"] = Field(
        default="sampled",
        description="what a changed file is told by: its times and 4 MB of it (blind to a rewrite through a memory map "
        'between those), or with "content" all it holds, read twice more',
    )

    @field_validator("paths")
    @classmethod
    def _expand_homes_of_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(expand_home, paths))


class LabelParams(Params):
    """Labels that the input has: with them nobody is attacked, and attack.kind is given."""

    column: str = Field(default="isAttacker", min_length=1, description="the input's column that says who attacks")
    false_column: str | None = Field(
        default=None,
        min_length=1,
        description="the one that says which message lies; by default that of labels.column does",
    )
    honest: tuple[str, ...] = Field(
        default=(),
        description='values that say "no attack", all others then being attacks; by default 0, false, benign and the '
        "like, while a text that is no known word is rejected",
    )


def _take_folder(given: object) -> Path | str:
    """Return a path of this machine as such, and any other URL as it is."""
    if not isinstance(given, str | Path):
        raise PydanticCustomError("path_type", "must be a path")
    text = expand_home(str(given))
    if isinstance(given, Path) and is_url_path(text):
        raise ValueError("is a URL made a path; give it as text")
    if "::" in text:
        raise ValueError("results go to no archive; name a folder or a URL of one")
    if "://" not in (local := local_path(text)):
        return Path(local)
    protocol, _, rest = text.partition("://")
    names = rest.strip("/").split("/")
    is_plain = rest.isprintable() and _PATTERNS.isdisjoint(rest)
    if not (protocol and is_plain and {"", ".", ".."}.isdisjoint(names)):
        raise ValueError(
            "results go to a URL such as s3://bucket/study, without *, ?, [ or ], and without empty names, . or .."
        )
    return text


class OutputParams(Params):
    """Where results go."""

    directory: Annotated[Path | str, PlainValidator(_take_folder)] = Field(
        default=Path("cdpipe-out"),
        description="made if it is not there; or a URL of an object store, s3://bucket/study",
    )
    dataset: bool = Field(default=True, description="also put the labelled data set there, as Parquet")
    map: bool = Field(
        default=False,
        description="draw a map, map.png: where true messages and false ones say that vehicles are, and the places of "
        "clean.filters",
    )
    partition_by: tuple[str, ...] = Field(
        default=(), description="columns of the data set that become its folders, column=value, the outermost first"
    )

    @field_validator("partition_by")
    @classmethod
    def _name_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        named = tuple(map(canonical, names))
        if len(set(named)) < len(named):
            raise ValueError("names a column twice; take one out")
        return named


class _Base(Params):
    """What a run reads, does and writes.

    Examples
    --------
    >>> config = RunConfig(input={"paths": ["bsm.csv"]}, attack={"kind": "swap_rand", "ratio": 0.2})
    >>> config.attack.ratio, config.train.classifiers
    (0.2, ('RandomForest', 'DecisionTree', 'KNeighbors'))
    """

    seed: int = Field(default=42, ge=0, lt=2**63, description="seed of every draw, where a table sets no other")
    input: InputParams
    labels: LabelParams | None = None
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
            found = [each for each in error.errors(include_url=False) if not is_shared(each["loc"], given)]
            problems = [explain(each, given, RunConfig) for each in found[:_SHOWN]]
            more = [f"and {len(found) - _SHOWN:,} more like these"] if len(found) > _SHOWN else []
            raise ConfigError("\n".join(dict.fromkeys([*problems, *more]))) from None

    @model_validator(mode="before")
    @classmethod
    def _agree(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the caller passed
        """Let tables take from each other what they share: the seed, the coordinates, the centre, the columns."""
        return share_values(given) if isinstance(given, dict) else given


if TYPE_CHECKING:
    from cdpipe.stages.attacks.base import AttackParams
    from cdpipe.stages.clean import CleanParams
    from cdpipe.stages.features import FeatureParams

    Table: TypeAlias = Mapping[str, Any]

    class RunConfig(_Base):
        """What a run reads, does and writes."""

        clean: CleanParams
        attack: AttackParams
        features: FeatureParams

        def __init__(
            self,
            *,
            input: InputParams | Table,  # noqa: A002 - the table's name
            seed: int = ...,
            labels: Table = ...,
            gather: GatherParams | Table = ...,
            clean: CleanParams | Table = ...,
            attack: AttackParams | Table = ...,
            features: FeatureParams | Table = ...,
            train: TrainParams | Table | None = ...,
            cache: CacheParams | Table = ...,
            session: SessionParams | Table = ...,
            output: OutputParams | Table = ...,
        ) -> None: ...

else:
    RunConfig = create_model(
        "RunConfig",
        __base__=_Base,
        __doc__=_Base.__doc__,
        **{stage.name: (stage.params, Field(default_factory=stage.default)) for stage in STAGES},
    )


def as_config(given: RunConfig | Mapping[str, Any] | str | Path) -> RunConfig:
    """Return a configuration that is given as such, as its tables, or as the path of a file.

    Raises
    ------
    ConfigError
        If it is wrong.
    """
    if isinstance(given, str | Path):
        return load_config(given)
    return given if isinstance(given, RunConfig) else parse_config(dict(given))


def load_config(path: str | Path) -> RunConfig:
    """Read a configuration from a TOML or JSON file.

    Raises
    ------
    ConfigError
        If the file cannot be read, is too large or too deep, is not TOML or JSON, has a key twice, or says something
        that no stage understands.

    Examples
    --------
    >>> config = load_config("study.toml")
    >>> config.input.paths, config.attack.kind
    (('bsm.csv',), 'offset_rand')
    """
    return parse_config(read_tables(Path(expand_home(str(path)))), source=str(path))


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
