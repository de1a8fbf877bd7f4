"""Parameters of an evaluation."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from cdpipe.stages.params import Params

Rung = Literal["row", "vehicle", "time", "place"]
RUNGS: Final[tuple[Rung, ...]] = ("row", "vehicle", "time", "place")
"""Rungs of the ladder of leaks, the one that leaks most first."""

Prevalence = Annotated[float, Field(gt=0, lt=1)]


class EvaluationParams(Params):
    """Folds, intervals, curves and tables beyond the metrics of one split; see docs/evaluation.md."""

    enabled: bool = Field(
        default=False,
        description="evaluate; any other key of this table sets it. Else one split is measured",
    )
    folds: int = Field(
        default=5,
        ge=1,
        le=100,
        description="groups of whole vehicles that test in turn, attackers spread evenly; 1: the split of train.split",
    )
    repeats: int = Field(default=1, ge=1, le=1_000, description="how often folds are drawn anew")
    resamples: int = Field(
        default=2_000, ge=200, le=100_000, description="resamples of the vehicles that intervals rest on"
    )
    prevalences: tuple[Prevalence, ...] = Field(
        default=(0.3, 0.1, 0.03, 0.01), description="shares of attackers' messages for which precision is told"
    )
    vehicle_share: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        description="a vehicle is judged an attacker if more than this share of its messages alarm",
    )
    importance: bool = Field(default=True, description="also tell what each group of features is good for")
    ladder: tuple[Rung, ...] = Field(
        default=RUNGS, description="also test by folds of each of these, which leak less and less; [] for none"
    )
    predictions: bool = Field(
        default=True, description="write predictions.parquet, a row for each message that was tested"
    )

    @model_validator(mode="before")
    @classmethod
    def _mean_it(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was given
        return {"enabled": True, **given} if isinstance(given, dict) and given else given

    @field_validator("prevalences", "ladder")
    @classmethod
    def _name_once(cls, values: tuple[float | str, ...]) -> tuple[float | str, ...]:
        return tuple(dict.fromkeys(values))

    @model_validator(mode="after")
    def _has_folds_to_repeat(self) -> "EvaluationParams":
        if self.folds == 1 and self.repeats > 1:
            raise ValueError(f"folds is 1, one split, which cannot be drawn {self.repeats} times; leave repeats out")
        return self
