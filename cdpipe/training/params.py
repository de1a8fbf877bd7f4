"""Parameters of training: which classifiers learn what, and how they are tested."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from cdpipe.columns import IS_ATTACKER
from cdpipe.spelling import word_choice
from cdpipe.stages.params import Params
from cdpipe.training.classifiers import FAST_TREES, NAMES, has_fast_engine
from cdpipe.training.evaluation.params import EvaluationParams
from cdpipe.training.split import SplitBy


class TrainParams(Params):
    """Which classifiers learn, and how they are tested."""

    classifiers: tuple[str, ...] = Field(
        default=("RandomForest", "DecisionTree", "KNeighbors"),
        description="any of " + ", ".join(NAMES) + "; [] for none",
    )
    label: Literal["isAttacker", "isFalse"] = Field(
        default=IS_ATTACKER,
        description="what is learnt: isAttacker (its vehicle attacks) or isFalse (this message is false)",
    )
    split: SplitBy | Literal["place", "all_data"] = Field(
        default="vehicle",
        description="row, vehicle (none on both sides; by row flatters every score), time (the last test), place "
        "(test_places test) or all_data (all train, and all test: what was learnt is recalled, no more)",
    )
    test_places: tuple[Annotated[int, Field(ge=1, le=100)], ...] | None = Field(
        default=None, min_length=1, description="split 'place': numbers of those of clean.filters.places that test"
    )
    place_shares: tuple[Annotated[float, Field(ge=0, le=1)], ...] | None = Field(
        default=None,
        min_length=2,
        description="shares of messages that each of clean.filters.places has; default: as they are",
    )
    train_rows: int | None = Field(
        default=None, ge=1, le=10**15, description="split 'row', with test_rows: exactly as many messages train"
    )
    test_rows: int | None = Field(default=None, ge=1, le=10**15, description="the same: exactly as many test")
    grid_search: bool = Field(
        default=False, description="choose trees and neighbors by folds of the vehicles that train, among a few values"
    )
    test_ratio: float = Field(default=0.2, gt=0, lt=1, description="share that tests")
    seed: int = Field(default=42, ge=0, lt=2**63, description="seed of the sample, of the split and of the classifiers")
    sample_rows: int | None = Field(
        default=None,
        ge=1,
        le=10**15,
        description="train and test on whole vehicles with at most this many messages; default: all",
    )
    trees: int = Field(default=100, ge=1, le=1_000_000, description="trees of the random forest")
    neighbors: int = Field(default=5, ge=1, le=1_000_000, description="neighbours of KNeighbors")
    scale: bool = Field(default=False, description="KNeighbors: count distance in standard deviations of each feature")
    engine: Literal["scikit-learn", "intelex"] = Field(
        default="scikit-learn",
        description="who grows the random forest: scikit-learn, or intelex (pip install cdpipe[fast])",
    )

    evaluation: EvaluationParams = Field(default_factory=EvaluationParams)

    @model_validator(mode="after")
    def _has_sides(self) -> "TrainParams":
        if (self.split == "place") != (self.test_places is not None):
            raise ValueError("split = 'place' and test_places go together: set both, or none of the two")
        if (self.train_rows is None) != (self.test_rows is None):
            raise ValueError("train_rows and test_rows go together: set both, or none of the two")
        if self.train_rows is not None and self.split != "row":
            raise ValueError(f"train_rows and test_rows are of split = 'row', not of {self.split!r}; set it")
        if self.place_shares is not None and abs(sum(self.place_shares) - 1) > 1e-9:
            raise ValueError(f"place_shares add up to {sum(self.place_shares):g}; they must to 1")
        if self.evaluation.enabled and (self.grid_search or self.split == "all_data"):
            raise ValueError("an evaluation goes neither with grid_search nor with split = 'all_data'; leave one out")
        return self

    @field_validator("classifiers")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in NAMES:
                raise ValueError(f"{name!r} is no classifier here; {word_choice(name, NAMES)}")
        return tuple(dict.fromkeys(names))

    @field_validator("engine")
    @classmethod
    def _installed(cls, engine: str) -> str:
        if engine == "intelex" and not has_fast_engine():
            raise ValueError(
                "scikit-learn-intelex is not installed; pip install 'cdpipe[fast]' (x86-64 only), or leave it out"
            )
        return engine

    @model_validator(mode="after")
    def _can_be_grown(self) -> "TrainParams":
        if self.engine == "intelex" and self.trees > FAST_TREES:
            raise ValueError(
                f"train.trees is {self.trees} but train.engine = 'intelex' grows at most {FAST_TREES}; lower it, or "
                "set train.engine = 'scikit-learn'"
            )
        return self

    @model_validator(mode="after")
    def _is_split_once(self) -> "TrainParams":
        usual = type(self).model_fields
        ignored = [name for name in ("split", "test_ratio") if getattr(self, name) != usual[name].default]
        if self.folds > 1 and ignored:
            raise ValueError(
                f"train.evaluation.folds is {self.folds}, of whole vehicles, so train.{ignored[-1]} would not be used; "
                "leave it out, or set train.evaluation.folds = 1"
            )
        return self

    @property
    def folds(self) -> int:
        """Folds that test in turn; 1 where there is one split."""
        return self.evaluation.folds if self.evaluation.enabled else 1
