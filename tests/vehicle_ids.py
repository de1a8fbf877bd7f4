"""A vehicle's identity by Python's own means: the oracle of every test of ids."""

import re

import xxhash

BLANKS = " \t\n\r\x0b\x0c\xa0\u200b\ufeff"
NULL_WORDS = {"", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", r"\n"}
ID = re.compile(r"(?:0[xX])?([0-9a-fA-F]+)(?:\.0*)?")
FORMS = (
    "{:08X}", "{:X}", "{:08x}", "{:x}", "0x{:08x}", "0X{:X}", "0x{:X}.0", "{:08X}.0", "{:x}.00", "{:X}.",
    " {:08X}", "{:08X} ", "\t{:08x}", "{:08X}\r", "{:X}\r\r", "\ufeff{:08X}", "\ufeff {:x}.0\r",
    "\xa0{:08X}\xa0", "\u200b{:08X}", "000{:08X}", "0x0000000000{:x}",
)  # fmt: skip
"""Ways to write the number of a vehicle."""
NULLS = (
    "",
    " ",
    "\t",
    "\r",
    "\ufeff",
    "nan",
    "NaN",
    "NULL",
    "None",
    "NA",
    "N/A",
    "null",
    "<NA>",
    r"\N",
    "#N/A",
    " nan\r",
)
"""Ways to write that there is none."""


def strip(text: bytes) -> bytes:
    """A cell without what cannot be seen around it."""
    return text.decode("utf-8", "surrogateescape").strip(BLANKS).encode("utf-8", "surrogateescape")


def is_null(text: bytes) -> bool:
    """Whether a cell is blank or a null word."""
    return strip(text).lower().decode("utf-8", "surrogateescape") in NULL_WORDS


def number_of(text: str | None) -> int | None:
    """The number that an id is, whatever its length."""
    match = ID.fullmatch((text or "").strip(BLANKS))
    return int(match[1], 16) if match else None


def spell(text: str | None) -> str:
    """The one form of an id, empty for null."""
    word, number = (text or "").strip(BLANKS), number_of(text)
    if number is not None:
        return f"{number:08X}"
    return "" if is_null(word.encode("utf-8", "surrogateescape")) else word


def vehicle_of(text: str | None) -> int:
    """The hash that stands for a vehicle."""
    return xxhash.xxh64_intdigest(spell(text).encode("utf-8", "surrogateescape"))
