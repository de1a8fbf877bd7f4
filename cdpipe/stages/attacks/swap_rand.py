"""Swap, random: every message of an attacker claims the position of another message."""

from typing import ClassVar, Literal

import numpy as np

from cdpipe.kernels.draws import SWAP, integers_below
from cdpipe.kernels.rows import take
from cdpipe.stages.attacks.attack import AttackParams, Pool, Positions, Targets


class SwapRand(AttackParams):
    """The position of a message drawn by row number from the pool, never the message's own."""

    uses_pool: ClassVar[bool] = True

    kind: Literal["swap_rand"] = "swap_rand"

    def displace(self, targets: Targets, pool: Pool | None) -> Positions:
        """Return the positions that the attackers claim, shape (n,) each.

        Raises
        ------
        ValueError
            If there is no pool to draw from.
        """
        if targets.row_number.size == 0:
            return targets.x, targets.y
        if pool is None or pool.row_number.size == 0:
            raise ValueError("swap_rand needs positions to draw from: survey the whole data set first")
        size = pool.row_number.size
        taken = integers_below(targets.row_number, seed=self.seed, purpose=SWAP, bound=size)
        own = np.flatnonzero(take(pool.row_number, taken) == targets.row_number)
        taken[own] = (taken[own] + 1) % size
        return take(pool.x, taken), take(pool.y, taken)
