"""One frozen, typed configuration of a run; a key that nothing reads is an error that names it and its table."""

import difflib
import json
import tomllib
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, ValidationError, create_model, model_validator

from cdpipe.columns import BY_NAME, GENERATED_AT, SOURCE, VEHICLE_ID, canonical
from cdpipe.engine.cache import CacheParams
from cdpipe.engine.session import SessionParams
from cdpipe.stages import STAGES
from cdpipe.stages.attacks import ATTACKS
from cdpipe.stages.conventions import ConventionParams
from cdpipe.stages.features import SETS
from cdpipe.stages.gather import GatherParams
from cdpipe.stages.params import Params
from cdpipe.stages.train import TrainParams

_SOURCE_NAMES: Final = frozenset(column.name for column in SOURCE)
_BY_KIND: Final[dict[str, Any]] = {each.model_fields["kind"].default: each for each in ATTACKS}
_BOUNDS: Final = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "min_length": "at least"}
_WANTED: Final = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "string": "text, in quotes",
    "path": "a path, in quotes",
    "date": "a date such as 2019-07-31",
    "finite": "a finite number",
    "model": "a table",
}
"""What a value must be, by the first word of pydantic's type of the problem."""


class ConfigError(ValueError):
    """A configuration is wrong; the message names each key, its value and the way out, one a line."""


class InputParams(ConventionParams):
    """Where the messages are, and how their files write values."""

    paths: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="files, globs, Parquet folders or URLs, in the order of their rows; packed ones are unpacked"
    )
    format: Literal["auto", "csv", "json", "parquet"] = Field(
        "auto", description="by default the suffix says it: .csv, .json/.jsonl/.ndjson (ODE JSON lines), .parquet"
    )


class OutputParams(Params):
    """Where results go."""

    directory: Path = Field(Path("cdpipe-out"), description="made if it is not there")
    dataset: bool = Field(True, description="also put the labelled data set there, as Parquet")


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
        try:
            super().__init__(**given)
        except ValidationError as error:
            problems = [_explain(each, given) for each in error.errors() if not _is_shared(each["loc"], given)]
            raise ConfigError("\n".join(dict.fromkeys(problems))) from None

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
        If the file cannot be read, is not TOML or JSON, has a key twice, or says something that no stage understands.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".json":
            given = _require_unique(json.loads(text, object_pairs_hook=tuple))
        else:
            given = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a TOML or JSON file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: holds a {type(given).__name__}, not tables; see `cdpipe run --example`")
    return parse_config(given, source=str(path))


def _require_unique(value: Any, *tables: str) -> Any:  # noqa: ANN401 - whatever stands there
    """Return JSON's tables, given as tuples of pairs, as dictionaries; as in TOML, no key may be there twice.

    Raises
    ------
    ValueError
        Naming the table and the key.
    """
    if isinstance(value, list):
        return [_require_unique(each, *tables) for each in value]
    if not isinstance(value, tuple):
        return value
    found: dict[str, Any] = {}
    for key, each in value:
        if key in found:
            where = f"[{'.'.join(tables)}]" if tables else "top level"
            raise ValueError(f"{where}: key {key!r} is there twice; remove one")
        found[key] = _require_unique(each, *tables, key)
    return found


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


def override(config: RunConfig, *, scheduler: str | None = None, directory: Path | None = None) -> RunConfig:
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
    clean = _plain(given.get("clean"))
    attack = _plain(given.get("attack"))
    attack.setdefault("kind", "offset_rand")
    attack.setdefault("coordinates", clean.get("coordinates", "geographic"))
    if clean.get("centre") is not None:
        attack.setdefault("centre", clean["centre"])
    if attack["coordinates"] != clean.get("coordinates", "geographic"):
        raise ValueError(f"attack.coordinates is {attack['coordinates']!r} but clean.coordinates is not; leave it out")
    if "seed" in given:
        attack.setdefault("seed", given["seed"])
    if given.get("train", {}) is not None:
        train = _plain(given.get("train"))
        if "seed" in given:
            train.setdefault("seed", given["seed"])
        shared["train"] = train
    shared["attack"] = attack
    shared["clean"] = _keep_features(clean, _plain(given.get("features")))
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


