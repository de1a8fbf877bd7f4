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
    from asv.util import UserError

    name = name or Machine.get_unique_machine_name()
    try:
        known = MachineCollection.load(name)
    except UserError:  # there is no such machine, or no file yet
        known = {}
    found = Machine.get_defaults()
    if known.get("machine") != name or not found.keys() <= known.keys():
        tidy = {"machine": name, "os": found["os"].split()[0], "cpu": shorten(found["cpu"])}
        MachineCollection.save(name, found | tidy)
    return name


def shorten(cpu: str) -> str:
    """Return a processor's name without trade marks and clock rate: it is part of each path of the site."""
    return " ".join(_NOISE.sub(" ", cpu).split()) or "unknown"
