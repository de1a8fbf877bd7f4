"""The published site without a network: asv's pages load their scripts from a copy beside them.

asv's `index.html` names each script by an address elsewhere and the digest of its content. Where a vendored file has
that digest, or is known to do the same, the address is replaced by the file's. Pages of a later asv that load something
else keep what they load.
"""

import base64
import hashlib
import re
import shutil
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

FOLDER: Final = "vendor"
ALTERNATIVES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "flot/0.8.3/jquery.flot.min.js": "jquery.flot.js",
        "flot/0.8.3/jquery.flot.time.min.js": "jquery.flot.time.js",
        "flot/0.8.3/jquery.flot.selection.min.js": "jquery.flot.selection.js",
        "flot/0.8.3/jquery.flot.categories.min.js": "jquery.flot.categories.js",
        "stupidtable/1.0.1/stupidtable.min.js": "stupidtable.min.js",
    }
)
"""By the end of an address, the vendored file that does the same; see `vendor/README.md`."""

_ELSEWHERE: Final = re.compile(
    r'<(?P<tag>script|link)(?P<before>[^>]*?)\s(?P<name>src|href)="(?P<address>https://[^"]+)"'
    r'\s+integrity="(?P<integrity>[^"]+)"(?P<after>[^>]*)>'
)
_OF_ELSEWHERE: Final = re.compile(r'\s*(?:crossorigin|referrerpolicy)="[^"]*"')


class Resource(NamedTuple):
    """What a page loads from elsewhere: its address, and the digest of its content as the page states it."""

    address: str
    integrity: str


def list_resources(page: str) -> list[Resource]:
    """Return what an HTML page loads from elsewhere by digest, in order."""
    return [Resource(match["address"], match["integrity"]) for match in _ELSEWHERE.finditer(page)]


def digest_content(content: bytes, kind: str) -> str:
    """Return a digest as pages state it: `sha256-` and base64."""
    return f"{kind}-{base64.b64encode(hashlib.new(kind, content).digest()).decode()}"


def find_vendored(resource: Resource) -> str | None:
    """Return the vendored file that a page can load instead; None if there is none."""
    kind = resource.integrity.partition("-")[0]
    for path in files(__package__).joinpath(FOLDER).iterdir() if kind in hashlib.algorithms_guaranteed else ():
        if path.is_file() and digest_content(path.read_bytes(), kind) == resource.integrity:
            return path.name
    return next((file for end, file in ALTERNATIVES.items() if resource.address.endswith(end)), None)


def serve_locally(html_dir: Path) -> list[str]:
    """Have a published site load nothing from elsewhere, as far as there is a copy.

    Parameters
    ----------
    html_dir
        The site, whose `index.html` is rewritten; once only, as it then names nothing that is elsewhere.

    Returns
    -------
    list of str
        Addresses without a copy.

    Raises
    ------
    OSError
        If the site cannot be read or written.
    """
    index = html_dir / "index.html"
    page, missing = index.read_text(encoding="utf-8"), []

    def replace(match: re.Match[str]) -> str:
        file = find_vendored(Resource(match["address"], match["integrity"]))
        if file is None:
            missing.append(match["address"])
            return match[0]
        content = files(__package__).joinpath(FOLDER, file).read_bytes()
        integrity = digest_content(content, match["integrity"].partition("-")[0])
        after = _OF_ELSEWHERE.sub("", match["after"])
        return f'<{match["tag"]}{match["before"]} {match["name"]}="{FOLDER}/{file}" integrity="{integrity}"{after}>'

    local = _ELSEWHERE.sub(replace, page)
    if local != page:
        with as_file(files(__package__).joinpath(FOLDER)) as folder:
            shutil.copytree(folder, html_dir / FOLDER, dirs_exist_ok=True)
        index.write_text(local, encoding="utf-8")
    return missing
