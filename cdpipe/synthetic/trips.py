"""Seeded trips of vehicles: where each one is, how fast it goes and which way, ten times a second.

The same seed gives the same numbers on any machine: randomness is counter-based (Philox words addressed by trip or
row number), sums are of integers, and floating point is limited to the operations IEEE 754 rounds exactly
(+ - * /, square root, rounding). Sines are therefore our own: those of libm and of NumPy's SIMD code differ in the
last bit from one processor to the next.

Trips come in *waves*: `vehicles_at_once` trips of `messages` messages on average, interleaved in time. Any wave can be
made without the others.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TICK_MS: Final = 100
WAVE_MS: Final = 900_000
HEADINGS: Final = 28_800
"""J2735 counts headings in 1/28800 of a turn (0.0125 degrees)."""
NOISE_M: Final = 0.05
"""Largest GPS noise of one message, east or north: the sum of two uniform draws, hence triangular."""

_EQUATORIAL_M: Final = 6_378_137.0
_FLATTENING: Final = 1 / 298.257223563
_ECCENTRICITY_2: Final = _FLATTENING * (2 - _FLATTENING)
_PI: Final = 3.141592653589793
_TRIP_WORDS: Final = 20
_HOME_WORDS: Final = 4
_TRIPS, _HOMES, _ROWS = 1, 2, 3
_NOISE_STEPS: Final = 4095
_TERRAIN_M: Final = 7_000.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the trips of a data set have in common.

    Attributes
    ----------
    seed
        Seed of everything, 0 to 2**64 - 1.
    vehicles
        Vehicles that take turns in making trips.
    vehicles_at_once
        Trips in a wave, at most `vehicles`.
    messages
        Mean number of messages in a trip, at least 1.
    start_ms
        Time of the first wave, ms since 1970 (UTC).
    lat_deg, lon_deg, spread_km
        The vehicles' homes lie around this point, within this distance, denser towards it.
    """

    seed: int
    vehicles: int
    vehicles_at_once: int
    messages: int
    start_ms: int
    lat_deg: float
    lon_deg: float
    spread_km: float

    @property
    def wave_rows(self) -> int:
        """Messages in every wave."""
        return self.vehicles_at_once * self.messages


@dataclass(frozen=True, slots=True)
class Trips:
    """Trips of some waves, one value a trip."""

    trip: Ints
    vehicle: Ints
    messages: Ints
    start_ms: Ints
    lat_deg: Floats
    lon_deg: Floats
    east_m: Floats
    north_m: Floats
    draws: Floats


@dataclass(frozen=True, slots=True)
class Motion:
    """Messages in order of time, one value a message; `trip` is the index in `Trips`, `step` the message's in its trip.

    Units: `time_ms` since 1970; `lat_e7`, `lon_e7` 1e-7 degrees (WGS84); `elevation_dm` 0.1 m; `speed_cms` cm/s;
    `heading` 1/28800 turn clockwise from north; `yaw_cdegs` 0.01 degrees a second, clockwise positive.
    """

    trip: Ints
    step: Ints
    time_ms: Ints
    lat_e7: Ints
    lon_e7: Ints
    elevation_dm: Ints
    speed_cms: Ints
    heading: Ints
    yaw_cdegs: Ints


