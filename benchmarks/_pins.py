"""Exact versions: `constraints.txt` for development, `matrix.req` of `asv.conf.json` for asv's environments.

Both follow from the requirements in `pyproject.toml` and the versions installed here. `python -m benchmarks pins`
writes them anew after an upgrade; a test holds them against each other. They hold for every Python that cdpipe
supports: the oldest requires the most, so conditions on Python's version are judged as it would.
"""

import json
import tomllib
from collections.abc import Collection, Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parents[1]
MEASURING: Final = frozenset({"asv"})
"""What measures, and so is not of the environment that is measured."""

ASV_OWN: Final = {"pip+asv_runner": "asv-runner", "pip+build": "build", "pip+pympler": "pympler"}
"""What asv installs into its environments by itself, under the keys that replace its choice of version."""

HEADER: Final = "# Exact versions of the whole development environment, written by `python -m benchmarks pins`.\n"


ON_DEMAND: Final = ("peers", "fuzz")
"""The extras that only `make` of their names installs."""

FAST: Final = "fast"
"""The extra that nothing here installs, so that there is no version of it to pin."""


def pin_development() -> dict[str, str]:
    """Return name and installed version of all that developing, testing and asv need."""
    project = read_project()
    groups = project["optional-dependencies"].items()
    extras = [each for extra, group in groups if extra not in (*ON_DEMAND, FAST) for each in group]
    wanted = [*project["dependencies"], *extras, *ASV_OWN.values()]
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
    """Return asv's requirement matrix: all that cdpipe needs to run, leaves first, and what asv adds."""
    own = {key: distribution(name).version for key, name in ASV_OWN.items()}
    return close(read_project()["dependencies"], without=MEASURING) | own


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


def write() -> None:
    """Write both files from what is installed."""
    pins = pin_development()
    for extra in ON_DEMAND:
        pins |= pin_on_demand(extra)
    lines = [f"{name}=={version}\n" for name, version in sorted(pins.items())]
    (HERE / "constraints.txt").write_text(HEADER + "".join(lines), encoding="utf-8")
    path = HERE / "asv.conf.json"
    conf = json.loads(path.read_text(encoding="utf-8"))
    conf["matrix"]["req"] = pin_runtime()
    path.write_text(json.dumps(conf, indent=2) + "\n", encoding="utf-8")
