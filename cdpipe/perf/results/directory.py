"""Open an asv results directory, of any project and any machine, and choose what to report.

The layout is asv's own, version 2 (asv 0.5 and later): `benchmarks.json` describes the benchmarks, each
machine has a directory with `machine.json` and one `<commit>-<environment>.json` per commit and environment.
"""

from pathlib import Path

from cdpipe.perf.results.files import last_started_ms, load_run, read_benchmarks, read_header, read_machine
from cdpipe.perf.results.model import Header, Machine, Results, ResultsError

__all__ = ["choose_headers", "load_run", "open_results"]


def open_results(path: Path, *, size_names: tuple[str, ...] = ()) -> Results:
    """Read what a results directory holds: descriptions and headers; `size_names` are the parameters that are sizes.

    Only the first bytes of a result file are parsed where that is enough, so years of results open quickly.

    Raises
    ------
    ResultsError
        If the directory, `benchmarks.json` or any result file's header cannot be read, or there is no result.

    Examples
    --------
    >>> from pathlib import Path
    >>> results = open_results(Path(".asv/results"))
    >>> len(results.headers), len(results.machines)
    (1, 1)
    """
    if not path.is_dir():
        raise ResultsError(path, "", "is not a directory", "give asv's results directory, or make one with `asv run`")
    benchmarks = read_benchmarks(path / "benchmarks.json", size_names=size_names)
    machines: dict[str, Machine] = {}
    headers = []
    for file in sorted(path.rglob("*.json")):
        if file.name == "machine.json":
            machine = read_machine(file)
            machines[machine.name] = machine
        elif file.parent != path:
            headers.append(read_header(file))
    if not headers:
        raise ResultsError(path, "", "holds no <commit>-<environment>.json", "make results with `asv run`")
    for header in headers:
        machines.setdefault(header.machine, Machine(header.machine))
    return Results(path, benchmarks, machines, tuple(headers))


def choose_headers(results: Results, *, commit: str | None = None, machine: str | None = None) -> tuple[Header, ...]:
    """Choose the result files to report: one commit for each machine, in all its environments.

    Parameters
    ----------
    results
        An open results directory.
    commit
        The beginning of a commit hash, at least four characters; None for each machine's newest commit.
    machine
        Machine's name; None for all.

    Raises
    ------
    ResultsError
        If no file is of that commit or machine, or the beginning fits several commits.
    """
    headers = [header for header in results.headers if machine in (None, header.machine)]
    if not headers:
        known = ", ".join(sorted(results.machines))
        raise ResultsError(results.path, "machine", f"nothing from machine {machine!r}", f"there is: {known}")
    if commit is not None:
        headers = _match_commit(results.path, headers, commit)
    chosen: list[Header] = []
    for name in sorted({header.machine for header in headers}):
        own = [header for header in headers if header.machine == name]
        newest = _newest_commit(own)
        chosen += sorted((h for h in own if h.commit == newest), key=lambda h: h.environment)
    return tuple(chosen)


def _match_commit(path: Path, headers: list[Header], prefix: str) -> list[Header]:
    wanted = prefix.strip().lower()
    matching = [header for header in headers if len(wanted) >= 4 and header.commit.lower().startswith(wanted)]
    commits = sorted({header.commit for header in matching})
    if len(commits) > 1:
        shown = ", ".join(commit[:12] for commit in commits)
        raise ResultsError(path, "commit_hash", f"{prefix!r} could be any of {shown}", "give more characters of it")
    if not commits:
        newest_first = sorted(headers, key=lambda header: -header.date_ms)
        known = ", ".join(dict.fromkeys(header.commit[:8] for header in newest_first[:20]))
        remedy = f"give four or more characters of a hash; the newest are {known}"
        raise ResultsError(path, "commit_hash", f"no results of commit {prefix!r}", remedy)
    return matching


def _newest_commit(headers: list[Header]) -> str:
    date = max(header.date_ms for header in headers)
    newest = [header for header in headers if header.date_ms == date]
    if len({header.commit for header in newest}) == 1:
        return newest[0].commit
    # Commits made by a script share a second: then the one measured last is the newest.
    return max(newest, key=lambda header: (last_started_ms(header.path), header.commit)).commit
