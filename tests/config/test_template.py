import re
import tomllib
from typing import get_args, get_origin

import pytest
from pydantic import BaseModel

from cdpipe.config.model import RunConfig, parse_config
from cdpipe.config.template import example_config
from cdpipe.stages.attacks import ATTACKS as POSITIONS
from cdpipe.stages.attacks import SEQUENCES, Mix

TEXT = example_config()
DEFAULT = parse_config({"input": {"paths": ["bsm.csv"]}})
ENTRY = re.compile(r"# (\w+) = (\S.*?)  # ")
USERS = r"\(((?:\w+(?:: [\d.]+)?(?:, )?)+)\)$"
ATTACKS = (*POSITIONS, *SEQUENCES)
KINDS = [kind.model_fields["kind"].default for kind in ATTACKS]


def uncommented(kind="offset_rand", *, filters=False):
    """The example with its default lines uncommented, those of other kinds of attack and unset keys left."""
    lines, table = [], ""
    for line in TEXT.splitlines():
        head = re.fullmatch(r"(# )?\[([\w.]+)\]", line)
        table = head[2] if head else table
        optional = table.startswith("clean.filters.")
        labels = table == "labels"
        users = re.search(USERS, line) if table == "attack" else None
        others = users is not None and not re.search(rf"\b{kind}\b", users[1])
        sample = "  # unset; " in line and not optional
        is_on = not others and not labels and not sample and "= …" not in line and (filters or not optional)
        lines.append(line.removeprefix("# ") if is_on and (head or ENTRY.match(line)) else line)
    return "\n".join(lines)


def models(model, path=""):
    """Every table of the configuration with the model behind it."""
    yield path, model
    for name, field in model.model_fields.items():
        choices = () if get_origin(field.annotation) is tuple else (field.annotation, *get_args(field.annotation))
        for choice in choices:
            if isinstance(choice, type) and issubclass(choice, BaseModel):
                yield from models(choice, f"{path}.{name}".lstrip("."))


def written():
    """(table, key) of every line of the example that sets or shows one."""
    table = ""
    for line in TEXT.splitlines():
        head = re.fullmatch(r"(?:# )?\[([\w.]+)\]", line)
        entry = re.match(r"(?:# )?(\w+) = ", line)
        table = head[1] if head else table
        if entry:
            yield table, entry[1]


def test_it_parses_as_it_stands_to_the_defaults():
    assert parse_config(tomllib.loads(TEXT)) == DEFAULT


def test_it_gives_the_defaults_when_every_default_line_is_uncommented():
    given = tomllib.loads(uncommented())
    assert sum(len(table) for table in given.values() if isinstance(table, dict)) > 30
    assert parse_config(given) == DEFAULT


def test_every_key_of_every_table_is_in_it():
    shown = set(written())
    inner = {"attack.centre", "clean.centre"}
    for path, model in models(RunConfig):
        if path in inner or path.startswith("attack"):
            continue
        for name, field in model.model_fields.items():
            below = f"{path}.{name}".lstrip(".")
            is_table = any(other == below for other, _ in models(RunConfig)) and below not in inner
            assert (path, name) in shown or (is_table and f"[{below}]" in TEXT), below
            assert is_table or field.description, below
    for kind in ATTACKS:
        assert {("attack", name) for name in kind.model_fields} <= shown


def test_nothing_is_in_it_twice_or_that_no_model_has():
    shown = list(written())
    assert len(set(shown)) == len(shown)
    known = {(path, name) for path, model in models(RunConfig) for name in model.model_fields}
    known |= {("attack", name) for kind in (*ATTACKS, Mix) for name in kind.model_fields}
    assert set(shown) <= known


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_attack_says_which_keys_it_takes_and_their_defaults(kind):
    config = parse_config(
        {
            "input": {"paths": ["bsm.csv"]},
            "clean": {"centre": {"latitude": 1, "longitude": 2}},
            "attack": {"kind": kind},
        }
    )
    table = TEXT.partition("[attack]\n")[2].partition("\n\n")[0].splitlines()
    shown = {ENTRY.match(line)[1]: line for line in table}
    for name in set(type(config.attack).model_fields) - {"kind", "centre", "test_ratio", "sides"}:
        users = re.search(USERS, shown[name])
        assert users is None or kind in users[1]
        own = re.search(rf"\b{kind}: ([\d.]+)", shown[name])
        value = getattr(config.attack, name)
        assert (str(value).lower() if isinstance(value, bool) else str(value)) == (
            own[1] if own else ENTRY.match(shown[name])[2].strip('"')
        ), name
    for name in set(shown) - set(type(config.attack).model_fields):
        assert not re.search(rf"\b{kind}\b", re.search(USERS, shown[name])[1]), name


def test_filters_can_be_uncommented_as_they_stand():
    config = parse_config(tomllib.loads(uncommented(filters=True)))
    assert None not in (config.clean.filters.within, config.clean.filters.bbox, config.clean.filters.dates)


def test_the_centre_can_be_uncommented_and_every_kind_then_works():
    text = TEXT.replace("# centre = ", "centre = ")
    for kind in KINDS:
        assert (
            parse_config(tomllib.loads(text.replace('# kind = "offset_rand"', f'kind = "{kind}"'))).attack.kind == kind
        )


def test_every_table_begins_with_a_sentence_and_every_key_has_a_comment():
    lines = TEXT.splitlines()
    tables = [index for index, line in enumerate(lines) if re.fullmatch(r"(# )?\[[\w.]+\]", line)]
    keys = [line for line in lines if re.match(r"(# )?\w+ = ", line)]
    assert len(tables) > 5
    assert len(keys) > 30
    for index in tables:
        assert re.fullmatch(r"# .*\.", lines[index - 1]), lines[index]
    for line in keys:
        assert "  # " in line, line
