"""Cells: the runs of a study, each with a key of all that its result depends on."""

from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Final, NamedTuple

from cdpipe.config.file import ConfigError
from cdpipe.config.model import RunConfig, parse_config
from cdpipe.engine.cache.identity import key
from cdpipe.stages import STAGES
from cdpipe.stages.clean import NAME as CLEAN
from cdpipe.stages.gather.gather import VERSION as GATHER_VERSION
from cdpipe.studies.sweep.params import StudyParams, Table
from cdpipe.training.train import VERSION as TRAIN_VERSION
from cdpipe.training.train import TrainParams

VERSION: Final = 1
_NAMING: Final = frozenset({"name", "variants"})
_PACKAGES: Final = ("numpy", "scipy", "scikit-learn")
"""Whose version a fitted classifier can depend on."""

_ELSEWHERE: Final = frozenset({"seed", "train", "cache", "session", "output"})
"""Tables that clean messages do not depend on."""

AFTER_CLEAN: Final = tuple(stage for stage in STAGES[[stage.name for stage in STAGES].index(CLEAN) + 1 :])
"""Stages that differ between cells."""


class Cell(NamedTuple):
    """One run of a study.

    Attributes
    ----------
    key
        Of all that its result depends on: equal keys, equal results.
    shared, made
        Keys of what its messages are before the attack, and of its features.
    attack, variant, features
        Names, and the number of the attack's variant, from 1.
    seed, split, classifier
        Its values on the other axes.
    config
        Its configuration, which `cdpipe run` takes.
    """

    key: str
    shared: str
    made: str
    attack: str
    variant: int
    features: str
    seed: int
    split: str
    classifier: str
    config: RunConfig

    @property
    def train(self) -> TrainParams:
        """How it trains."""
        if self.config.train is None:
            raise ValueError(f"{self.label}: trains nothing")
        return self.config.train

    @property
    def label(self) -> str:
        """What a person calls it."""
        return f"{self.attack} {self.variant}, seed {self.seed}, {self.split}, {self.classifier}"


class Attack(NamedTuple):
    """One variant of an attack: its name, number, and table."""

    name: str
    variant: int
    table: Table


def list_cells(study: StudyParams, identities: Mapping[str, str]) -> list[Cell]:
    """Return the cells of a study.

    Parameters
    ----------
    study
        Its axes.
    identities
        By path, in order, what tells each input file apart from what it was or will be.

    Raises
    ------
    ConfigError
        Naming the cell whose configuration is none.
    """
    cells: list[Cell] = []
    packages = {name: metadata.version(name) for name in _PACKAGES}
    for attack in list_attacks(study):
        for features, table in list_features(study):
            for seed in study.seeds:
                for split in study.splits:
                    where = f"attack {attack.name}, variant {attack.variant}, features {features}, split {split}"
                    whole = parse_config(configure(study, attack.table, table, seed, split), source=where)
                    shared = _key_shared(whole, identities)
                    made = _key_made(whole, shared)
                    for classifier in study.classifiers:
                        axes = (attack.name, attack.variant, features, seed, split, classifier)
                        cell = Cell("", shared, made, *axes, _choose(whole, classifier))
                        given = {"train": [TRAIN_VERSION, cell.train.model_dump(mode="json")], "packages": packages}
                        cells.append(cell._replace(key=key("study cell", VERSION, given, made)))
    return cells


def list_attacks(study: StudyParams) -> Iterator[Attack]:
    """Give the variants of all attacks, in order; one that is named like another gets a number.

    Raises
    ------
    ConfigError
        If two attacks have one name.
    """
    names: set[str] = set()
    for given in study.attacks:
        name = str(given.get("name", given.get("kind", "?")))
        if name in names:
            raise ConfigError(f"[attacks]: {name!r} is there twice; give each a name of its own: name = …")
        names.add(name)
        common = {key: value for key, value in given.items() if key not in _NAMING}
        variants = given.get("variants", [{}])
        if not isinstance(variants, list) or not variants or not all(isinstance(each, dict) for each in variants):
            raise ConfigError(f"[attacks]: variants of {name!r} must be a list of tables: variants = [{{…}}, …]")
        for number, variant in enumerate(variants, 1):
            yield Attack(name, number, {**common, **variant})


def list_features(study: StudyParams) -> Iterator[tuple[str, Table | None]]:
    """Give the sets of features by name; the one of `base` is called so."""
    if not study.features:
        yield "base", None
    for number, given in enumerate(study.features, 1):
        table = {key: value for key, value in given.items() if key not in _NAMING}
        yield str(given.get("name", number)), table


def configure(study: StudyParams, attack: Table, features: Table | None, seed: int, split: str) -> Table:
    """Return the tables of a cell's configuration, all classifiers in it."""
    base = study.base if isinstance(study.base, dict) else {}
    train = base.get("train")
    return {
        **base,
        "seed": seed,
        "attack": {**(base.get("attack") or {}), **attack},
        **({} if features is None else {"features": {**(base.get("features") or {}), **features}}),
        "train": {**(train or {}), "split": split, "classifiers": list(study.classifiers)},
    }


def _choose(config: RunConfig, classifier: str) -> RunConfig:
    """Return a configuration with one of its classifiers."""
    train = config.train and config.train.model_copy(update={"classifiers": (classifier,)})
    return config.model_copy(update={"train": train})


def _key_shared(config: RunConfig, identities: Mapping[str, str]) -> str:
    """Return the key of the messages before the attack: of the input, and of how it is read and cleaned."""
    after = {stage.name for stage in AFTER_CLEAN}
    said = config.model_dump(mode="json", exclude={*_ELSEWHERE, *after})
    said["input"] = {name: value for name, value in said["input"].items() if name not in ("paths", "identity")}
    said["gather"] = {name: value for name, value in said["gather"].items() if name != "block_mb"}
    versions = {"gather": GATHER_VERSION, **{stage.name: stage.version for stage in STAGES if stage.name == CLEAN}}
    given = {"files": list(identities.values()), "versions": versions, **said}
    return key("study messages", VERSION, given, "")


def _key_made(config: RunConfig, shared: str) -> str:
    """Return the key of a cell's features."""
    stages = {stage.name: [stage.version, getattr(config, stage.name).model_dump(mode="json")] for stage in AFTER_CLEAN}
    return key("study features", VERSION, stages, shared)
