"""Slots: the category that takes each slot of a run at one moment.

A run has as many slots as cores it was given. At every moment each slot is put into exactly one category, so shares add
up to the whole by construction. Only the standard library is used here: the sampling process starts in 20 ms.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from cdpipe.figures import DISK, GIL, IDLE, LOCK, MEMORY, NETWORK, SCHEDULING, SLEEP, UNATTRIBUTED
from cdpipe.probe.system.wait_reasons import CHILD, FUTEX, MOVING, NAP, ON_CORE, REMOTE, WAKING


class Seen(NamedTuple):
    """One thread at one moment.

    Attributes
    ----------
    home
        The process whose tasks it works for: its own, or the ancestor that runs tasks.
    duty
        "task", "scheduling" (hands out tasks, moves data, or is between two tasks) or "helper" (everything else: the
        threads that libraries start, and child processes).
    state
        A category of `cdpipe.probe.system.wait_reasons`, `FUTEX`, `CHILD`, `REMOTE`, `WAKING` or `NAP`.
    leads
        Whether it is the first thread of a child process, whose own waiting is then what a task waits for.
    ran_s
        When it was last seen to have run, of a child process that it leads any thread: a task waits since then.
    """

    home: int
    duty: str
    state: str
    leads: bool = False
    ran_s: float = 0.0


class Home(NamedTuple):
    """What a process that runs tasks says of itself.

    Attributes
    ----------
    threads
        Threads it runs tasks on.
    fetching
        Tasks that wait for results from other workers which are on their way.
    runnable
        Tasks that run or could, as its scheduler knows; 0 if it has none.
    moves_data
        Whether a loop of its own moves data for its tasks, as a worker of a cluster has.
    """

    threads: int = 0
    fetching: int = 0
    runnable: int = 0
    moves_data: bool = False


_WAITS_FOR_SOMEBODY: Final = frozenset({FUTEX, CHILD, NETWORK, REMOTE, WAKING})
_MAY_WAIT: Final = _WAITS_FOR_SOMEBODY | {NAP}
_OWN_WORD: Final = {FUTEX: LOCK, CHILD: UNATTRIBUTED, REMOTE: NETWORK, WAKING: SLEEP, NAP: SLEEP}
_CAUSES: Final = frozenset({DISK, MEMORY, GIL})
_OUTSIDE: Final = frozenset({NETWORK, REMOTE, SLEEP, WAKING})
"""What a helper waits for that is not of this machine's making: idle ones do the same."""

_LAST_CAUSES: Final = frozenset({GIL, FUTEX, LOCK})
_STARTING_S: Final = 0.05
"""So much later than a helper was last seen to run may a task begin to wait for it."""


def share_slots(seen: Sequence[Seen], homes: Mapping[int, Home], *, slots: int) -> dict[str, float]:
    """Put each slot into a category, by what all threads do at one moment.

    Threads on a core fill slots first, those that hand out tasks only if some task waits for them. Then come tasks that
    wait: each for its own reason, or for that of the helper it waits for; if there are more of them than slots are
    left, they share those. What remains is empty.

    Returns
    -------
    dict
        Slots by category of `SAMPLED`; they add up to `slots`.
    """
    if not all(home.threads for home in homes.values()):
        seen = [_leave_to_others(each, seen, homes) for each in seen]
    running = [each.duty for each in seen if each.state == ON_CORE]
    filled = min(
        slots, len(running) if _is_anything_wanted(seen, homes) else len(running) - running.count("scheduling")
    )
    parts: dict[str, float] = {ON_CORE: filled}
    free = slots - filled
    if not free:
        return parts
    reasons = [reason for home in {each.home for each in seen} for reason in _reasons(home, seen, homes)]
    width = min(1.0, free / len(reasons)) if reasons else 0.0
    for reason in reasons:
        parts[reason] = parts.get(reason, 0.0) + width
    empty = free - width * len(reasons)
    for reason, amount in _empty_slots(seen, homes, empty):
        parts[reason] = parts.get(reason, 0.0) + amount
    return parts


def _leave_to_others(each: Seen, seen: Iterable[Seen], homes: Mapping[int, Home]) -> Seen:
    """Return what a thread does, of a cluster's client that waits for its tasks that it hands them out.

    Such a process has no threads for tasks, so that no slot is its. Between two tasks it waits for its loop, not for a
    lock, unless helpers of its own are at work.
    """
    if each.duty != "task" or homes[each.home].threads or each.state not in {*_MAY_WAIT, SLEEP}:
        return each
    at_work = any(other.duty == "task" and other.home != each.home for other in seen)
    wanted = at_work or any(home.runnable for home in homes.values())
    if each.state == FUTEX and not wanted:
        wanted = not any(
            other.duty == "helper" and other.home == each.home and other.state == ON_CORE for other in seen
        )
    return each._replace(duty="scheduling") if wanted else each


