"""Plain text: what other people's names may do to a terminal or a table, undone."""


def show_plain(text: str) -> str:
    """Return a text with every character that does not print (escapes, line ends, bidi marks) written as an escape."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
