"""File names: what the name of a foreign configuration says that its tables have lost."""

import re
from typing import Final, NamedTuple

_RATIOS: Final = (
    re.compile(r"(?P<train>\d{1,3})\s*attackers?train(?P<test>\d{1,3})test", re.IGNORECASE),
    re.compile(r"(?P<train>\d{1,3})train(?P<test>\d{1,3})testattackers?", re.IGNORECASE),
)
_GRAFT: Final = re.compile(r"ptgraft(?:cond)?(\d{1,3})p1(\d{1,3})p2", re.IGNORECASE)
_SLIPPED: Final = re.compile(r"ptgraft(?:cond)?(\d{1,3})p2(\d{1,3})p2", re.IGNORECASE)
"""As the first with a slip of the pen: the first share is of the first place."""


class Shares(NamedTuple):
    """Two shares, 0 to 1."""

    first: float
    second: float


def find_ratios(name: str) -> Shares | None:
    """Return the shares of attackers in training and in testing that a name says: `30attackersTrain10Test`."""
    for pattern in _RATIOS:
        if found := pattern.search(name):
            return _to_shares(found["train"], found["test"])
    return None


def find_graft(name: str) -> Shares | None:
    """Return the shares of two places that a name says: `PtGraft80P120P2` is 80 % of place 1 and 20 % of place 2."""
    for pattern in (_GRAFT, _SLIPPED):
        found = pattern.search(name)
        if found and int(found[1]) + int(found[2]) == 100:
            return _to_shares(found[1], found[2])
    return None


def _to_shares(first: str, second: str) -> Shares | None:
    shares = Shares(int(first) / 100, int(second) / 100)
    return shares if max(shares) <= 1 else None