def _is_anything_wanted(seen: Iterable[Seen], homes: Mapping[int, Home]) -> bool:
    """Tell whether those who hand out tasks and move data are at work for somebody, not at their own housekeeping.

    What that costs is counted exactly all the same; but on a busy machine it waits long for a core, and nobody for it.
    """
    tasks = [each.state for each in seen if each.duty == "task"]
    runnable = sum(home.runnable for home in homes.values())
    fetching = any(home.fetching for home in homes.values())
    return fetching or not tasks or runnable > len(tasks) or not _WAITS_FOR_SOMEBODY.isdisjoint(tasks)


def _reasons(home: int, seen: Iterable[Seen], homes: Mapping[int, Home]) -> list[str]:
    """Return why each task of a process that waits does so, and of helpers those that wait for the GIL."""
    mine = [each for each in seen if each.home == home]
    running = [each.duty for each in mine if each.state == ON_CORE]
    helping = running.count("helper")
    if homes[home].moves_data:
        helping += running.count("scheduling")
    causes = _list_causes(mine)
    # A thread that hands out tasks and holds the GIL meanwhile keeps tasks waiting: that is its work's price.
    gil = SCHEDULING if set(running) == {"scheduling"} else GIL
    reasons = []
    for each in mine:
        if each.duty != "task" or each.state == ON_CORE:
            continue
        reason = each.state
        if reason in _MAY_WAIT:
            if helping:
                helping -= 1  # the slot is the helper's
                continue
            cause = next((cause for cause in causes if _may_wait_for(each, cause)), each)
            if cause is not each:
                causes.remove(cause)
            reason = _OWN_WORD.get(cause.state, cause.state)
        reasons.append(gil if reason == GIL else reason)
    return reasons + [gil for cause in causes if cause.state == GIL]


def _list_causes(mine: Iterable[Seen]) -> list[Seen]:
    """Return the helpers of a process that its tasks may be waiting for, the least likely last."""
    known = list(mine)
    # A task that waits for a lock waits for the one that has it, whatever idle threads there are.
    holding = any(each.duty == "task" and each.state not in _MAY_WAIT for each in known)
    states = _CAUSES if holding else _CAUSES | _OUTSIDE
    idle = (each for each in known if each.duty == "helper" and each.state != ON_CORE)
    causes = (each for each in idle if each.leads or each.state in states)
    return sorted(causes, key=lambda cause: cause.state in _LAST_CAUSES)


def _may_wait_for(task: Seen, helper: Seen) -> bool:
    """Tell whether a task that waits can wait for a helper that does so too.

    A child, or a thread at a socket, that has done nothing since the task began to wait has had nothing to do for it.
    """
    if task.state == REMOTE or (task.state in {NAP, NETWORK} and not helper.leads and helper.state in _OUTSIDE):
        return False
    idles = helper.leads or helper.state in _OUTSIDE
    return not idles or task.state == CHILD or helper.ran_s + _STARTING_S >= task.ran_s


def _is_starved(mine: Sequence[Seen]) -> bool:
    """Return True if who would start a process's next task waits for the GIL while its other threads run."""
    waits = any(each.duty == "scheduling" and each.state == GIL for each in mine)
    return waits and any(each.duty != "scheduling" and each.state == ON_CORE for each in mine)


def _empty_slots(seen: Sequence[Seen], homes: Mapping[int, Home], empty: float) -> Iterable[tuple[str, float]]:
    """Say why slots without a task have none."""
    in_task = [each.home for each in seen if each.duty == "task"]
    runnable = sum(home.runnable for home in homes.values()) - len(in_task)
    at_work = any(each.duty == "scheduling" and each.state in {ON_CORE, GIL} for each in seen)
    starved = False
    for pid, home in homes.items():
        mine = [each for each in seen if each.home == pid]
        starved |= _is_starved(mine)
        idle = max(0, home.threads - in_task.count(pid))
        loop_on_disk = any(each.duty == "scheduling" and each.state == DISK for each in mine)
        if home.moves_data and loop_on_disk:  # reads or writes spilled results, and can start no task meanwhile
            amount = min(empty, idle)
            yield DISK, amount
        else:
            amount = min(empty, idle, home.fetching)
            yield MOVING if at_work else NETWORK, amount
        empty -= amount
        runnable -= int(amount)
    # Without any task there is nothing to run beside: whoever hands tasks out keeps every slot waiting. On a cluster a
    # task may lie at a worker that is busy, which is lack of balance; a scheduler that is at work may yet change it.
    if in_task and not at_work and any(home.moves_data for home in homes.values()):
        runnable = 0
    waiting = min(empty, max(0, runnable)) if in_task else empty
    # Who would start the next task waits for the GIL while tasks hold it.
    yield GIL if starved else SCHEDULING, waiting
    yield IDLE, empty - waiting
