import os
import subprocess

import pytest

from cdpipe.perf.gate.acceptance import Acceptance, accept, parse_acceptances, read_acceptances

SPATIAL = "clean.Spatial.time_run('1M', 'it (is)')"


@pytest.mark.parametrize(
    ("value", "benchmark", "reason"),
    [
        ("clean.Spatial.time_run exact to a millimetre", "clean.Spatial.time_run", "exact to a millimetre"),
        ("a.time_b('1M') more checks", "a.time_b('1M')", "more checks"),
        ("a.time_b('1M', 2)   two  spaces", "a.time_b('1M', 2)", "two  spaces"),
        ("a.time_b", "a.time_b", ""),
        (f"{SPATIAL} why not", SPATIAL, "why not"),
        ("*.peakmem_* kept in memory (all of it)", "*.peakmem_*", "kept in memory (all of it)"),
    ],
)
def test_a_trailer_is_a_name_and_a_reason(value, benchmark, reason):
    assert parse_acceptances([value, "", "  "]) == (Acceptance(benchmark, reason),)


@pytest.mark.parametrize(
    ("benchmark", "covers"),
    [
        (SPATIAL, True), ("clean.Spatial.time_run", True), ("clean.*", True), ("clean.Spatial.time_run('2M')", False),
        ("clean.Spatial", False), ("spatial*", False),
    ],
)  # fmt: skip
def test_a_name_covers_itself_with_or_without_parameters_and_by_pattern(benchmark, covers):
    assert Acceptance(benchmark, "r").covers(SPATIAL) is covers


def test_only_a_reason_accepts_and_what_accepts_nothing_is_said():
    trailers = (Acceptance("a", "meant"), Acceptance("b", ""), Acceptance("c", "no such"))
    reasons, notes = accept(["a", "b", "d"], trailers)
    assert reasons == {"a": "meant"}
    assert notes == (
        "Accept-regression: b: gives no reason, and so accepts nothing; write one behind it",
        "Accept-regression: c: names no benchmark that got worse here",
    )


def git(folder, *words):
    who = {f"GIT_{role}_{what}": "t@t" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", *words]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **who}, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_trailers_are_those_of_the_commits_between(tmp_path):
    git(tmp_path, "init", "-q", "-b", "main")
    hashes = []
    for message in (
        "zero\n\nAccept-regression: old before the base",
        "one\n\nBody.\n\nAccept-regression: a.time_b('1M') more\n checks\nSigned-off-by: t",
        "two\n\nAccept-regression: not a trailer\n\nbecause text follows it",
    ):
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", message)
        hashes.append(git(tmp_path, "rev-parse", "HEAD"))
    assert read_acceptances(tmp_path, hashes[0], hashes[2]) == (Acceptance("a.time_b('1M')", "more checks"),)
    assert read_acceptances(tmp_path, hashes[1], hashes[1]) == ()
    with pytest.raises(OSError, match=r"git log 12345678\.\.87654321 failed"):
        read_acceptances(tmp_path, "12345678", "87654321")