def _plain(table: Any) -> dict[str, Any]:  # noqa: ANN401 - a model, a table or nothing
    if isinstance(table, BaseModel):
        return table.model_dump(exclude_unset=True) | ({"kind": table.kind} if hasattr(table, "kind") else {})
    return dict(table) if isinstance(table, dict) else {}


def _is_shared(place: tuple[int | str, ...], given: dict[str, Any]) -> bool:
    """Say whether a value at fault is one that its table took from another, where it is named already."""
    return any(key in place[1:] and key not in _plain(given.get(str(place[0]))) for key in ("seed", "centre"))


def _explain(problem: Any, given: dict[str, Any]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    steps = [str(step) for step in problem["loc"] if step not in _BY_KIND]
    if problem["type"] != "extra_forbidden":
        # Behind the key is a place in a list, or one of the types that the value may have.
        steps = list(takewhile(str.isidentifier, [step for step in steps if step not in ("bool", "int")]))
    if isinstance(problem["input"], dict | BaseModel) and problem["type"] in ("value_error", "union_tag_invalid"):
        steps.append("")
    *tables, key = steps or [""]
    table = f"[{'.'.join(tables)}]" if tables else "top level"
    if problem["type"] == "extra_forbidden":
        return f"{table}: unknown key {key!r}{_suggest(key, tables, given)}"
    if problem["type"] == "missing":
        return f"{table}: {key!r} is missing; see `cdpipe run --example`"
    if problem["type"] == "union_tag_invalid":
        return f"{table}: kind = {problem['ctx']['tag']!r}: use one of {', '.join(_BY_KIND)}"
    if problem["type"] == "tuple_type":
        return f"{table}: {key} = {problem['input']!r}: must be a list; write [{json.dumps(str(problem['input']))}]"
    shown = "" if isinstance(problem["input"], dict | BaseModel) else f" = {problem['input']!r}"
    message = _word(problem)
    if not key:
        return f"{table}: {message}" if tables else message
    field = _model_of(tables, given).model_fields.get(key)
    usual = field.default if field and problem.get("ctx", {}).keys() & _BOUNDS.keys() else None
    remedy = f"; leave it out for the default, {usual:g}" if isinstance(usual, int | float) else ""
    return f"{table}: {key}{shown}: {message}{remedy}"


def _suggest(key: str, tables: list[str], given: dict[str, Any]) -> str:
    """Say what may have been meant by an unknown key."""
    keys = list(_model_of(tables, given).model_fields)
    others = [kind for kind, each in _BY_KIND.items() if key in each.model_fields]
    if tables == ["attack"] and others:
        has = "have" if others[1:] else "has"
        return f"; {', '.join(others)} {has} it, while {_kind_of(given)} takes {', '.join(keys)}"
    close = difflib.get_close_matches(key, keys, n=1) or [each for each in keys if each.startswith(key)]
    return f"; did you mean {close[0]!r}?" if close else f"; it takes {', '.join(keys)}"


def _word(problem: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    """Say what a value must be; pydantic's own words where ours are none."""
    context = problem.get("ctx", {})
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"must {'list' if bound == 'min_length' else 'be'} {words} {context[bound]:g}"
    if problem["type"] == "literal_error":
        return f"use {context['expected']}"
    wanted = _WANTED.get(problem["type"].partition("_")[0])
    return f"must be {wanted}" if wanted else problem["msg"].removeprefix("Value error, ")


def _model_of(tables: list[str], given: dict[str, Any]) -> Any:  # noqa: ANN401 - a pydantic model class
    """Return the parameters that a table holds."""
    model: Any = RunConfig
    for name in tables:
        if name == "attack":
            model = _BY_KIND.get(_kind_of(given), ATTACKS[0])
            continue
        annotation = model.model_fields[name].annotation if name in model.model_fields else None
        choices = (annotation, *getattr(annotation, "__args__", ()))
        model = next((each for each in choices if isinstance(each, type) and issubclass(each, BaseModel)), _Base)
    return model


def _kind_of(given: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever stands there
    return _plain(given.get("attack")).get("kind", "offset_rand")
