"""Attacks: small values that say where attackers' messages claim to be."""

from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cdpipe.kernels.buffers.selection import look_up, take
from cdpipe.kernels.geodesy import direct
from cdpipe.kernels.geodesy.plane import move
from cdpipe.stages.clean import Centre
from cdpipe.stages.frames.interop import Vehicles
from cdpipe.stages.params import Params

Positions = tuple[NDArray[np.float64], NDArray[np.float64]]


class Targets:
    """The attackers' messages; what an attack asks of them is fetched when it is asked for.

    Parameters
    ----------
    rows
        Their row indices in the partition, shape (n,).
    row_number, x, y
        Columns of the partition: row number in the whole input, and true position in degrees or metres east and north.
    vehicles
        The vehicles of the partition.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        *,
        row_number: NDArray[np.int64],
        vehicles: Vehicles,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
    ) -> None:
        self._rows, self._row_number, self._vehicles, self._x, self._y = rows, row_number, vehicles, x, y

    def __len__(self) -> int:
        """Return how many messages there are."""
        return self._rows.size

    def row_number(self) -> NDArray[np.int64]:
        """Return the row number of each message in the whole input, shape (n,)."""
        return take(self._row_number, self._rows)

    def vehicle(self) -> NDArray[np.uint64]:
        """Return the hash of each message's vehicle id, shape (n,)."""
        return look_up(self._vehicles.hashes, take(self._vehicles.codes, self._rows))

    def position(self) -> Positions:
        """Return the true positions, shape (n,) each: longitude and latitude, or metres east and north."""
        return take(self._x, self._rows), take(self._y, self._rows)


class Pool(NamedTuple):
    """Positions that a swap may take, ascending by row number; shape (k,) each.

    Attributes
    ----------
    row_number
        Row number in the whole input.
    key
        What it was drawn by, see `cdpipe.kernels.draws.bottom_k`.
    x, y
        Position.
    """

    row_number: NDArray[np.int64]
    key: NDArray[np.uint32]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


class Heard(NamedTuple):
    """Messages of other vehicles that an attacker may have heard, ascending by key, time and row number.

    Shape (k,) each: the messages with the smallest keys of all.

    Attributes
    ----------
    key
        A draw by row number, or by vehicle: then the first vehicles' messages are all here, the last one's in part.
    time_us, row_number, vehicle
        When each was sent, its row number in the whole input, and whose it is.
    x, y, speed, heading
        What it says; nan where it says nothing.
    """

    key: NDArray[np.uint64]
    time_us: NDArray[np.int64]
    row_number: NDArray[np.int64]
    vehicle: NDArray[np.uint64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    speed: NDArray[np.float64]
    heading: NDArray[np.float64]


class Sides(Params):
    """Which messages will test, as an attack must know that differs by side."""

    by: Literal["row", "vehicle", "place"] = Field(default="vehicle", description="train.split")
    test_ratio: float = Field(default=0.2, gt=0, lt=1, description="train.test_ratio")
    seed: int = Field(default=42, ge=0, lt=2**63, description="train.seed")
    test_places: tuple[int, ...] = Field(default=(), description="train.test_places")


class AttackParams(Params):
    """Who attacks, and in which coordinates; each kind adds how.

    Attributes
    ----------
    uses_pool
        Whether the attack takes positions from other messages.
    is_ordered
        Whether it must see a vehicle's messages one after the other.
    hears
        What it takes of other vehicles: single "messages", or all messages of some "vehicles"; "" for nothing.
    """

    uses_pool: ClassVar[bool] = False
    is_ordered: ClassVar[bool] = False
    hears: ClassVar[Literal["", "messages", "vehicles"]] = ""

    kind: str = Field(description="which attack")
    ratio: float = Field(default=0.3, ge=0, le=1, description="share of vehicles (exactly) or of rows that attack")
    choose_by: Literal["vehicle", "row"] = Field(
        default="vehicle", description="whether a vehicle attacks with all its messages, or each message is drawn alone"
    )
    test_ratio: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share that attacks on the side that tests; ratio is that of training then",
    )
    sides: Sides | None = Field(
        default=None, description="with test_ratio, which messages test; a run takes that of train"
    )
    seed: int = Field(default=42, ge=0, lt=2**63, description="seed of every draw")
    coordinates: Literal["geographic", "local"] = Field(
        default="geographic", description="those of x_pos and y_pos; a run takes clean.coordinates"
    )
    centre: Centre | None = Field(
        default=None, description="centre of the study, for the override attacks; a run takes clean.centre"
    )

    @model_validator(mode="after")
    def _has_sides(self) -> Self:
        if self.test_ratio is not None and self.sides is None:
            raise ValueError("test_ratio needs a train.split of 'row', 'vehicle' or 'place'; set one, or leave it out")
        return self

    @property
    def differs_by_vehicle(self) -> bool:
        """Whether the sides of training and testing, by vehicle, have attackers of their own."""
        return self.test_ratio is not None and self.sides is not None and self.sides.by == "vehicle"

    @property
    def listens(self) -> Literal["", "messages", "vehicles"]:
        """What these parameters take of other vehicles."""
        return self.hears

    def displace(self, targets: Targets, pool: Pool | None) -> Positions:
        """Return the positions that the attackers claim, shape (n,) each; a call is for some of them only."""
        raise NotImplementedError

    def move(self, start: Positions, bearing_deg: NDArray[np.float64], distance_m: NDArray[np.float64]) -> Positions:
        """Move points by a distance along a bearing, degrees clockwise from north.

        In geographic coordinates along the WGS84 geodesic, in local ones in the plane.
        """
        x, y = start
        if self.coordinates == "geographic":
            return direct(x, y, bearing_deg, distance_m)
        return move(x, y, bearing_deg, distance_m)


class ConstantShift(AttackParams):
    """One distance and bearing for all."""

    bearing_deg: float = Field(default=45.0, ge=0, le=360, description="degrees clockwise from north")
    distance_m: float = Field(default=150.0, ge=0, le=20_000_000, description="metres")


class DistanceRange(AttackParams):
    """Distances drawn uniformly from a range, bearings uniformly from the whole circle."""

    min_m: float = Field(default=25.0, ge=0, le=20_000_000, description="least distance, metres")
    max_m: float = Field(default=250.0, ge=0, le=20_000_000, description="greatest distance, metres")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_m > self.max_m:
            raise ValueError(self._word_disorder())
        return self

    def _word_disorder(self) -> str:
        """Say what to change of a range that is none: what was written, not a default."""
        if not self.model_fields_set >= {"min_m", "max_m"}:
            if "min_m" in self.model_fields_set:
                return f"min_m is {self.min_m:g}, max_m by default {self.max_m:g}: set max_m to {self.min_m:g} or more"
            return f"max_m is {self.max_m:g}, min_m by default {self.min_m:g}: set min_m to {self.max_m:g} or less"
        return f"min_m {self.min_m} is greater than max_m {self.max_m}; swap them"


class Centred(AttackParams):
    """An attack that claims a position relative to the centre of the study."""

    @model_validator(mode="after")
    def _has_centre(self) -> Self:
        if self.coordinates == "geographic" and self.centre is None:
            raise ValueError(f"{self.kind} needs a centre: set clean.centre = {{latitude = …, longitude = …}}")
        return self

    def origin(self, rows: int) -> Positions:
        """Return the centre once for each of `rows` messages, in the attack's coordinates."""
        if self.coordinates == "local" or self.centre is None:
            return np.zeros(rows), np.zeros(rows)
        return np.full(rows, self.centre.longitude), np.full(rows, self.centre.latitude)
