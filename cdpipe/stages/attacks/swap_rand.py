"""Swap, random: every message of an attacker claims the position of another message."""

from typing import ClassVar, Literal

from cdpipe.kernels.draws.bottom_k import take_others
from cdpipe.kernels.draws.keyed import SWAP
from cdpipe.stages.attacks.base import AttackParams, Pool, Positions, Targets


class SwapRand(AttackParams):
    """The position of a message drawn by row number from the pool, each of the others with the same probability."""

    uses_pool: ClassVar[bool] = True

    kind: Literal["swap_rand"] = "swap_rand"

    def displace(self, targets: Targets, pool: Pool | None) -> Positions:
        """Return the positions that the attackers claim, shape (n,) each.

        Raises
        ------
        ValueError
            If there is no pool to draw from.
        """
        if len(targets) == 0:
            return targets.position()
        if pool is None or pool.row_number.size == 0:
            raise ValueError("swap_rand needs positions to draw from: survey the whole data set first")
        return take_others(
            targets.row_number(),
            seed=self.seed,
            purpose=SWAP,
            pool_rows=pool.row_number,
            pool_x=pool.x,
            pool_y=pool.y,
        )
