"""Parameters: what those of every stage have in common."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from cdpipe.spelling import word_choice

_URL_PATH: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:/")


def is_url_path(path: str) -> bool:
    """Return True if a path is what pathlib makes of a URL: `s3:/bucket`."""
    return _URL_PATH.match(path) is not None


def expand_home(path: str) -> str:
    """Return a path with the folder that `~` or `~user` stands for.

    Raises
    ------
    ValueError
        If there is no such user.
    """
    expanded = os.path.expanduser(path)  # noqa: PTH111 - it keeps what is no plain path
    if expanded.startswith("~"):
        raise ValueError(
            f"no home folder is known for {path.split('/', maxsplit=1)[0]}; write ./{path} for a name with ~ in front"
        )
    return expanded


class Params(BaseModel):
    """Parameters of a stage: a frozen value whose unknown keys are errors.

    Numbers are no true or false, and paths no URLs.
    """

    # Built when first used: a process uses few of them, and all of them together take as long as to load the kernels.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_truths(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was given
        """Refuse true and false as numbers: pydantic takes them for 1 and 0."""
        for name, value in given.items() if isinstance(given, dict) else ():
            if isinstance(value, bool) and name in cls.model_fields:
                kind = cls.model_fields[name].annotation
                kinds = (kind, *getattr(kind, "__args__", ()))
                if bool not in kinds and not {int, float}.isdisjoint(kinds):
                    said = {"key": name, "value": str(value).lower()}
                    raise PydanticCustomError("truth", "{key} = {value}: must be a number", said)
        return given

    @model_validator(mode="before")
    @classmethod
    def _expand_homes(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was given
        """Let paths begin in somebody's home folder: `~/bsm.csv`, which no shell has expanded."""
        if not isinstance(given, dict):
            return given
        return {
            name: expand_home(str(value)) if isinstance(value, str | Path) and _takes_path(cls, name) else value
            for name, value in given.items()
        }

    @model_validator(mode="before")
    @classmethod
    def _refuse_urls(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was given
        """Refuse URLs as paths: taken for one, `s3://bucket` is a folder `s3:` here."""
        for name, value in given.items() if isinstance(given, dict) else ():
            is_url = "://" in value if isinstance(value, str) else isinstance(value, Path) and is_url_path(str(value))
            if is_url and _takes_path(cls, name):
                said = {"key": name, "value": repr(str(value))}
                raise PydanticCustomError("url", "{key} = {value}: must be a path of this machine, no URL", said)
        return given


def _takes_path(model: type[BaseModel], name: str) -> bool:
    """Return True if a key takes a path of this machine, and nothing else that is text."""
    if name not in model.model_fields:
        return False
    kind = model.model_fields[name].annotation
    kinds = {kind, *getattr(kind, "__args__", ())}
    return Path in kinds and str not in kinds


_P = TypeVar("_P", bound=Params)


def choose_params(model: type[_P], params: _P | None, given: Mapping[str, Any]) -> _P:
    """Return parameters that are given as such, or by their keys.

    Raises
    ------
    ValueError
        If both are given, or a key or its value is none.
    """
    if params is not None:
        if given:
            raise ValueError(f"{', '.join(given)}: beside parameters; give the one or the other")
        return params
    try:
        return model(**given)
    except ValidationError as error:
        words = "; ".join(_word(each, model) for each in error.errors(include_url=False))
        raise ValueError(words) from None


def _word(problem: Any, model: type[Params]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    key = ".".join(map(str, problem["loc"])) or model.__name__
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; {word_choice(str(problem['loc'][-1]), model.model_fields)}"
    return f"{key}: {problem['msg'].removeprefix('Value error, ')}"
