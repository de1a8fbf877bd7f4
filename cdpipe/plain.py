"""Plain text: what other people's names may do to a terminal or a table, undone."""

import textwrap


def show_plain(text: str) -> str:
    """Return a text with every character that does not print (escapes, line ends, bidi marks) written as an escape."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def break_lines(text: str, columns: int) -> str:
    r"""Return a text whose lines break between words where they are longer than a terminal; no word is cut.

    Examples
    --------
    >>> break_lines("bsm.csv: there is no such file", 20)
    'bsm.csv: there is no\nsuch file'
    """
    lines = text.split("\n")
    return "\n".join(textwrap.fill(each, columns, break_long_words=False, break_on_hyphens=False) for each in lines)
