"""Records of ODE JSON: loaded from text, or refused with the reason."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
import orjson

from cdpipe.stages.gather.json_layouts import trim_mark

_NOT_JSON: Final = "not JSON"
_NOT_OBJECT: Final = "not an object"
_SPREAD: Final = "; a record must not go over several lines: write one a line, e.g. jq -c . FILE"
_SHOWN: Final = 60

Record = dict[str, Any]


class UnreadableError(Exception):
    """A record or value that cannot be read: (code, detail)."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


def load_record(line: bytes) -> Record | None:
    """Load a record; None if there is nothing but a byte order mark.

    Raises
    ------
    UnreadableError
        If it is not JSON, or no object.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        bare = trim_mark(line)
        if bare != line:
            return load_record(bare) if bare else None
        if line.startswith(b"#"):
            raise UnreadableError("comment", "a line that begins with #") from None
        record = _load_odd(line, error)
    if not isinstance(record, dict):
        raise UnreadableError(_NOT_OBJECT, f"{show(record)}; a line must hold one record")
    return record


def _load_odd(line: bytes, error: ValueError) -> Any:  # noqa: ANN401 - any value of JSON
    """Load what orjson refuses for a number that is none, such as NaN or 1e999; each becomes a Decimal."""
    try:
        if b"\\ud" not in line.lower():  # half a pair of surrogates is no text
            return json.loads(line.decode(), parse_float=_load_float, parse_int=orjson.loads, parse_constant=Decimal)
    except (ValueError, RecursionError):
        pass
    raise UnreadableError(_NOT_JSON, f"{error}{_SPREAD * line.endswith((b'{', b'[', b','))}") from None


def _load_float(text: str) -> float | Decimal:
    number = float(text)
    if np.isfinite(number):
        return number
    try:
        return Decimal(text)
    except InvalidOperation:  # the exponent itself has too many digits
        return Decimal(number)


def show(value: object) -> str:
    """Spell a value as JSON, cut to _SHOWN characters."""
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
