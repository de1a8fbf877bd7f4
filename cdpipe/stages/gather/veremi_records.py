"""Records of VeReMi traces: opened as messages, and each column of the vocabulary read of them."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Literal, NamedTuple, Protocol

from cdpipe.columns import GENERATED_AT, GIVEN_ATTACKER, GIVEN_FALSE, POSITION_X, POSITION_Y, RECEIVED_AT, VEHICLE_ID
from cdpipe.stages.gather.json_records import Record, UnreadableError, show
from cdpipe.stages.gather.json_values import to_float

MessageKind = Literal["received", "sent", "own"]
USUAL: Final[tuple[MessageKind, ...]] = ("received", "sent")
_KINDS: Final[dict[int, MessageKind]] = {2: "own", 3: "received", 4: "sent"}
_PASSED: Final[dict[MessageKind, str]] = {
    "own": "positions of the receiver itself (type 2), no messages, passed over",
    "received": "messages received (type 3), not asked for, passed over",
    "sent": "records of the ground truth (type 4), no messages, passed over",
}
_S: Final = 1e6
_NS: Final = 1e-3
_FIRST_US: Final = -62_135_596_800_000_000
_LAST_US: Final = 253_402_300_799_999_999
_VECTOR: Final = (2, 3)
_LONGEST_ID: Final = 64


class PassedOver(Exception):  # noqa: N818 - no error
    """A record is no message, and not meant to be one: the reason, in words that many share."""


class Message(NamedTuple):
    """A message of a trace.

    Attributes
    ----------
    fields
        What it says, under VeReMi's names.
    tick_us
        Microseconds of a unit of its times.
    is_flat
        Whether speed, heading and acceleration are numbers and not vectors (VeReMi NextGen).
    is_own
        Whether it is a true position of the receiver itself.
    """

    fields: Mapping[str, Any]
    tick_us: float
    is_flat: bool
    is_own: bool = False

    def shown(self) -> Mapping[str, object]:
        """Return what it says, with nothing where it says nothing."""
        return {**dict.fromkeys(field.name for field in FIELDS.values()), **self.fields}


class Senders(Protocol):
    """What is known of senders and their messages: see `veremi_truth.Truth`."""

    def kind_of(self, sender: int) -> int | None:
        """Return the kind of attack of a sender, 0 for none, None if nothing says."""

    def is_moved(self, message: int, x: float, y: float, tolerance_m: tuple[float, float]) -> bool | None:
        """Return whether a message's position differs from the true one, None if that is not known."""


class _Receiver(Protocol):
    @property
    def vehicle(self) -> int:
        """The receiver."""

    @property
    def run(self) -> str:
        """Begins the ids of its vehicles."""


class Field(NamedTuple):
    """A column: VeReMi's name of what it is read of, how, and what is wrong with what cannot be read."""

    name: str
    read: Callable[[Message, Any, Senders], Any]
    problem: str


def open_record(record: Record, *, takes: Collection[MessageKind]) -> Message:
    """Return a record as a message.

    Parameters
    ----------
    record
        A line of a trace, or an item of a NextGen array.
    takes
        Which records are messages; those of what was sent that name an attack are the truth and never are.

    Raises
    ------
    PassedOver
        If it is one of the others.
    UnreadableError
        If it is none of these.
    """
    number = record.get("type")
    if number is None and isinstance(record.get("sender"), dict):
        return _open_nested(record)
    kind = _KINDS.get(number) if type(number) is int else None
    if kind is None:
        raise UnreadableError("no VeReMi record", f"type {show(number)}; messages have type 3, in what was sent 4")
    if kind not in takes or (kind == "sent" and "attackerType" in record):
        raise PassedOver(_PASSED[kind])
    return Message(record, _S, is_flat=False, is_own=kind == "own")


def _open_nested(record: Record) -> Message:
    """Open a record of VeReMi NextGen, whose times are nanoseconds, and whose sender is an object."""
    sender = record["sender"]
    names = ("pos", "pos_noise", "spd", "spd_noise", "acl", "acl_noise", "hed", "hed_noise")
    fields = {name: sender.get(name) for name in names}
    fields |= {name: record.get(name) for name in ("sendTime", "rcvTime", "messageID", "attacker")}
    fields |= {"sender": record.get("sender_id"), "senderPseudo": record.get("sender_alias")}
    return Message(fields, _NS, is_flat=True)


def _number(value: object) -> float | None:
    """Read a number; ValueError if it is none, or not finite."""
    number = None if value is None else to_float(value)
    if number is not None and not math.isfinite(number):
        raise ValueError
    return number


def _vector(value: object) -> tuple[float | None, float | None, float | None]:
    """Read a vector of two or three numbers, or of text with commas between; ValueError if it is none."""
    if value is None:
        return None, None, None
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or len(parts) not in _VECTOR:
        raise ValueError
    numbers = [_number(part) for part in parts]
    if None in numbers[:2]:
        raise ValueError
    return numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else None


def _time(name: str) -> Callable[[Message, object, object], int | None]:
    def read(message: Message, _trace: object, _truth: object) -> int | None:
        number = _number(message.fields.get("rcvTime" if message.is_own else name))
        if number is None:
            return None
        us = number * message.tick_us
        if not _FIRST_US <= us <= _LAST_US:
            raise ValueError
        return round(us)

    return read


def _component(name: str, index: int) -> Callable[[Message, object, object], float | None]:
    def read(message: Message, _trace: object, _truth: object) -> float | None:
        return _vector(message.fields.get(name))[index]

    return read


def _length(name: str) -> Callable[[Message, object, object], float | None]:
    def read(message: Message, _trace: object, _truth: object) -> float | None:
        value = message.fields.get(name)
        if message.is_flat and not isinstance(value, list):
            return _number(value)
        x, y, z = _vector(value)
        return None if x is None or y is None else _number(math.hypot(x, y, z or 0.0))

    return read


