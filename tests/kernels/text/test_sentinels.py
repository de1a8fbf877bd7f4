import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import load_plain

from cdpipe.kernels.text import sentinels as unavailable

PLAIN = load_plain("text.sentinels")
SPECIAL = [1.5, -409.6, 163.82, np.inf, -np.inf, np.nan, -0.0, 7.0, np.nextafter(7.0, 0)]
VALUES = st.lists(st.one_of(st.sampled_from(SPECIAL), st.floats()), max_size=70)
CODES = st.lists(st.sampled_from([1.5, -409.6, 163.82, 7.0]), max_size=2)
LIMITS = st.sampled_from([(-np.inf, np.inf), (-409.6, 7.0), (0.0, 163.82)])
MODULES = pytest.mark.parametrize("module", [unavailable, PLAIN], ids=["compiled", "plain"])


def is_possible(value, limits):
    return limits[0] < value < limits[1]


@MODULES
@given(VALUES, CODES, LIMITS)
def test_unfit_numbers_become_null_and_the_rest_keeps_every_bit(module, values, codes, limits):
    given_values = np.array(values, np.float64)
    given_values.flags.writeable = False
    out = np.zeros(len(values))
    unfit = module.settle_floats(given_values, unavailable=codes, limits=limits, out=out)
    fit = [not np.isinf(each) and each not in codes and is_possible(each, limits) for each in values]
    expected = [each if good else np.nan for each, good in zip(values, fit, strict=True)]
    np.testing.assert_array_equal(np.isnan(out), np.isnan(expected))
    kept = ~np.isnan(out)
    assert out[kept].tobytes() == np.array(expected)[kept].tobytes()
    finite = [each for each in values if np.isfinite(each)]
    assert unfit.infinite == np.isinf(given_values).sum()
    assert unfit.impossible == sum(not is_possible(each, limits) for each in finite if each not in codes)


@MODULES
@given(VALUES, CODES, LIMITS)
def test_a_column_is_settled_if_settling_changes_nothing(module, values, codes, limits):
    given_values, out = np.array(values, np.float64), np.zeros(len(values))
    module.settle_floats(given_values, unavailable=codes, limits=limits, out=out)
    same = np.array_equal(given_values, out, equal_nan=True)
    assert module.is_settled(given_values, unavailable=codes, limits=limits) is same
    assert module.is_settled(out, unavailable=codes, limits=limits)


@MODULES
def test_room_of_another_size_is_refused(module):
    with pytest.raises(ValueError, match="2 numbers cannot be put in 3 rows"):
        module.settle_floats([1.0, 2.0], unavailable=(), out=np.empty(3))


@MODULES
def test_more_codes_than_the_kernel_looks_for_are_refused(module):
    with pytest.raises(ValueError, match="3 codes"):
        module.is_settled([1.0], unavailable=(1.0, 2.0, 3.0))
