"""Parameters: what those of every stage have in common."""

import re
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

_URL_PATH: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+:/")


def is_url_path(path: str) -> bool:
    """Return True if a path is what pathlib makes of a URL: `s3:/bucket`."""
    return _URL_PATH.match(path) is not None


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
    def _refuse_urls(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was given
        """Refuse URLs as paths: taken for one, `s3://bucket` is a folder `s3:` here."""
        for name, value in given.items() if isinstance(given, dict) else ():
            is_url = "://" in value if isinstance(value, str) else isinstance(value, Path) and is_url_path(str(value))
            if is_url and name in cls.model_fields:
                kind = cls.model_fields[name].annotation
                kinds = {kind, *getattr(kind, "__args__", ())}
                if Path in kinds and str not in kinds:
                    said = {"key": name, "value": repr(str(value))}
                    raise PydanticCustomError("url", "{key} = {value}: must be a path of this machine, no URL", said)
        return given
