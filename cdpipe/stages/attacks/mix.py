"""Mix: each attacker makes one of several attacks."""

from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cdpipe.kernels.draws.keyed import KIND, uniform_pairs
from cdpipe.stages.attacks.base import AttackParams
from cdpipe.stages.attacks.registry import ATTACKS
from cdpipe.stages.attacks.sequences import SEQUENCES

_SHARED: Final = ("seed", "coordinates", "centre")
_Kind: Any = Annotated[reduce(or_, (*ATTACKS, *SEQUENCES)), Field(discriminator="kind")]


class Mix(AttackParams):
    """Attacks with shares: which one an attacker makes is drawn by vehicle."""

    kind: Literal["mix"] = "mix"
    choose_by: Literal["vehicle"] = Field("vehicle", description="each attacker makes one attack, so vehicles attack")
    kinds: tuple[_Kind, ...] = Field(
        ("offset_rand", "reversed_heading", "eventual_stop"),
        min_length=1,
        description='the attacks, by name or with their own keys: { kind = "stale", delay_s = 3 }',
    )
    shares: tuple[float, ...] = Field((), description="share of the attackers that makes each; default: all alike")

    @model_validator(mode="before")
    @classmethod
    def _hand_down(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was given
        """Give each attack the seed, coordinates and centre of all, and an attack by name its keys."""
        if not isinstance(given, dict):
            return given
        kinds = given.get("kinds", cls.model_fields["kinds"].default)
        if not isinstance(kinds, list | tuple):
            return given
        shared = {name: given[name] for name in _SHARED if name in given}
        return {**given, "kinds": tuple(_settle(each, shared) for each in kinds)}

    @model_validator(mode="after")
    def _a_share_each(self) -> Self:
        if self.shares and (len(self.shares) != len(self.kinds) or min(self.shares) < 0 or sum(self.shares) <= 0):
            raise ValueError(
                f"shares are {list(self.shares)} for {len(self.kinds)} kinds; give one for each, none negative, "
                "or leave them out"
            )
        return self

    def choose(self, vehicle: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return which of the kinds each vehicle makes, shape (n,)."""
        shares = np.cumsum(self.shares or [1.0] * len(self.kinds))
        drawn, _ = uniform_pairs(vehicle, seed=self.seed, purpose=KIND)
        chosen: NDArray[np.int64] = np.searchsorted(shares, drawn * shares[-1], "right")
        return chosen


def _settle(each: Any, shared: dict[str, Any]) -> Any:  # noqa: ANN401 - a name, a table or parameters
    if isinstance(each, AttackParams):
        return each.model_copy(update=shared)
    table = {"kind": each} if isinstance(each, str) else each
    return {**shared, **table} if isinstance(table, dict) else table
