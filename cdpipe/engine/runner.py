"""Stages run over a whole data set: from the newest output in the cache, in as few passes as global steps allow."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

from cdpipe.engine.cache import Draft, Entry, Store, key
from cdpipe.engine.graph import (
    Apply,
    Keep,
    Look,
    Outcome,
    Raw,
    Step,
    Stored,
    lay_chain,
    lay_facts,
    split_outcomes,
    sum_outcomes,
)
from cdpipe.engine.rejects import REJECTS, join_rejects
from cdpipe.engine.session import Session
from cdpipe.stages import BY_NAME, STAGES
from cdpipe.stages.gather import NAME as GATHER
from cdpipe.stages.gather import VERSION as GATHER_VERSION
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.params import Params

ORDER: Final = (GATHER, *(stage.name for stage in STAGES))
"""Stages whose output can be kept, in the order in which a message goes through them."""

OnPartition = Callable[[str, int, int, Outcome | None], None]
"""Called as (name of the pass, partitions done, partitions in all, outcome); as a pass begins, with (…, 0, …, None)."""


class Prepared(NamedTuple):
    """The last stage's output, and how it came about.

    Attributes
    ----------
    entry
        Where it is.
    ledgers
        By stage, in order, those of cached stages included.
    cache
        By stage that the cache may keep: "hit" or "miss".
    seconds
        By stage, over all threads.
    """

    entry: Entry
    ledgers: dict[str, Ledger]
    cache: dict[str, str]
    seconds: dict[str, float]


class Runner:
    """One run of the stages before training.

    Parameters
    ----------
    params
        Parameters by stage, those of gathering included.
    source_key
        What the input is: its files' identities.
    session
        Where tasks run.
    store, scratch
        What keeps outputs for later runs, and for this run only.
    kept
        Stages whose output `store` keeps.
    on_partition
        Told of each partition as it is done.
    """

    def __init__(
        self,
        params: Mapping[str, Params],
        *,
        source_key: str,
        session: Session,
        store: Store,
        scratch: Store,
        kept: Sequence[str],
        on_partition: OnPartition | None = None,
    ) -> None:
        self._params = params
        self._session = session
        self._keys = _keys(params, source_key)
        self._on_partition = on_partition
        surveyed = {ORDER[place - 1] for place in range(1, len(ORDER)) if self._needs_facts(ORDER[place])}
        unknown = [name for name in kept if name not in ORDER]
        if unknown:
            raise ValueError(f"cache.stages: there is no stage {unknown[0]!r}; choose among {', '.join(ORDER)}")
        cached = {name for name in kept if store.params.enabled}
        self._stores = {name: store if name in cached else scratch for name in cached | surveyed | {ORDER[-1]}}
        self._cached = cached
        self._cache: dict[str, str] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._seconds: dict[str, float] = {}

    def prepare(self, sources: Sequence[Raw]) -> Prepared:
        """Run what the cache does not have yet, and return the last stage's output."""
        place, entry = self._newest()
        for names in self._passes(place + 1):
            entry = self._run_pass(names, entry, sources)
        if entry is None:
            raise ValueError("there is no stage to run")
        return Prepared(entry, {name: self._ledgers[name] for name in ORDER}, self._cache, self._seconds)

    def _newest(self) -> tuple[int, Entry | None]:
        """Look the stages' outputs up, the last one first; remember what is found of their accounts."""
        for place in range(len(ORDER) - 1, -1, -1):
            if ORDER[place] not in self._cached:
                continue
            entry = self._stores[ORDER[place]].lookup(self._keys[ORDER[place]])
            self._cache[ORDER[place]] = "miss" if entry is None else "hit"
            if entry is not None:
                kept = (Ledger(**each) for each in entry.manifest.ledger["stages"])
                self._ledgers = {ledger.stage: ledger for ledger in kept}
                return place, entry
        return -1, None

    def _passes(self, start: int) -> list[list[str]]:
        """Part the stages from place `start` on into passes; one that needs facts begins a new pass."""
        passes: list[list[str]] = []
        for name in ORDER[start:]:
            if not passes or self._needs_facts(name):
                passes.append([])
            passes[-1].append(name)
        return passes

    def _run_pass(self, names: Sequence[str], entry: Entry | None, raw: Sequence[Raw]) -> Entry:
        """Take every partition through some stages, keeping what is to be kept; return the last output."""
        facts = (
            {names[0]: self._session.broadcast(self._survey(names[0], entry))} if self._needs_facts(names[0]) else {}
        )
        label = " → ".join(names)
        with ExitStack() as stack:
            drafts = {
                name: stack.enter_context(self._stores[name].begin(self._keys[name]))
                for name in names
                if name in self._stores
            }
            first = next(iter(drafts.values()))
            sources: list[Raw | Stored] = (
                [source._replace(rejects=first.directory) for source in raw]
                if entry is None
                else [Stored(path) for path in entry.parts]
            )
            outcomes, _surveys = split_outcomes(lay_chain(sources, self._steps(names, drafts), facts=facts))
            accounts = self._session.run(outcomes, on_done=self._report(label, len(outcomes)))
            self._account(accounts)
            rejects = join_rejects(first.directory) if entry is None else entry.directory / REJECTS
            return self._commit(drafts, accounts, rejects)

    def _steps(self, names: Sequence[str], drafts: Mapping[str, Draft]) -> list[Step]:
        steps: list[Step] = []
        for name in names:
            if name != GATHER:
                steps.append(Apply(name, self._params[name]))
            if name in drafts:
                steps.append(Keep(name, drafts[name].directory))
        return steps

    def _survey(self, name: str, entry: Entry | None) -> Any:  # noqa: ANN401 - each stage has its own facts
        """Survey the kept output that a stage starts from, reading only the columns it needs."""
        whole, params = BY_NAME[name].whole, self._params[name]
        if whole is None or entry is None:
            raise ValueError(f"stage {name!r} has nothing to survey")
        sources = [Stored(path, whole.inputs(params)) for path in entry.parts]
        outcomes, surveys = split_outcomes(lay_chain(sources, [Look(name, params)]))
        done = self._session.run(
            [*outcomes, lay_facts(surveys, name, params)], on_done=self._report(f"survey for {name}", len(outcomes))
        )
        self._account(done[:-1])
        return done[-1]

    def _account(self, accounts: Sequence[Outcome]) -> None:
        totals = sum_outcomes(accounts)
        self._ledgers |= totals.ledgers
        for name, spent in totals.seconds.items():
            self._seconds[name] = self._seconds.get(name, 0.0) + spent

    def _commit(self, drafts: Mapping[str, Draft], accounts: Sequence[Outcome], rejects: Path) -> Entry:
        entry = None
        for name, draft in drafts.items():
            if not (draft.directory / REJECTS).exists():
                shutil.copyfile(rejects, draft.directory / REJECTS)
            upstream = ORDER[: ORDER.index(name) + 1]
            entry = self._stores[name].commit(
                draft,
                stage=name,
                params=self._params[name].model_dump(mode="json"),
                part_rows=[account.ledgers[name].rows_out for account in accounts],
                ledger={"stages": [self._ledgers[stage].as_dict() for stage in upstream]},
            )
            rejects = entry.directory / REJECTS
        if entry is None:
            raise ValueError("a pass keeps nothing")
        return entry

    def _report(self, label: str, total: int) -> Callable[[int, Any], None]:
        done = 0
        if self._on_partition is not None:
            self._on_partition(label, 0, total, None)

        def report(_index: int, outcome: Any) -> None:  # noqa: ANN401 - facts pass here too
            nonlocal done
            if isinstance(outcome, Outcome) and self._on_partition is not None:
                done += 1
                self._on_partition(label, done, total, outcome)

        return report

    def _needs_facts(self, name: str) -> bool:
        return name != GATHER and BY_NAME[name].facts_needed(self._params[name]) is not None


def _keys(params: Mapping[str, Params], source_key: str) -> dict[str, str]:
    """Return the cache key of each stage's output: its parameters and version, and all that comes before it."""
    versions = {GATHER: GATHER_VERSION, **{stage.name: stage.version for stage in STAGES}}
    keys: dict[str, str] = {}
    upstream = source_key
    for name in ORDER:
        upstream = keys[name] = key(name, versions[name], params[name].model_dump(mode="json"), upstream)
    return keys
