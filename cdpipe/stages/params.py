"""What every stage's parameters have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class Params(BaseModel):
    """Parameters of a stage: a frozen value whose unknown keys are errors, and whose numbers are no true or false."""

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
