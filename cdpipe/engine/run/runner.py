"""Stages run over a whole data set: from the newest output in the cache, in as few passes as global steps allow."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from cdpipe.engine.buckets.chunks import SUFFIX, list_chunks, read_schema
from cdpipe.engine.cache.manifest import OutdatedError
from cdpipe.engine.cache.store import CacheError, Draft, Entry, Store, key
from cdpipe.engine.files.digests import DamageError, require_kept
from cdpipe.engine.files.parts import Flush
from cdpipe.engine.files.rejects import REJECTS, join_rejects, share_rejects
from cdpipe.engine.graph.bucket_plan import cut_group, group_buckets, lay_bounds
from cdpipe.engine.graph.global_step import lay_facts
from cdpipe.engine.graph.part_bounds import find_dropped
from cdpipe.engine.graph.partition import lay_chain, split_outcomes, sum_outcomes
from cdpipe.engine.graph.passing_parts import SUFFIX as PASSING
from cdpipe.engine.graph.steps import Apply, Bucket, Keep, Look, Outcome, Raw, Scatter, Source, Step, Stored
from cdpipe.engine.run.gathered_files import account_files, load_entry, take_files, write_files
from cdpipe.engine.run.observer import Announcer, PartitionDone, PartitionsBegan, RunObserver
from cdpipe.engine.sessions.base import Session
from cdpipe.interrupts import check_interrupt
from cdpipe.stages import BY_NAME, STAGES, name_steps
from cdpipe.stages.gather.gather import NAME as GATHER
from cdpipe.stages.gather.gather import VERSION as GATHER_VERSION
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.order import NAME as ORDERING
from cdpipe.stages.order import VERSION as ORDERING_VERSION
from cdpipe.stages.params import Params

ORDER: Final = (GATHER, *(stage.name for stage in STAGES))
"""Stages whose output can be kept, in the order in which a message goes through them."""

T = TypeVar("T")

_BLOCKS_A_BUCKET: Final = 2
"""Fewer buckets have larger chunks in each part, and a clean message is far smaller than the text it was read from."""

_TRIES: Final = 2
"""A damaged entry is made again this many times, and not once more."""

Facts = Mapping[str, Any]
"""By stage, what its global step concluded."""


class Prepared(NamedTuple):
    """The last stage's output, and how it came about.

    Attributes
    ----------
    entry
        Where it is.
    ledgers
        By stage, in order, those of cached stages included.
    cache
        By stage that the cache may keep: "hit", "miss", of gathering also "2 of 3 files"; "resumed" if an interrupted
        run left it.
    seconds
        By stage, over all threads.
    passing
        Keys of outputs that are kept only until the run succeeds, its own and those of interrupted ones.
    """

    entry: Entry
    ledgers: dict[str, Ledger]
    cache: dict[str, str]
    seconds: dict[str, float]
    passing: tuple[str, ...]


class Runner:
    """One run of the stages before training.

    Parameters
    ----------
    params
        Parameters by stage, those of gathering included.
    files
        By path, in the order of their rows, the key of what is read of each input file.
    session
        Where tasks run.
    store
        What keeps outputs.
    kept
        Stages whose output later runs may want. What else a pass ends with is there for a run that goes on where this
        one was interrupted.
    require_unchanged
        Fails if the input is not what `files` says any more; asked before what was read of it is kept.
    announcer
        Tells of each survey, pass and partition, and measures surveys and passes; by default nobody is told.
    """

    def __init__(
        self,
        params: Mapping[str, Params],
        *,
        files: Mapping[str, str],
        session: Session,
        store: Store,
        kept: Sequence[str],
        require_unchanged: Callable[[], None],
        buckets: int | None = None,
        announcer: Announcer | None = None,
    ) -> None:
        self._params, self._files = params, files
        self._session, self._store = session, store
        self._announcer = announcer or Announcer(RunObserver())
        self._chain = (GATHER, *name_steps(params))
        self._buckets = buckets
        self._keys = _keys(self._chain, params, files)
        self._require_unchanged = require_unchanged
        unknown = [name for name in kept if name not in (*ORDER, ORDERING)]
        if unknown:
            raise ValueError(f"cache.stages: there is no stage {unknown[0]!r}; choose among {', '.join(ORDER)}")
        self._kept = set(kept) & set(self._chain)
        ends = {names[-1] for names in self._passes(0)}
        self._passing = {name: key("passing", 2, {}, self._keys[name]) for name in ends - self._kept}
        self._keys |= self._passing
        self._cache: dict[str, str] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._seconds: dict[str, float] = {}
        self._damaged: Counter[str] = Counter()

    def prepare(self, sources: Sequence[Raw]) -> Prepared:
        """Run what the cache does not have yet, and return the last stage's output.

        What is read of the cache and turns out to be damaged goes, and is made again.

        Raises
        ------
        CacheError
            If what this run has written itself is damaged again and again.
        """
        while True:
            self._cache, self._ledgers, self._seconds = {}, {}, {}
            try:
                return self._prepare(sources)
            except DamageError as error:
                self._discard(error)

    def find(self, name: str) -> Entry | None:
        """Return the kept output of a stage, None if the cache does not have it."""
        return self._find(name, counted=name in self._kept)

    def plan(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the stages that the cache has the output of, and the surveys and passes that a run would make."""
        place, _ = self._newest(is_planning=True)
        passes = [" → ".join(names) for names in self._passes(place + 1)]
        if passes and place >= 0 and self._needs_facts(self._chain[place + 1]):
            passes.insert(0, f"survey for {self._chain[place + 1]}")
        return self._chain[: place + 1], tuple(passes)

    def use(self, prepared: Prepared, sources: Sequence[Raw], what: Callable[[Prepared], T]) -> tuple[Prepared, T]:
        """Do something with the last stage's output; if that turns out to be damaged, make it again and begin anew.

        Errors as of `prepare`, and those of `what`.
        """
        while True:
            try:
                return prepared, what(prepared)
            except DamageError as error:
                self._discard(error)
                prepared = self.prepare(sources)

    def _discard(self, damage: DamageError) -> None:
        """Take away the entry in which a file is damaged, unless that has happened too often."""
        if damage.path is None:
            raise damage
        name = damage.path.parent.name
        self._damaged[name] += 1
        if self._damaged[name] > _TRIES:
            raise CacheError(
                f"{damage.path.parent}: what was written there was damaged {_TRIES + 1} times when it was read "
                f"({damage}); a disk or memory fails: check them, or set cache.directory and output.directory elsewhere"
            ) from None
        self._store.discard(name, damage)

    def _prepare(self, sources: Sequence[Raw]) -> Prepared:
        self._wanted_bytes = max(source.block.unpacked_bytes(len(source.columns)) for source in sources)
        place, entry = self._newest()
        passes = self._passes(place + 1)
        facts = self._survey(passes[0][0], entry) if passes and self._needs_facts(passes[0][0]) else {}
        for names, after in zip_longest(passes, passes[1:]):
            following = after[0] if after and self._needs_facts(after[0]) else None
            entry, facts = self._run_pass(names, entry, sources, facts=facts, following=following)
        if entry is None:
            raise ValueError("there is no stage to run")
        ledgers = {name: self._ledgers[name] for name in self._chain}
        return Prepared(entry, ledgers, self._cache, self._seconds, tuple(self._passing.values()))

    def _newest(self, *, is_planning: bool = False) -> tuple[int, Entry | None]:
        """Look the stages' outputs up, the last one first; remember what is found of their accounts.

        Planning counts no look-ups, and tells of nothing.
        """
        for place in range(len(self._chain) - 1, -1, -1):
            name = self._chain[place]
            if not self._keeps(name):
                continue
            entry = self._find(name, counted=name in self._kept and not is_planning)
            if name in self._kept:
                self._cache[name] = "miss" if entry is None else "hit"
            if entry is None:
                continue
            self._ledgers = {ledger.stage: ledger for ledger in entry.ledgers}
            if is_planning:
                return place, entry
            if name in self._passing:
                self._cache[name] = "resumed"
                done = next(" → ".join(names) for names in self._passes(0) if name in names)
                self._announcer.say(f"resumed after {done}, which an interrupted run had finished")
            else:
                self._announcer.say(f"{', '.join(self._chain[: place + 1])}: taken from the cache")
            return place, entry
        return -1, None

    def _find(self, name: str, *, counted: bool) -> Entry | None:
        entry = self._store.lookup(self._keys[name], counted=counted)
        try:
            if entry is not None:
                _require_accounts(entry, self._chain[: self._chain.index(name) + 1])
            if entry is not None and name == GATHER:
                load_entry(entry)
        except DamageError as error:
            self._store.discard(self._keys[name], error)
            return None
        return entry

    def _passes(self, start: int) -> list[list[str]]:
        """Part the stages from index `start` on into passes.

        A stage that needs facts begins a new pass, and so does the one that follows the ordering of messages.
        """
        passes: list[list[str]] = []
        for name in self._chain[start:]:
            if not passes or self._needs_facts(name) or passes[-1][-1] == ORDERING:
                passes.append([])
            passes[-1].append(name)
        return passes

    def _run_pass(
        self, names: Sequence[str], entry: Entry | None, raw: Sequence[Raw], *, facts: Facts, following: str | None
    ) -> tuple[Entry, Facts]:
        """Take every partition through some stages, keeping what is to be kept.

        Returns the last output, and the facts of the stage that follows: its survey is made on the way.
        """
        label = " → ".join(names)
        if entry is not None:
            require_kept(entry.attached(REJECTS))  # the outputs of the pass will have it too
        with self._announcer.part(label), ExitStack() as stack:
            given = {name: self._session.broadcast(value) for name, value in facts.items()}
            drafts = {
                name: stack.enter_context(self._store.begin(self._keys[name])) for name in names if self._keeps(name)
            }
            first = next(iter(drafts.values()))
            sources = self._begin(raw, drafts) if entry is None else self._go_on(entry, names[0])
            steps = [
                *self._steps(names, drafts, blocks=len(raw)),
                *([Look(following, self._params[following])] if following else []),
            ]
            accounts, found = self._run_steps(label, sources, steps, facts=given, survey_for=following)
            if entry is None:
                self._require_unchanged()
            if GATHER in drafts:
                write_files(drafts[GATHER].directory, account_files(raw, self._files, accounts))
            gathered = self._ledgers[GATHER]
            rejects = join_rejects(first.directory, gathered) if entry is None else entry.directory / REJECTS
            return self._commit(drafts, accounts, rejects), found

    def _run_steps(
        self,
        label: str,
        sources: Sequence[Source],
        steps: Sequence[Step],
        *,
        facts: Facts,
        survey_for: str | None,
    ) -> tuple[list[Outcome], Facts]:
        """Run steps over all partitions: their accounts, and what they find out for a stage."""
        outcomes, concluded = lay_chain(sources, steps, facts=facts, keep_text=self._session.runs_here), []
        if survey_for is not None:
            outcomes, surveys = split_outcomes(outcomes)
            concluded = [lay_facts(surveys, survey_for, self._params[survey_for])]
        done = self._session.run([*outcomes, *concluded], on_done=self._report(label, len(outcomes)))
        accounts = done[: len(outcomes)]
        self._account(accounts)
        return accounts, {} if survey_for is None else {survey_for: done[-1]}

    def _begin(self, raw: Sequence[Raw], drafts: Mapping[str, Draft]) -> list[Source]:
        """Return the input's blocks, or where an earlier run gathered their whole file, the parts it made of them."""
        folder = next(iter(drafts.values())).directory
        sources: list[Source] = [source._replace(rejects=folder) for source in raw]
        if GATHER not in drafts:
            return sources
        relatives = self._store.relatives(self._series())
        taken = take_files(relatives, raw, self._files, folder, discard=self._store.discard)
        for place, part in taken.items():
            sources[place] = self._skip(part, ORDER[1])
        if taken:
            found = len({raw[place].block.file.path for place in taken})
            self._cache[GATHER] = f"{found} of {len(self._files)} files"
        return sources

    def _go_on(self, entry: Entry, stage: str) -> list[Source]:
        """Return the parts of an entry as those that a stage starts from."""
        if entry.manifest.stage == ORDERING:
            return [*self._plan_buckets(entry)]
        return [self._skip(part, stage) for part in self._parts(entry)]

    def _plan_buckets(self, entry: Entry) -> list[Bucket]:
        """Return the buckets that the parts of the ordering hold, of about one size; those too large are cut."""
        files = list(zip(entry.parts, entry.written, strict=True))
        chunks = [chunk for path, known in files for chunk in list_chunks(path, known)]
        schema = read_schema(entry.parts[0])
        groups = list(group_buckets(chunks, wanted_bytes=self._wanted_bytes))
        large = [group for group in groups if group[1] > 1]
        bounds = iter(self._session.run(lay_bounds(large)) if large else [])
        return [
            bucket for group in groups for bucket in cut_group(group[0], next(bounds) if group[1] > 1 else (), schema)
        ]

    def _parts(self, entry: Entry) -> list[Stored]:
        if entry.manifest.stage == GATHER:
            return load_entry(entry)
        return [Stored(path, known=known) for path, known in zip(entry.parts, entry.written, strict=True)]

    def _skip(self, part: Stored, stage: str) -> Stored:
        """Note on a part what a stage would drop of it, if that is known to be every row."""
        return part._replace(dropped=find_dropped(part.path, BY_NAME[stage], self._params[stage], known=part.known))

    def _series(self) -> str:
        """Return the key of all gathering that is done in the same way, whatever the files."""
        return key("series", 1, self._params[GATHER].model_dump(mode="json"), f"{GATHER} {GATHER_VERSION}")

    def _steps(self, names: Sequence[str], drafts: Mapping[str, Draft], *, blocks: int) -> list[Step]:
        steps: list[Step] = []
        for name in names:
            if name == ORDERING:
                buckets = self._buckets or max(1, blocks // _BLOCKS_A_BUCKET)
                steps.append(Scatter(drafts[name].directory, buckets, self._flush(name)))
                continue
            if name != GATHER:
                steps.append(Apply(name, self._params[name]))
            if name in drafts:
                steps.append(
                    Keep(
                        name,
                        drafts[name].directory,
                        by_file=name == GATHER,
                        passes=self._passes_on(name),
                        flush=self._flush(name),
                    )
                )
        return steps

    def _passes_on(self, name: str) -> bool:
        """Return True if a stage's output is read by the next pass, and by nobody else."""
        return name in self._passing and name not in (GATHER, ORDERING, ORDER[-1])

    def _suffix(self, name: str) -> str:
        if name == ORDERING:
            return SUFFIX
        return PASSING if self._passes_on(name) else ".parquet"

    def _flush(self, name: str) -> Flush:
        """Say when parts go to the disk: from a task elsewhere at once, for nobody here can do it later."""
        if not self._session.runs_here:
            return "now"
        return "soon" if self._store.durable or name == ORDER[-1] else "never"

    def _survey(self, name: str, entry: Entry | None) -> Facts:
        """Survey the kept output that a stage starts from, reading only the columns it needs."""
        whole, params = BY_NAME[name].whole, self._params[name]
        if whole is None or entry is None:
            raise ValueError(f"stage {name!r} has nothing to survey")
        columns = whole.inputs(params)
        sources: list[Source] = [part._replace(columns=columns) for part in self._go_on(entry, name)]
        label = f"survey for {name}"
        with self._announcer.part(label):
            return self._run_steps(label, sources, [Look(name, params)], facts={}, survey_for=name)[1]

    def _account(self, accounts: Sequence[Outcome]) -> None:
        totals = sum_outcomes(accounts)
        self._ledgers |= totals.ledgers
        for name, spent in totals.seconds.items():
            self._seconds[name] = self._seconds.get(name, 0.0) + spent

    def _commit(self, drafts: Mapping[str, Draft], accounts: Sequence[Outcome], rejects: Path) -> Entry:
        entry = None
        for name, draft in drafts.items():
            if not (draft.directory / REJECTS).exists():
                share_rejects(rejects, draft.directory)
            upstream = self._chain[: self._chain.index(name) + 1]
            entry = self._store.commit(
                draft,
                stage=name,
                params={} if name == ORDERING else self._params[name].model_dump(mode="json"),
                part_rows=[account.ledgers[name].rows_out for account in accounts],
                written=[account.written[name] for account in accounts],
                ledger={"stages": [self._ledgers[stage].as_dict() for stage in upstream]},
                series=self._series() if name == GATHER else None,
                lasting=name not in self._passing,
                suffix=self._suffix(name),
            )
            rejects = entry.directory / REJECTS
        if entry is None:
            raise ValueError("a pass keeps nothing")
        return entry

    def _report(self, label: str, total: int) -> Callable[[int, Any], None]:
        """Return what tells of each partition; an interrupt that was forgotten ends the run after it."""
        done = 0
        self._announcer.see(PartitionsBegan(label, total))

        def report(_index: int, outcome: Any) -> None:  # noqa: ANN401 - facts pass here too
            nonlocal done
            check_interrupt()
            if isinstance(outcome, Outcome):
                done += 1
                self._announcer.see(PartitionDone(label, done, total, outcome))

        return report

    def _keeps(self, name: str) -> bool:
        return name in self._kept or name in self._passing

    def _needs_facts(self, name: str) -> bool:
        return name not in (GATHER, ORDERING) and BY_NAME[name].facts_needed(self._params[name]) is not None


def _require_accounts(entry: Entry, names: tuple[str, ...]) -> None:
    """Make sure that an entry of a stage has the accounts of the stages up to that."""
    stages = tuple(ledger.stage for ledger in entry.ledgers)
    if stages != names:
        raise OutdatedError(f"it has accounts of {', '.join(stages) or 'no stage'}")


def _keys(chain: Sequence[str], params: Mapping[str, Params], files: Mapping[str, str]) -> dict[str, str]:
    """Return the cache key of each stage's output: its parameters and version, and all that comes before it."""
    versions = {GATHER: GATHER_VERSION, ORDERING: ORDERING_VERSION, **{stage.name: stage.version for stage in STAGES}}
    keys: dict[str, str] = {}
    upstream = key("source", 3, {"files": list(files.values())}, "")
    for name in chain:
        given = {} if name == ORDERING else params[name].model_dump(mode="json")
        upstream = keys[name] = key(name, versions[name], given, upstream)
    return keys
