"""Remedies for a run that no message is left of: where the messages went, and what to change."""

from collections.abc import Mapping
from typing import Final

from cdpipe.columns import GIVEN_ATTACKER
from cdpipe.stages.gather.gather import NAME as GATHER
from cdpipe.stages.ledger import Ledger

_UNREAD: Final = "see failed-run/rejects.jsonl, and whether the files are what their suffix says (input.format)"
_NULL: Final = "null in "
_SHOWN: Final = 5


def explain_nothing(ledgers: Mapping[str, Ledger], filters: Mapping[str, str]) -> str:
    """Return why no message is left, and what to do about the stage that dropped most of them.

    Parameters
    ----------
    ledgers
        By stage, in order.
    filters
        By reason with which a filter drops a message, the filter's name.
    """
    first = next(iter(ledgers.values()))
    if first.rows_in == 0:
        return "no message was read: the input has columns but no record; check input.paths"
    lost = [(rows, ledger.stage, why) for ledger in ledgers.values() for why, rows in ledger.dropped.items()]
    lost.sort(reverse=True, key=lambda each: each[0])
    said = [f"{stage} dropped {rows:,}: {why}" for rows, stage, why in lost[:_SHOWN]]
    more = [f"and {len(lost) - _SHOWN} more reasons"] if len(lost) > _SHOWN else []
    _, stage, why = lost[0]
    remedy = _find_remedy(stage, why, filters)
    return f"no message of {first.rows_in:,} is left ({'; '.join([*said, *more])}); {remedy}"


def _find_remedy(stage: str, why: str, filters: Mapping[str, str]) -> str:
    if stage == GATHER:
        return _UNREAD
    if why in filters:
        return f"loosen clean.filters.{filters[why]}"
    if why == f"{_NULL}{GIVEN_ATTACKER}":
        return (
            "nothing says who attacks: name files with labels (VeReMi's traces need those of the senders, or a ground "
            "truth, in their folder), or choose another attack.kind"
        )
    if why.startswith(_NULL):
        return f"take {why.removeprefix(_NULL)} out of clean.required, or name inputs that have it"
    return "name inputs that have positions, and see clean.position and input.units"