def draw_words(seed: int, purpose: int, *, first: int, count: int, width: int) -> NDArray[np.uint64]:
    """Return `width` random words for each of `count` things numbered from `first`, shape (count, width).

    The words of a thing depend on nothing but (seed, purpose, its number). `width` is a multiple of 4: a Philox counter
    gives four words.
    """
    stream = np.random.Philox(key=seed | purpose << 64, counter=first * width // 4)
    return np.asarray(stream.random_raw(count * width), np.uint64).reshape(count, width)


def row_words(fleet: Fleet, *, first: int, count: int) -> NDArray[np.uint64]:
    """Return two random words for each of `count` rows numbered from `first`, shape (count, 2)."""
    odd = first % 2
    pairs = draw_words(fleet.seed, _ROWS, first=first // 2, count=(odd + count + 1) // 2, width=4)
    return pairs.reshape(-1, 2)[odd : odd + count]


def sine_deg(angle_deg: Floats) -> Floats:
    """Sine of degrees, any shape, within 2e-16 of the truth and of the same bits everywhere (Taylor series)."""
    quarter = np.rint(angle_deg / 90)
    x = (angle_deg - 90 * quarter) * (_PI / 180)
    sine, cosine = np.zeros_like(x), np.zeros_like(x)
    for power in range(16, 0, -2):
        sine = (1 + sine) * (-x * x / (power * (power + 1)))
        cosine = (1 + cosine) * (-x * x / (power * (power - 1)))
    sine, cosine = x * (1 + sine), 1 + cosine
    turn = quarter.astype(np.int64) & 3
    result: Floats = np.where(turn & 1, cosine, sine) * np.where(turn & 2, -1.0, 1.0)
    return result


SINE: Final = sine_deg(np.arange(HEADINGS, dtype=np.float64) * (360 / HEADINGS))
COSINE: Final = np.roll(SINE, -HEADINGS // 4)


def metres_per_degree(lat_deg: Floats) -> tuple[Floats, Floats]:
    """Length of a degree of longitude and of latitude on WGS84, in metres (meridional and prime-vertical radii)."""
    sine = sine_deg(lat_deg)
    squared = 1 - _ECCENTRICITY_2 * sine * sine
    prime_vertical = _EQUATORIAL_M / np.sqrt(squared)
    meridional = prime_vertical * (1 - _ECCENTRICITY_2) / squared
    return prime_vertical * np.sqrt(1 - sine * sine) * (_PI / 180), meridional * (_PI / 180)


def make_trips(fleet: Fleet, *, first_wave: int, waves: int) -> Trips:
    """Deal the trips of `waves` waves: who drives, when, from where, and how many messages.

    Vehicles take turns. Lengths vary by up to 30 % in pairs that cancel, so that every wave has `wave_rows` messages.
    """
    at_once = fleet.vehicles_at_once
    trip = np.arange(first_wave * at_once, (first_wave + waves) * at_once, dtype=np.int64)
    vehicle = trip % fleet.vehicles
    words = draw_words(fleet.seed, _TRIPS, first=int(trip[0]), count=trip.size, width=_TRIP_WORDS)
    draws = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    change = np.floor(draws[:, 0] * (0.3 * fleet.messages)).astype(np.int64).reshape(waves, at_once)
    pairs = at_once // 2
    change[:, pairs : 2 * pairs] = -change[:, :pairs]
    change[:, 2 * pairs :] = 0
    begin = np.floor(draws[:, 1] * (0.5 * fleet.messages)).astype(np.int64) * TICK_MS
    phase = np.floor(draws[:, 2] * TICK_MS).astype(np.int64)
    wave_ms = fleet.start_ms + trip // at_once * WAVE_MS
    east_m, north_m = _start_places(fleet, vehicle, draws)
    lat_deg = fleet.lat_deg + north_m / metres_per_degree(np.array([fleet.lat_deg]))[1]
    lon_deg = fleet.lon_deg + east_m / metres_per_degree(lat_deg)[0]
    messages = fleet.messages + change.reshape(-1)
    return Trips(trip, vehicle, messages, wave_ms + begin + phase, lat_deg, lon_deg, east_m, north_m, draws)


def _start_places(fleet: Fleet, vehicle: Ints, draws: Floats) -> tuple[Floats, Floats]:
    """Start each trip within a kilometre of its vehicle's home, so that a vehicle stays in its own streets."""
    distinct = min(vehicle.size, fleet.vehicles)
    first = int(vehicle[0])
    head = min(distinct, fleet.vehicles - first)
    words = np.concatenate(
        [
            draw_words(fleet.seed, _HOMES, first=first, count=head, width=_HOME_WORDS),
            draw_words(fleet.seed, _HOMES, first=0, count=distinct - head, width=_HOME_WORDS),
        ]
    )[np.arange(vehicle.size) % fleet.vehicles]
    home = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    far_m = home[:, 0] * (1000 * fleet.spread_km)
    bearing = np.floor(home[:, 1] * HEADINGS).astype(np.int64)
    near_m, turn = 1000 * draws[:, 3], np.floor(draws[:, 4] * HEADINGS).astype(np.int64)
    return far_m * SINE[bearing] + near_m * SINE[turn], far_m * COSINE[bearing] + near_m * COSINE[turn]


def drive(trips: Trips, noise: NDArray[np.uint64]) -> Motion:
    """Drive the trips: positions are the sums of speed along heading, plus bounded GPS noise.

    Parameters
    ----------
    trips
        Trips of whole waves.
    noise
        A random word for each message in order of time; 48 bits of it are used.
    """
    ends = np.cumsum(trips.messages)
    trip = np.repeat(np.arange(trips.trip.size), trips.messages)
    step = np.arange(int(ends[-1])) - (ends - trips.messages)[trip]
    speed = _speeds(trips, trip, step)
    firsts = (ends - trips.messages)[trip]
    heading, yaw = _headings(trips, trip, speed, _sum_within(speed, firsts))
    east_um = _sum_within(np.rint(speed * SINE[heading] * 1000).astype(np.int64), firsts)
    north_um = _sum_within(np.rint(speed * COSINE[heading] * 1000).astype(np.int64), firsts)
    time_ms = trips.start_ms[trip] + step * TICK_MS
    order = np.argsort(time_ms, kind="stable")
    trip, east_m, north_m = trip[order], east_um[order] * 1e-6, north_um[order] * 1e-6
    lon_m, lat_m = metres_per_degree(trips.lat_deg)
    fine_lat = north_m + _noise_m(noise, 0)
    fine_lon = east_m + _noise_m(noise, 24)
    lat_e7 = np.rint((trips.lat_deg * 1e7)[trip] + fine_lat * (1e7 / lat_m)[trip]).astype(np.int64)
    lon_e7 = np.rint((trips.lon_deg * 1e7)[trip] + fine_lon * (1e7 / lon_m)[trip]).astype(np.int64)
    return Motion(
        trip=trip,
        step=step[order],
        time_ms=time_ms[order],
        lat_e7=lat_e7,
        lon_e7=(lon_e7 + 1_800_000_000) % 3_600_000_000 - 1_800_000_000,
        elevation_dm=_elevations(trips.east_m[trip] + east_m, trips.north_m[trip] + north_m),
        speed_cms=speed[order],
        heading=heading[order],
        yaw_cdegs=yaw[order],
    )


def _sum_within(values: Ints, firsts: Ints) -> Ints:
    """Integrate each trip on its own by the trapezoid rule, rounded down: 0 at its first message."""
    total = np.cumsum(values)
    twice = 2 * total - values
    return (twice - twice[firsts]) >> 1


def _speeds(trips: Trips, trip: Ints, step: Ints) -> Ints:
    """Speed in cm/s, a multiple of J2735's 2 cm/s: pull away, cruise, perhaps stop on the way, brake to rest.

    A third of the trips is recorded from the start, a third to the end, the others from or to mid-way.
    """
    u = trips.draws
    before = np.maximum(np.floor(u[:, 5] * 225) - 75, 0)
    after = np.maximum(np.floor(u[:, 6] * 225) - 75, 0) + trips.messages - 1
    gain, loss = 15 + 20 * u[:, 7], 15 + 20 * u[:, 8]
    cruise, wobble = _cruise(trips), 100 * u[:, 13]
    stop, wait = np.floor(u[:, 10] * 2 * trips.messages), 10 + 40 * u[:, 11]
    turns = np.floor(HEADINGS / (100 + 100 * u[:, 12])).astype(np.int64)
    pull = gain[trip] * (step + before[trip])
    brake = loss[trip] * (after[trip] - step)
    light = loss[trip] * np.maximum(np.abs(step - stop[trip]) - wait[trip], 0)
    steady = cruise[trip] + wobble[trip] * SINE[turns[trip] * step % HEADINGS]
    speed = np.minimum(np.minimum(pull, brake), np.minimum(light, steady))
    halves: Ints = np.rint(0.5 * speed).astype(np.int64)
    return halves * 2


def _headings(trips: Trips, trip: Ints, step_mm: Ints, path_mm: Ints) -> tuple[Ints, Ints]:
    """Heading (1/28800 turn) and yaw rate (0.01 deg/s) on a road that winds with distance: at rest nobody turns.

    A bend of up to 40 degrees takes 30-90 s at cruising speed, which keeps the sideways pull below 5 m/s2. The yaw
    rate is the derivative of the heading: curvature times speed.
    """
    u = trips.draws
    bend = HEADINGS / 9 * u[:, 14]
    wave_mm = 10 * _cruise(trips) * (30 + 60 * u[:, 15])
    begin = np.floor(HEADINGS * u[:, 17]).astype(np.int64)
    phase = begin[trip] + np.floor(path_mm * (HEADINGS / wave_mm)[trip]).astype(np.int64)
    phase %= HEADINGS
    straight = np.floor(HEADINGS * u[:, 16]).astype(np.int64)
    heading = (straight[trip] + np.rint(bend[trip] * SINE[phase]).astype(np.int64)) % HEADINGS
    curvature = bend * (100 * 360 / HEADINGS) * (2 * _PI) / wave_mm
    per_second = 1000 // TICK_MS
    return heading, np.rint(curvature[trip] * (step_mm * per_second) * COSINE[phase]).astype(np.int64)


def _cruise(trips: Trips) -> Floats:
    """Cruising speed of each trip, 8-30 m/s, in cm/s."""
    cruise: Floats = 800 + 2200 * trips.draws[:, 9]
    return cruise


def _noise_m(words: NDArray[np.uint64], shift: int) -> Floats:
    """Triangular noise in metres within +-NOISE_M, of 24 bits of each word."""
    one = (words >> np.uint64(shift) & np.uint64(_NOISE_STEPS)).astype(np.int64)
    other = (words >> np.uint64(shift + 12) & np.uint64(_NOISE_STEPS)).astype(np.int64)
    noise_m: Floats = (one - other).astype(np.float64) * (NOISE_M / _NOISE_STEPS)
    return noise_m


def _elevations(east_m: Floats, north_m: Floats) -> Ints:
    """Height in 0.1 m of rolling ground around 2,200 m: one landscape for all vehicles, slopes below 7 %."""
    across = np.floor(east_m * (HEADINGS / _TERRAIN_M)).astype(np.int64) % HEADINGS
    along = np.floor(north_m * (HEADINGS / _TERRAIN_M)).astype(np.int64) % HEADINGS
    return np.rint(22_000 + 400 * SINE[across] + 300 * SINE[along]).astype(np.int64)
