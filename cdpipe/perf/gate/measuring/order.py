"""Order: which side goes first in each pair, and which benchmark in each round, drawn from one seed.

Pairs go two by two, AB then BA or BA then AB: what the second process of a pair always gains or loses cancels out
within two pairs (Box, Hunter and Hunter, *Statistics for Experimenters*, on blocking). Which of the two comes first is
drawn, so that nothing that has a rhythm of its own can follow the sides.
"""

import zlib
from collections.abc import Sequence

import numpy as np


def is_head_first(name: str, pair: int, *, seed: int) -> bool:
    """Return True if the pair begins with the head.

    Parameters
    ----------
    name
        The benchmark's: each has an order of its own.
    pair
        Number of the pair, from 0.
    seed
        Of the run; the same seed gives the same order, whatever other benchmarks there are.
    """
    block, second = divmod(pair, 2)
    drawn = bool(np.random.default_rng([seed, zlib.crc32(name.encode()), block]).integers(2))
    return drawn != bool(second)


def order_round(names: Sequence[str], number: int, *, seed: int) -> list[str]:
    """Return the benchmarks of a round in the order in which they are measured.

    Parameters
    ----------
    names
        Those that are still measured.
    number
        Of the round, from 0.
    seed
        Of the run.
    """
    shuffled = np.random.default_rng([seed, number]).permutation(len(names))
    return [names[place] for place in shuffled.tolist()]
