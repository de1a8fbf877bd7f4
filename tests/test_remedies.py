import pytest

from cdpipe.remedies import explain_nothing
from cdpipe.stages.ledger import Ledger

FILTERS = {"outside the radius": "within", "outside the dates": "dates"}


@pytest.mark.parametrize(
    ("gathered", "cleaned", "said"),
    [
        (
            {"not JSON": 10},
            {},
            "(gather dropped 10: not JSON); see failed-run/rejects.jsonl, and whether the files are what their",
        ),
        ({"not JSON": 2}, {"outside the radius": 8}, "loosen clean.filters.within"),
        ({}, {"outside the radius": 4, "outside the dates": 6}, "loosen clean.filters.dates"),
        ({}, {"null in coreData_speed": 10}, "take coreData_speed out of clean.required, or name inputs that have it"),
        ({}, {"no position": 10}, "name inputs that have positions, and see clean.position and input.units"),
        ({}, {"position out of range": 10}, "name inputs that have positions"),
        ({f"reason {n}": 1 for n in range(10)}, {}, "and 5 more reasons); see failed-run/rejects.jsonl"),
    ],
)
def test_the_way_out_is_that_of_what_dropped_most(gathered, cleaned, said):
    left = 10 - sum(gathered.values())
    ledgers = {"gather": Ledger("gather", 10, left, gathered), "clean": Ledger("clean", left, 0, cleaned)}
    assert explain_nothing(ledgers, FILTERS).startswith("no message of 10 is left (")
    assert said in explain_nothing(ledgers, FILTERS)


def test_an_input_without_records_is_said():
    assert "check input.paths" in explain_nothing({"gather": Ledger("gather", 0, 0)}, {})
