"""Truth of a VeReMi run: which senders attack and where messages were really sent, on disk, looked up by number."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import numpy as np
import orjson
from numpy.typing import NDArray

_SENDERS: Final = np.dtype([("sender", np.int64), ("kind", np.int64)])
_SENT: Final = np.dtype([("message", np.int64), ("x", np.float64), ("y", np.float64)])
_LARGEST: Final = 2**63
_HELD: Final = 64
"""Runs whose senders a process holds; messages stay on disk."""


class Truth(NamedTuple):
    """What is known of a run's senders and messages.

    Attributes
    ----------
    kinds
        By sender, its kind of attack, 0 for none.
    sent
        Messages ascending, with their true positions in metres, shape (m,).
    """

    kinds: Mapping[int, int]
    sent: NDArray[Any]

    def kind_of(self, sender: int) -> int | None:
        """Return the kind of attack of a sender, 0 for none, None if nothing says."""
        return self.kinds.get(sender)

    def is_moved(self, message: int, x: float, y: float, tolerance_m: tuple[float, float]) -> bool | None:
        """Return whether a message's position differs from the true one, None if that is not known."""
        if not self.sent.size or abs(message) >= _LARGEST:
            return None
        at = int(np.searchsorted(self.sent["message"], message))
        if at == self.sent.size or self.sent["message"][at] != message:
            return None
        true = self.sent[at]
        return bool(abs(x - true["x"]) > tolerance_m[0] or abs(y - true["y"]) > tolerance_m[1])


_NOTHING: Final = Truth({}, np.empty(0, _SENT))


class Written(NamedTuple):
    """Where the truth of a run is, and a digest of it."""

    path: str
    digest: str


def write_truth(folder: Path, kinds: Mapping[int, int], records: Iterable[bytes]) -> Written:
    """Write what names of traces and a ground truth say of a run, for `load_truth`.

    Parameters
    ----------
    folder
        Where to.
    kinds
        By sender, the kind of attack that the name of its trace says; it goes before what records say.
    records
        Lines of the ground truth. Of those with `attackerType`, the sender's is taken and the true position; others
        are what was sent, which F2MD writes after the attack, and say nothing of the truth. What is no record is left.
    """
    told: dict[int, int] = {}
    sent = np.fromiter(_read_sent(records, told), _SENT)
    sent = sent[np.unique(sent["message"], return_index=True)[1]]
    senders = np.array(sorted({**told, **kinds}.items()), np.int64).reshape(-1, 2)
    table = np.empty(len(senders), _SENDERS)
    table["sender"], table["kind"] = senders[:, 0], senders[:, 1]
    path = folder / f"truth-{uuid4().hex}"
    np.save(f"{path}-senders.npy", table)
    np.save(f"{path}-sent.npy", sent)
    return Written(str(path), sha256(table.tobytes() + sent.tobytes()).hexdigest())


@lru_cache(maxsize=_HELD)
def load_truth(path: str) -> Truth:
    """Load what `write_truth` wrote; nothing is known at `""`."""
    if not path:
        return _NOTHING
    senders = np.load(f"{path}-senders.npy")
    kinds = dict(zip(senders["sender"].tolist(), senders["kind"].tolist(), strict=True))
    sent: NDArray[Any] = np.load(f"{path}-sent.npy", mmap_mode="r")
    return Truth(kinds, sent)


def _read_sent(records: Iterable[bytes], told: dict[int, int]) -> Iterator[tuple[int, float, float]]:
    for line in records:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(record, dict):
            continue
        sender, kind, message, pos = (record.get(name) for name in ("sender", "attackerType", "messageID", "pos"))
        if type(kind) is not int or type(sender) is not int or abs(kind) >= _LARGEST:
            continue
        told[sender] = max(told.get(sender, 0), kind)
        place = pos[:2] if isinstance(pos, list) else []
        is_position = len(place) == 2 and all(type(part) in (float, int) for part in place)
        if is_position and type(message) is int and abs(message) < _LARGEST:
            yield message, float(place[0]), float(place[1])
