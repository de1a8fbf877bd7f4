"""Stages with their parameters as keywords, held against parameters given as such."""

import pandas as pd
import pytest

from cdpipe import attack, clean, features
from cdpipe.stages.attacks import KINDS, OffsetRand
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.features import FeatureParams
from cdpipe.synthetic.generator import SynthParams, synthesize_frame

NEEDS = {"override_const": {"centre": {"latitude": 41.5, "longitude": -106.1}}}
NEEDS["override_rand"] = NEEDS["override_const"]


@pytest.fixture(scope="module")
def cleaned():
    return clean(synthesize_frame(SynthParams(rows=400, vehicles=10)))[0]


def test_keys_are_the_parameters(cleaned):
    within = {"within": {"latitude": 41.5, "longitude": -106.1, "radius_m": 9_000}}
    frame = synthesize_frame(SynthParams(rows=400, vehicles=10))
    for given, params, stage, start in (
        ({"filters": within}, CleanParams(filters=within), clean, frame),
        ({"ratio": 0.5, "min_m": 1, "max_m": 2}, OffsetRand(ratio=0.5, min_m=1, max_m=2), attack, cleaned),
        ({"columns": ["x_pos"]}, FeatureParams(columns=("x_pos",)), features, attack(cleaned)[0]),
    ):
        made, ledger = stage(start, **given)
        expected, account = stage(start, params)
        pd.testing.assert_frame_equal(made, expected)
        assert ledger == account


@pytest.mark.parametrize("kind", [each.model_fields["kind"].default for each in KINDS])
def test_every_kind_of_attack_is_known_by_its_name(cleaned, kind):
    if kind == "given":
        cleaned = cleaned.assign(given_isAttacker=0)
    made, ledger = attack(cleaned, kind, **NEEDS.get(kind, {}))
    assert {"isAttacker", "isFalse"} <= set(made.columns)
    assert ledger.stage == "attack"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda frame: attack(frame, "offset_random"), "kind = 'offset_random': did you mean 'offset_rand'?"),
        (lambda frame: attack(frame, "swap_rand", ratoi=1), "ratoi: unknown key; did you mean 'ratio'?"),
        (lambda frame: attack(frame, "swap_rand", ratio=2), "ratio: Input should be less than or equal to 1"),
        (lambda frame: attack(frame, OffsetRand(), ratio=1), "ratio: beside parameters; give the one or the other"),
        (lambda frame: attack(frame, "offset_rand", min_m=300), "set max_m to 300 or more"),
        (lambda frame: clean(frame, filter={}), "filter: unknown key; did you mean 'filters'?"),
    ],
)
def test_what_is_wrong_is_named_with_the_way_out(cleaned, call, said):
    with pytest.raises(ValueError, match=r".") as raised:
        call(cleaned)
    assert said in str(raised.value)
