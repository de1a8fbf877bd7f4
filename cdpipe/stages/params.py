"""What every stage's parameters have in common."""

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Parameters of a stage: a frozen value whose unknown keys are errors."""

    # Built when first used: a process uses few of them, and all of them together take as long as to load the kernels.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, defer_build=True)
