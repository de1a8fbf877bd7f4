"""What workflows call: scripts, against a `gh` that writes down what it is asked, and workflows that call them."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GH = """#!/usr/bin/env bash
printf '%s\\n' "$*" >>"$CALLS"
for argument; do case $argument in body=@*) cp "${argument#body=@}" "$BODY" ;; esac; done
previous=""
for argument; do [ "$previous" = --body-file ] && cp "$argument" "$BODY"; previous=$argument; done
case "$*" in
  *"/pulls "*) printf '%s' "$PULLS" ;;
  *--paginate*) printf '%s' "$COMMENTS" ;;
  "issue list"*) printf '%s' "$ISSUES" ;;
esac
"""


class Script:
    """Runs a script of `.ci` with a `gh` of our own first on PATH."""

    def __init__(self, folder):
        self.folder, self.calls, self.body = folder, folder / "calls", folder / "body"
        (folder / "bin").mkdir()
        (folder / "bin" / "gh").write_text(GH)
        (folder / "bin" / "gh").chmod(0o755)

    def run(self, name, *arguments, text="", **variables):
        known = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "CALLS": self.calls, "BODY": self.body, "PULLS": "",
            "COMMENTS": "", "ISSUES": "", "REPOSITORY": "us/cdpipe", "HEAD_OWNER": "them", "HEAD_BRANCH": "topic",
            "HEAD_SHA": "c0ffee0011223344", "RUN_URL": "the-run", "HOME": self.folder,
        }  # fmt: skip
        return subprocess.run(
            [ROOT / ".ci" / name, *arguments], env={key: str(value) for key, value in (known | variables).items()},
            input=text, capture_output=True, text=True, check=False, cwd=self.folder,
        )  # fmt: skip


@pytest.fixture
def script(tmp_path):
    return Script(tmp_path)


def test_the_first_comment_is_made_and_later_ones_edit_it(script):
    (script.folder / "compare.md").write_text("| slower | 1.3 |\n")
    assert script.run("comment", "compare.md", PULLS="7\n").returncode == 0
    assert "--method POST repos/us/cdpipe/issues/7/comments" in script.calls.read_text()
    body = script.body.read_text()
    assert body.startswith("<!-- cdpipe compare -->\n| slower | 1.3 |\n")
    assert "c0ffee00: [the run](the-run)" in body
    assert script.run("comment", "compare.md", PULLS="7\n", COMMENTS="99\n100\n").returncode == 0
    assert (
        script.calls.read_text().splitlines()[-1].startswith("api --method PATCH repos/us/cdpipe/issues/comments/99 ")
    )


def test_the_file_of_a_pull_request_is_text_that_fits_and_calls_for_nobody(script):
    (script.folder / "compare.md").write_bytes(b"@everybody \xff " + "é".encode() * 100_000)
    assert script.run("comment", "compare.md", PULLS="7\n").returncode == 0
    body = script.body.read_text(encoding="utf-8")
    assert "@everybody" not in body
    assert len(body) < 65_536


@pytest.mark.parametrize("content", [None, ""])
def test_without_a_result_the_comment_says_that_nothing_was_measured(script, content):
    if content is not None:
        (script.folder / "compare.md").write_text(content)
    assert script.run("comment", "compare.md", PULLS="7\n").returncode == 0
    assert "Nothing was measured" in script.body.read_text()


def test_a_pull_request_that_has_gone_on_gets_no_stale_comment(script):
    done = script.run("comment", "compare.md")
    assert done.returncode == 0
    assert "No open pull request" in done.stderr
    assert not script.body.exists()


@pytest.mark.parametrize(
    ("issues", "call"), [("", "issue create --repo us/cdpipe --title It's red"), ("12\n", "issue comment 12")]
)
def test_one_issue_a_title(script, issues, call):
    assert script.run("issue", "It's red", text="why\n", ISSUES=issues).returncode == 0
    assert script.calls.read_text().splitlines()[-1].startswith(call)
    assert script.body.read_text() == "why\n"


def test_results_are_added_to_their_branch(script):
    remote = script.folder / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", remote], check=True)
    for day in ("one", "two"):
        results = script.folder / day
        (results / "box").mkdir(parents=True)
        (results / "box" / f"{day}.json").write_text(day)
        (results / ".git").mkdir()
        (results / ".git" / "config").write_text("not a result")
        done = script.run("keep-results", day, REMOTE=remote)
        assert done.returncode == 0, done.stderr
    again = script.run("keep-results", "two", REMOTE=remote)
    assert "Nothing new" in again.stderr
    listed = ["git", "-C", remote, "ls-tree", "-r", "--name-only", "benchmark-results"]
    assert subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split() == [
        "box/one.json",
        "box/two.json",
    ]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_rights_are_least(path):
    text = path.read_text(encoding="utf-8")
    uses = re.findall(r"uses: (\S+)(.*)", text)
    assert uses
    for action, comment in uses:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), action
        assert re.search(r"# v\d+\.\d+\.\d+", comment), action
    assert re.search(r"^permissions:( \{\}|\n  contents: read)$", text, re.MULTILINE)
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    assert "pull_request_target" not in text


def test_what_runs_code_of_a_pull_request_may_write_nothing():
    for name in ("ci.yml", "benchmarks.yml"):
        text = (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
        assert ": write" not in text
        assert "secrets." not in text


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_what_works_on_a_laptop(path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    runs = re.findall(r"- run: (.+)", path.read_text(encoding="utf-8"))
    assert runs
    for line in runs:
        made = re.match(r"make ([a-z-]+)", line)
        script = re.search(r"\.ci/[\w-]+", line)
        assert made or script, line
        assert not made or made[1] in targets, line
        assert not script or os.access(ROOT / script[0], os.X_OK), line


def test_the_comment_follows_the_workflow_it_is_named_after():
    follows = (ROOT / ".github/workflows/benchmark-comment.yml").read_text(encoding="utf-8")
    (name,) = re.findall(r"workflows: \[(.+)\]", follows)
    assert f"name: {name}\n" in (ROOT / ".github/workflows/benchmarks.yml").read_text(encoding="utf-8")
