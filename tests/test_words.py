"""A check of the prose: plain words in docstrings, comments and pages, and modules that say first what they are."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "cdpipe").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
]
PHRASES = ("of which", "but for", "so many", "who has")
BANNED = re.compile(r"\b(?:" + "|".join(phrase.replace(" ", r"\s+") for phrase in PHRASES) + r")\b", re.IGNORECASE)
QUESTION = re.compile(r"(?:What|Which|Whether|How|Where|Why)\b")
WORDS = 25


def find_docstrings(tree):
    """Yield (line, text) of strings that stand alone: docstrings, and those of attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def find_comments(source):
    """Yield (line, text) of comments; those on lines that follow each other are one text, a line each."""
    first, lines = 0, []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if lines and token.start[0] != first + len(lines):
            yield first, "\n".join(lines)
            lines = []
        first = first if lines else token.start[0]
        lines.append(token.string.lstrip("#: "))
    if lines:
        yield first, "\n".join(lines)


def find_phrases(line, text):
    """Yield (line, phrase) for each banned phrase in a text that begins at a line."""
    for match in BANNED.finditer(text):
        yield line + text.count("\n", 0, match.start()), " ".join(match[0].split()).lower()


def find_in_source(source):
    texts = [*find_docstrings(ast.parse(source)), *find_comments(source)]
    return sorted(found for line, text in texts for found in find_phrases(line, text))


def find_in_page(text):
    return list(find_phrases(1, re.sub(r"^[> ]+", "", text, flags=re.MULTILINE)))


def find_faults_of_opening(source, *, words=None):
    """Say what is wrong with the first line of a module's docstring."""
    text = ast.get_docstring(ast.parse(source))
    if text is None:
        return ["no docstring"]
    opening = text.partition("\n")[0]
    faults = [f"opens with a question: {opening}"] if QUESTION.match(opening) else []
    if words is not None and len(opening.split()) > words:
        faults.append(f"{len(opening.split())} words, at most {words}: {opening}")
    return faults


def place(path, line):
    return f"{path.relative_to(ROOT).as_posix()}:{line}"


def test_a_module_says_what_it_is():
    faults = [
        f"{place(path, 1)}: {fault}"
        for paths, words in ((MODULES, WORDS), (BENCHMARKS, None))
        for path in paths
        for fault in find_faults_of_opening(path.read_text(), words=words)
    ]
    assert faults == []


@pytest.mark.parametrize(("paths", "find"), [(MODULES, find_in_source), (PAGES, find_in_page)], ids=["code", "pages"])
def test_no_banned_phrase_is_written(paths, find):
    assert len(paths) > 10
    faults = [f"{place(path, line)}: {phrase!r}" for path in paths for line, phrase in find(path.read_text())]
    assert faults == []


PLANTED = '''"""A module, Of  Which little is said."""

SIZE = 3
"""Things, so
many that they are counted."""

REGEX = "but for"  # a string is no prose: who has it?


class Thing:
    """A thing."""

    size: int
    """Bytes but for the head."""

    def weigh(self):
        # Two lines of which
        # the first ends but
        # for this one.
        return "so many"
'''


def test_a_planted_phrase_is_found_where_it_is():
    assert find_in_source(PLANTED) == [
        (1, "of which"),
        (4, "so many"),
        (7, "who has"),
        (14, "but for"),
        (17, "of which"),
        (18, "but for"),
    ]


def test_a_planted_phrase_of_a_page_is_found_where_it_is():
    assert find_in_page("# Page\n\nAll but\nfor one.\n\n> One of\n> which.\n") == [(3, "but for"), (6, "of which")]


@pytest.mark.parametrize("text", ["whoever has", "thereof whichever", "so very many", "but forty", "except for one"])
def test_other_words_are_left_alone(text):
    assert find_in_source(f'"""{text}."""\n') == find_in_page(text) == []


@pytest.mark.parametrize("word", ["What", "Which", "Whether", "How", "Where", "Why"])
def test_an_opening_question_is_found(word):
    assert find_faults_of_opening(f'"""{word} it is."""') == [f"opens with a question: {word} it is."]
    assert find_faults_of_opening(f'"""{word}ever it is."""') == []


def test_a_long_opening_is_found():
    assert find_faults_of_opening(f'"""{"word " * 25}\n\n{"more " * 25}"""', words=25) == []
    assert [fault[:8] for fault in find_faults_of_opening(f'"""{"word " * 26}"""', words=25)] == ["26 words"]
    assert find_faults_of_opening("SIZE = 3") == ["no docstring"]
