"""Exact versions: `constraints.txt`, for development and for asv's environments alike.

They follow from the requirements in `pyproject.toml` and the versions installed here. `python -m benchmarks pins`
writes them anew after an upgrade; a test holds them against each other. They hold for every Python that cdpipe
supports: the oldest requires the most, so conditions on Python's version are judged as it would.

asv's matrix has a digest of those versions that a measurement rests on: after an upgrade of one asv makes a new
environment, and starts a new series. What only checks or formats the code is not in the digest.
"""

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parents[1]
MEASURING: Final = frozenset({"asv"})
"""What measures, and so does not change what is measured."""

ASV_OWN: Final = ("asv-runner", "build", "pympler")
"""What asv installs into its environments by itself, unpinned; `install_command` names it, so that it is pinned too."""

MATRIX_KEY: Final = "PINS"
"""The one key of asv's matrix: an environment variable that nothing reads."""

HEADER: Final = "# Exact versions of the whole development environment, written by `python -m benchmarks pins`.\n"


ON_DEMAND: Final = ("docs", "fuzz", "notebook", "peers")
"""The extras that only `make` of their names installs."""

FAST: Final = "fast"
"""The extra that nothing here installs, so that there is no version of it to pin."""


def pin_development() -> dict[str, str]:
    """Return name and installed version of all that developing, testing and asv need."""
    project = read_project()
    groups = project["optional-dependencies"].items()
    extras = [each for extra, group in groups if extra not in (*ON_DEMAND, FAST) for each in group]
    wanted = [*project["dependencies"], *extras, *ASV_OWN]
    return dict(sorted(close(each for each in wanted if not each.startswith(project["name"])).items()))


def pin_on_demand(extra: str) -> dict[str, str]:
    """Return name and installed version of what only an extra of `ON_DEMAND` needs.

    Raises
    ------
    ValueError
        If it is not installed.
    """
    wanted = read_project()["optional-dependencies"][extra]
    try:
        pins = close(wanted)
    except PackageNotFoundError as error:
        raise ValueError(
            f"{error.name} is not installed, so it cannot be pinned; run pip install -e '.[{extra}]'"
        ) from None
    shared = pin_development()
    return {name: version for name, version in sorted(pins.items()) if name not in shared}


def pin_runtime() -> dict[str, str]:
    """Return name and installed version of all that cdpipe needs to run, on a cluster too, leaves first."""
    project = read_project()
    return close([*project["dependencies"], *project["optional-dependencies"]["cluster"]], without=MEASURING)


def digest(pins: Mapping[str, str]) -> str:
    """Return eight hexadecimal digits that stand for names and versions, in whatever order they come."""
    lines = "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:8]


def close(requirements: Iterable[str], *, without: Collection[str] = ()) -> dict[str, str]:
    """Return installed versions of requirements and of all that they require, each after what it requires."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    oldest = read_project()["requires-python"].removeprefix(">=")
    python = {"python_version": oldest, "python_full_version": f"{oldest}.0"}

    def visit(text: str, extras: Collection[str]) -> None:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        if name in without or (marker and not any(marker.evaluate(python | {"extra": each}) for each in (*extras, ""))):
            return
        key = (name, frozenset(requirement.extras))
        if key not in seen:
            seen.add(key)
            found = distribution(name)
            for each in found.requires or ():
                visit(each, requirement.extras)
            pins.setdefault(name, found.version)

    for each in requirements:
        visit(each, ())
    return pins


def read_project() -> dict[str, Any]:
    """Return the project table of `pyproject.toml`."""
    return tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read_constraints() -> dict[str, str]:
    """Return name and version of all that `constraints.txt` pins."""
    lines = (HERE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def write() -> None:
    """Write `constraints.txt` from what is installed, and its digest into `asv.conf.json`."""
    pins = pin_development()
    for extra in ON_DEMAND:
        pins |= pin_on_demand(extra)
    lines = [f"{name}=={version}\n" for name, version in sorted(pins.items())]
    (HERE / "constraints.txt").write_text(HEADER + "".join(lines), encoding="utf-8")
    path = HERE / "asv.conf.json"
    conf = json.loads(path.read_text(encoding="utf-8"))
    conf["matrix"] = {"env": {MATRIX_KEY: digest(pin_runtime())}}
    path.write_text(json.dumps(conf, indent=2) + "\n", encoding="utf-8")
