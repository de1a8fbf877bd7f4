"""A commented study, whose keys, defaults and words are those of the parameters."""

from cdpipe.config.toml_text import show_value
from cdpipe.studies.sweep.params import StudyParams

_TABLES = """
# base: {base}
[base.input]
paths = ["bsm.csv"]

# attacks: {attacks}
[[attacks]]
kind = "offset_rand"
variants = [{{ min_m = 10, max_m = 20 }}, {{ min_m = 50, max_m = 100 }}, {{ min_m = 100, max_m = 200 }}]

[[attacks]]
kind = "swap_rand"
variants = [{{ ratio = 0.1 }}, {{ ratio = 0.3 }}]

# features: {features}
# [[features]]
# name = "positions"
# columns = ["x_pos", "y_pos"]
"""


def example_study() -> str:
    """Return a study in TOML: what must be set is set, all else is there as a comment with its default."""
    fields = StudyParams.model_fields
    lines = ["# A study of cdpipe: every combination of attack, seed, split and classifier is a run, a cell."]
    lines += ["# Keys that are commented out show their defaults.", ""]
    for name in ("directory", "seeds", "splits", "classifiers", "transfer"):
        lines.append(f"# {name} = {show_value(fields[name].default)}  # {fields[name].description}")
    said = {name: fields[name].description for name in ("base", "attacks", "features")}
    return "\n".join(lines) + "\n" + _TABLES.format(**said)
