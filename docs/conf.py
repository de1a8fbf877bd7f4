"""Sphinx: the documentation site, built by `make docs`, with warnings as errors."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from reference import write_reference  # noqa: E402 - it stands beside this file

project = "cdpipe"
author = "The cdpipe developers"
copyright = "The cdpipe developers, BSD-3-Clause"  # noqa: A001 - Sphinx's name
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "cdpipe"
html_static_path = ["pictures"]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
napoleon_numpy_docstring = True
napoleon_use_rtype = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
nitpicky = False
suppress_warnings = ["myst.header"]
copybutton_prompt_text = "$ "

write_reference(HERE / "configuration.md")
