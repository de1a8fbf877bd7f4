"""Neighbors: which way they are found, the same labels either way, and on any number of threads."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from cdpipe.training import classifiers
from cdpipe.training.classifiers import fit, share_compared
from cdpipe.training.params import TrainParams

PARAMS = TrainParams(classifiers=("KNeighbors",), neighbors=5)


def cloud(rows, features, seed, flat=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, features)).astype(np.float32)
    if flat:
        x[:, 2:] *= 1e-3
    return x, (x[:, 0] + rng.normal(0, 0.5, rows) > 0).astype(np.int8)


def test_a_tree_compares_few_where_values_are_in_few_dimensions():
    assert share_compared(cloud(5_000, 20, 1, flat=True)[0], 5) < 0.05
    assert share_compared(cloud(5_000, 20, 1)[0], 5) > 0.5
    assert share_compared(cloud(3, 20, 1)[0], 5) <= 1


@pytest.mark.parametrize(("flat", "ways"), [(True, {"kd_tree"}), (False, {"brute"})])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_either_way_finds_what_comparing_all_pairs_finds(monkeypatch, flat, ways, threads):
    monkeypatch.setattr(classifiers, "_NEAR_ROWS", 700)
    seen = set()

    class Seen(KNeighborsClassifier):
        def fit(self, x, y):
            seen.add(self.algorithm)
            return super().fit(x, y)

    monkeypatch.setattr("sklearn.neighbors.KNeighborsClassifier", Seen)
    x, y = cloud(4_000, 20, 1, flat=flat)
    rows, _ = cloud(3_000, 20, 2, flat=flat)
    verdict = fit("KNeighbors", PARAMS, x, y, threads)(rows)
    assert seen == ways
    near = np.array([np.argsort(((x - row) ** 2).sum(axis=1, dtype=float))[:5] for row in rows.astype(float)])
    share = y[near].mean(axis=1)
    np.testing.assert_allclose(verdict.score, share, atol=1e-6)
    np.testing.assert_array_equal(verdict.label, share > 0.5)
