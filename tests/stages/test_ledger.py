import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.stages.ledger import Ledger, add_ledgers

REASONS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 50), max_size=3)


@st.composite
def ledgers(draw):
    dropped, out = draw(REASONS), draw(st.integers(0, 99))
    return Ledger("clean", out + sum(dropped.values()), out, dropped, draw(REASONS))


@given(parts=st.lists(ledgers(), min_size=1, max_size=6))
def test_the_account_of_partitions_is_the_sum_of_each_count(parts):
    whole = add_ledgers(iter(parts))
    assert whole.rows_in == sum(part.rows_in for part in parts)
    assert whole.rows_out == sum(part.rows_out for part in parts)
    assert Counter(whole.dropped) == sum((Counter(part.dropped) for part in parts), Counter())
    assert Counter(whole.notes) == sum((Counter(part.notes) for part in parts), Counter())
    assert Ledger(**json.loads(json.dumps(whole.as_dict()))).as_dict() == whole.as_dict()


@pytest.mark.parametrize(("rows_in", "lost"), [(9, "-1"), (11, "1")])
def test_an_account_that_does_not_balance_is_refused(rows_in, lost):
    with pytest.raises(ValueError, match=rf"'clean' does not balance: {rows_in} rows in.*, {lost} unaccounted"):
        Ledger("clean", rows_in, 7, {"null": 3})


def test_accounts_of_different_stages_or_of_none_are_not_added():
    with pytest.raises(ValueError, match=r"\['attack', 'clean'\]"):
        add_ledgers([Ledger("clean", 0, 0), Ledger("attack", 0, 0)])
    with pytest.raises(ValueError, match="none"):
        add_ledgers([])
