import numpy as np

from cdpipe.perf.analysis.statistics import correct_holm


def test_holm_is_holm():
    corrected = correct_holm([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(corrected, [0.03, 0.06, 0.06, 0.02])
    assert correct_holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert correct_holm([]).tolist() == []
