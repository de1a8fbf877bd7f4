"""A commented configuration that shows every key with its default, written from the parameters themselves."""

from typing import Any, Final, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cdpipe.config.model import RunConfig
from cdpipe.config.toml_text import show_value
from cdpipe.stages import STAGES
from cdpipe.stages.attacks import ATTACKS, KINDS, SEQUENCES, AttackParams, Mix

_ATTACKS: Final[tuple[type[AttackParams], ...]] = (*ATTACKS, *SEQUENCES, Mix)
_SAMPLES: Final[dict[str, str]] = {
    "paths": '["bsm.csv"]',
    "centre": "{ latitude = 41.5430216, longitude = -106.0831353 }",
    "latitude": "41.5430216",
    "longitude": "-106.0831353",
    "radius_m": "20000.0",
    "south": "41.0",
    "north": "42.0",
    "west": "-107.0",
    "east": "-105.0",
    "first": "2019-07-01",
    "last": "2019-07-31",
    "sample_rows": "1000000",
    "centres": "[{ latitude = 41.54, longitude = -106.08, radius_m = 2000 }, "
    "{ latitude = 41.15, longitude = -104.66, radius_m = 2000 }]",
}
"""Values for keys that have no default, so that the lines can be uncommented as they stand."""


def example_config() -> str:
    """Return a configuration in TOML: what must be set is set, all else is there as a comment with its default."""
    lines = [
        "# A run of cdpipe. Keys that are commented out show their defaults, or after 'unset' an example.",
        "",
        *_entries(RunConfig, ""),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _entries(model: Any, path: str) -> list[str]:  # noqa: ANN401 - a pydantic model class
    """Return a table's keys, then its sub-tables."""
    keys: list[str] = []
    tables: list[str] = []
    for name in _in_order(list(model.model_fields)):
        field = model.model_fields[name]
        below = f"{path}.{name}".lstrip(".")
        if name == "attack":
            tables += _attacks(below)
        elif (inner := _model_of(field)) is not None and name != "centre":
            head = f"# [{below}]" if field.default is None else f"[{below}]"
            tables += ["", *_comment(inner.__doc__), head, *_entries(inner, below)]
        else:
            keys.append(_line(name, field, off=path.startswith("clean.filters.")))
    return [*keys, *tables]


def _in_order(names: list[str]) -> list[str]:
    """Put the stages' tables where messages go through them, before training."""
    stages = [stage.name for stage in STAGES if stage.name in names]
    others = [name for name in names if name not in stages]
    before = others.index("train") if stages else 0
    return [*others[:before], *stages, *others[before:]]


def _attacks(path: str) -> list[str]:
    """Return the attack table with the keys of every kind."""
    lines = ["", "# Which vehicles' messages claim false positions, and how.", f"[{path}]"]
    kinds = " | ".join(kind.model_fields["kind"].default for kind in KINDS)
    lines.append(f'# kind = "offset_rand"  # {kinds}')
    seen: set[str] = {"kind"}
    for kind in KINDS:
        for name, field in kind.model_fields.items():
            if name not in seen:
                seen.add(name)
                lines.append(_line(name, field, note=_users(name, field)))
    return lines


def _users(name: str, field: FieldInfo) -> str:
    """Say which kinds of attack take a key, unless all do, and which of them have another default."""
    users = [each for each in _ATTACKS if name in each.model_fields]
    if len(users) == len(_ATTACKS):
        return ""
    others = [(each, _default(each.model_fields[name])) for each in users]
    named = (f"{_kind(each)}: {value}" if value != _default(field) else _kind(each) for each, value in others)
    return f" ({', '.join(named)})"


def _kind(attack: Any) -> str:  # noqa: ANN401
    return str(attack.model_fields["kind"].default)


def _line(name: str, field: FieldInfo, *, off: bool = False, note: str = "") -> str:
    required = field.is_required()
    sample = field.default is None and name in _SAMPLES
    value = _SAMPLES[name] if required or sample else _toml(_default(field))
    mark, unset = "" if required and not off else "# ", "unset; " if sample else ""
    return f"{mark}{name} = {value}  # {unset}{field.description}{note}".replace(";  # ", "; ")


def _default(field: FieldInfo) -> Any:  # noqa: ANN401
    return field.get_default(call_default_factory=True, validated_data={})


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    if get_origin(field.annotation) is tuple:  # a list of tables is a value
        return None
    choices = (field.annotation, *getattr(field.annotation, "__args__", ()))
    return next((each for each in choices if isinstance(each, type) and issubclass(each, BaseModel)), None)


def _comment(text: str | None) -> list[str]:
    first, _, _rest = (text or "").strip().splitlines()[0].partition(". ")
    return [f"# {first.rstrip('.')}."]


def _toml(value: Any) -> str:  # noqa: ANN401
    return "…  # unset;" if value is None else show_value(value)
