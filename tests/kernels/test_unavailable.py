import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import load_plain

from cdpipe.kernels import unavailable

PLAIN = load_plain("unavailable")
VALUES = st.one_of(st.sampled_from([1.5, -409.6, 163.82, np.inf, -np.inf, np.nan, -0.0]), st.floats())
MODULES = pytest.mark.parametrize("module", [unavailable, PLAIN], ids=["compiled", "plain"])


@MODULES
@given(st.lists(VALUES, max_size=70), st.lists(st.sampled_from([1.5, -409.6, 163.82, 7.0]), max_size=4))
def test_codes_and_infinite_numbers_become_null_and_the_rest_keeps_every_bit(module, values, codes):
    given_values = np.array(values, np.float64)
    given_values.flags.writeable = False
    out = np.zeros(len(values))
    infinite = module.settle_floats(given_values, unavailable=codes, out=out)
    expected = [np.nan if np.isinf(each) or each in codes else each for each in values]
    np.testing.assert_array_equal(np.isnan(out), np.isnan(expected))
    kept = ~np.isnan(out)
    assert out[kept].tobytes() == np.array(expected)[kept].tobytes()
    assert infinite is bool(np.isinf(given_values).any())


@MODULES
@given(st.lists(VALUES, max_size=70), st.lists(st.sampled_from([1.5, -409.6, 163.82, 7.0]), max_size=4))
def test_a_column_is_settled_if_settling_changes_nothing(module, values, codes):
    given_values, out = np.array(values, np.float64), np.zeros(len(values))
    module.settle_floats(given_values, unavailable=codes, out=out)
    same = np.array_equal(given_values, out, equal_nan=True)
    assert module.is_settled(given_values, unavailable=codes) is same
    assert module.is_settled(out, unavailable=codes)


@MODULES
def test_room_of_another_size_is_refused(module):
    with pytest.raises(ValueError, match="2 numbers cannot be put in 3 rows"):
        module.settle_floats([1.0, 2.0], unavailable=(), out=np.empty(3))
