"""The correction of p-values for their number (Holm 1979)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def correct_holm(p_values: Sequence[float]) -> npt.NDArray[np.float64]:
    """Correct p-values for their number, so that any false alarm among all has the stated probability (Holm).

    Returns
    -------
    ndarray of float64
        In the order given, never above 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected
