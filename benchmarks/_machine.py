"""The machine as asv knows it: registered once, by what stays as it is.

asv keys its graphs by all that it knows of a machine, and asks anew each time: after a new kernel all series would end.
"""

import re
from typing import Final

_NOISE: Final = re.compile(r"\((?:R|TM|C)\)|\b(?:CPU|Processor|\d+-Core)\b|@.*$", re.IGNORECASE)


def register(name: str = "") -> str:
    """Register this machine, unless it is known, and return its name; without one it is the host's.

    Raises
    ------
    OSError
        If `~/.asv-machine.json` cannot be written.
    """
    from asv.machine import Machine, MachineCollection

    name = name or Machine.get_unique_machine_name()
    found = Machine.get_defaults()
    if not found.keys() <= find(name).keys():
        MachineCollection.save(name, tidy(found | {"machine": name}))
    return name


def find(name: str) -> dict[str, str]:
    """Return what asv knows of a machine here; nothing if it does not know it."""
    from asv.machine import MachineCollection
    from asv.util import UserError

    try:
        known = MachineCollection.load(name)
    except UserError:  # there is no such machine, or no file yet
        return {}
    return dict(known) if known.get("machine") == name else {}  # asv takes the only one it knows for any


def tidy(machine: dict[str, str]) -> dict[str, str]:
    """Return a machine without what changes, or is long: its kernel's release, trade marks of its processor."""
    return machine | {"os": machine["os"].partition(" ")[0], "cpu": shorten(machine["cpu"])}


def shorten(cpu: str) -> str:
    """Return a processor's name without trade marks and clock rate: it is part of each path of the site."""
    return " ".join(_NOISE.sub(" ", cpu).split()) or "unknown"
