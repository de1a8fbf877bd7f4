"""Attacks that only tests know: each message sent twice more, once under a made id; and a position that stays."""

from typing import ClassVar, Literal

import numpy as np

from cdpipe.stages.attacks.sequence import Added, Claims, SequenceAttack


class Echo(SequenceAttack):
    """Each active message comes again after `delay_s`, and after twice that under another id."""

    adds: ClassVar[bool] = True

    kind: Literal["echo"] = "echo"
    delay_s: float = 0.35

    def claim(self, stream, pool):
        del pool
        rows = np.flatnonzero(stream.active)
        source, copy = np.repeat(rows, 2), np.tile([1, 2], rows.size)
        x, _y = stream.position()
        delay_us = copy * round(self.delay_s * 1e6)
        return Claims(added=Added(source, copy, delay_us, copy - 1, {"x_pos": x[source] + 0.001}))


class Freeze(SequenceAttack):
    """The position of the onset, and `memory_s` later that of `memory_s` ago."""

    kind: Literal["freeze"] = "freeze"
    memory_s: float = 0.0

    @property
    def memory_us(self):
        return round(self.memory_s * 1e6)

    def claim(self, stream, pool):
        del pool
        x, y = stream.position()
        if not self.memory_s:
            return Claims({"x_pos": x[stream.onset], "y_pos": y[stream.onset]})
        places = np.array(
            [
                max(begin, begin + np.searchsorted(stream.time_us[begin : at + 1], when, "right") - 1)
                for at, (begin, when) in enumerate(zip(stream.begin, stream.time_us - self.memory_us, strict=True))
            ],
            np.int64,
        )
        return Claims({"x_pos": x[places], "y_pos": y[places]})
