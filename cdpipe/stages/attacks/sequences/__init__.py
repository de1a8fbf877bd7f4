"""Attacks on sequences, after those of F2MD. A new one is a module here and a line in `SEQUENCES`."""

from typing import Final

from cdpipe.stages.attacks.sequence import SequenceAttack
from cdpipe.stages.attacks.sequences.const_pos import ConstPos
from cdpipe.stages.attacks.sequences.const_speed import ConstSpeed
from cdpipe.stages.attacks.sequences.const_speed_offset import ConstSpeedOffset
from cdpipe.stages.attacks.sequences.disruptive import Disruptive
from cdpipe.stages.attacks.sequences.dos import Dos
from cdpipe.stages.attacks.sequences.drift import Drift
from cdpipe.stages.attacks.sequences.eventual_stop import EventualStop
from cdpipe.stages.attacks.sequences.random_speed import RandomSpeed
from cdpipe.stages.attacks.sequences.random_speed_offset import RandomSpeedOffset
from cdpipe.stages.attacks.sequences.replay import Replay
from cdpipe.stages.attacks.sequences.replay_sybil import ReplaySybil
from cdpipe.stages.attacks.sequences.reversed_heading import ReversedHeading
from cdpipe.stages.attacks.sequences.stale import Stale
from cdpipe.stages.attacks.sequences.sybil import Sybil

SEQUENCES: Final[tuple[type[SequenceAttack], ...]] = (
    ConstPos,
    ConstSpeed,
    ConstSpeedOffset,
    RandomSpeed,
    RandomSpeedOffset,
    ReversedHeading,
    EventualStop,
    Disruptive,
    Stale,
    Drift,
    Replay,
    Dos,
    Sybil,
    ReplaySybil,
)