def _heading(message: Message, _trace: object, _truth: object) -> float | None:
    """Read degrees clockwise from north; without a heading the way that the speed points."""
    if message.is_flat:
        number = _number(message.fields.get("hed"))
        return None if number is None else _wrap(number)
    given = message.fields.get("hed")
    x, y, _ = _vector(message.fields.get("spd") if given is None else given)
    return None if x is None or y is None or x == y == 0 else _wrap(math.degrees(math.atan2(x, y)))


def _wrap(heading_deg: float) -> float:
    wrapped = heading_deg % 360.0
    return 0.0 if wrapped == 360.0 else wrapped


def _acceleration(*, forward: bool) -> Callable[[Message, object, object], float | None]:
    """Read the part of the acceleration along the heading, or to its right."""

    def read(message: Message, _trace: object, _truth: object) -> float | None:
        if message.is_flat:
            return _number(message.fields.get("acl")) if forward else None
        x, y, _ = _vector(message.fields.get("acl"))
        east, north, _ = _vector(message.fields.get("hed"))
        if x is None or y is None or east is None or north is None or east == north == 0:
            return None
        along = x * east + y * north if forward else x * north - y * east
        return _number(along / math.hypot(east, north))

    return read


def _noise(*, larger: bool) -> Callable[[Message, object, object], float | None]:
    def read(message: Message, _trace: object, _truth: object) -> float | None:
        x, y, _ = _vector(message.fields.get("pos_noise"))
        return None if x is None or y is None else (max if larger else min)(abs(x), abs(y))

    return read


def _id(name: str) -> Callable[[Message, _Receiver, object], str | None]:
    """Read an id, which is a whole number or text; those of several runs are told apart."""

    def read(message: Message, trace: _Receiver, _truth: object) -> str | None:
        value = message.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | str | None):
            raise ValueError  # noqa: TRY004 - the caller turns it into a reject
        text = "" if value is None else str(value)
        if len(text) > _LONGEST_ID:
            raise ValueError
        return f"{trace.run}{text}" if text.strip() else None

    return read


def _sender(message: Message, trace: _Receiver, truth: object) -> str | None:
    return _receiver(message, trace, truth) if message.is_own else _id("sender")(message, trace, truth)


def _receiver(_message: Message, trace: _Receiver, _truth: object) -> str | None:
    return f"{trace.run}{trace.vehicle}" if trace.vehicle >= 0 else None


def _kind(message: Message, trace: _Receiver, truth: Senders) -> int | None:
    """Return the sender's kind of attack, 0 for none; of NextGen what the message itself says."""
    if message.is_flat:
        number = _number(message.fields.get("attacker"))
        if number is not None and (number < 0 or not number.is_integer()):
            raise ValueError
        return None if number is None else int(number)
    sender = trace.vehicle if message.is_own else message.fields.get("sender")
    return truth.kind_of(sender) if type(sender) is int else None


def _lie(message: Message, trace: _Receiver, truth: Senders) -> int | None:
    kind = _kind(message, trace, truth)
    if message.is_flat or not kind:
        return kind
    if message.is_own:
        return 0
    identity = message.fields.get("messageID")
    if type(identity) is not int:
        return kind
    x, y, _ = _vector(message.fields.get("pos"))
    noise_x, noise_y, _ = _vector(message.fields.get("pos_noise"))
    if x is None or y is None:
        return kind
    moved = truth.is_moved(identity, x, y, (_tolerate(noise_x), _tolerate(noise_y)))
    return 0 if moved is False else kind


def _tolerate(noise_m: float | None) -> float:
    """Return how far an honest claim may be from the truth, metres: three times its noise, and what rounding does."""
    return 3 * abs(noise_m or 0.0) + 0.01


_NUMBER: Final = "not a number"
_VECTORS: Final = "not a vector of two or three numbers"
_TIME: Final = "not a time"
_ID: Final = "not a whole number or text"
FIELDS: Final[dict[str, Field]] = {
    GENERATED_AT: Field("sendTime", _time("sendTime"), _TIME),
    RECEIVED_AT: Field("rcvTime", _time("rcvTime"), _TIME),
    VEHICLE_ID: Field("sender", _sender, _ID),
    POSITION_X: Field("pos", _component("pos", 0), _VECTORS),
    POSITION_Y: Field("pos", _component("pos", 1), _VECTORS),
    "coreData_elevation": Field("pos", _component("pos", 2), _VECTORS),
    "coreData_accuracy_semiMajor": Field("pos_noise", _noise(larger=True), _VECTORS),
    "coreData_accuracy_semiMinor": Field("pos_noise", _noise(larger=False), _VECTORS),
    "coreData_speed": Field("spd", _length("spd"), _VECTORS),
    "coreData_heading": Field("hed", _heading, _VECTORS),
    "coreData_accelset_accelLong": Field("acl", _acceleration(forward=True), _VECTORS),
    "coreData_accelset_accelLat": Field("acl", _acceleration(forward=False), _VECTORS),
    "speed_noise": Field("spd_noise", _length("spd_noise"), _VECTORS),
    "heading_noise": Field("hed_noise", _length("hed_noise"), _VECTORS),
    "acceleration_noise": Field("acl_noise", _length("acl_noise"), _VECTORS),
    GIVEN_ATTACKER: Field("attacker", _kind, _NUMBER),
    GIVEN_FALSE: Field("pos", _lie, _VECTORS),
    "senderPseudo": Field("senderPseudo", _id("senderPseudo"), _ID),
    "messageID": Field("messageID", _id("messageID"), _ID),
    "receiver": Field("receiver", _receiver, _ID),
}
"""How each column is read of a message."""
