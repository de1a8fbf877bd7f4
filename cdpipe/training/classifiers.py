"""Classifiers by name: each learns from one side's messages and gives back what labels the other's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cdpipe.training.train import TrainParams

Matrix = NDArray[np.float32]
Labels = NDArray[np.int8]
Predict = Callable[[Matrix], Labels]
Fit = Callable[["TrainParams", Matrix, Labels, int], Predict]

FAST_TREES: Final = 6_024
"""Trees that scikit-learn-intelex grows at most; with more it would quietly leave the work to scikit-learn."""

_BLOCK_ROWS: Final = 1 << 16
"""Rows predicted at a time: what a block needs beside them stays in the caches, and memory does not grow with rows."""

_BOOSTING_ROWS_PER_THREAD: Final = 4_000_000
"""Below this, a second OpenMP thread costs more than it brings wherever cores have other work (docs/training.md)."""


def _random_forest(params: "TrainParams", x: Matrix, y: Labels, threads: int) -> Predict:
    settings = {"n_estimators": params.trees, "random_state": params.seed % 2**32, "n_jobs": threads}
    if params.engine == "intelex":
        return _fit_fast(settings, x, y).predict  # type: ignore[no-any-return]
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - slow to import, and only training needs it

    model = RandomForestClassifier(**settings).fit(x, y)
    # Its own threads would add the trees' shares up in the order in which they end, and the last bit decides a tie.
    return partial(_predict_blocks, model.set_params(n_jobs=1), threads=threads)


def _decision_tree(params: "TrainParams", x: Matrix, y: Labels, threads: int) -> Predict:
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415

    model = DecisionTreeClassifier(random_state=params.seed % 2**32).fit(x, y)
    return partial(_predict_blocks, model, threads=threads)


def _k_neighbors(params: "TrainParams", x: Matrix, y: Labels, threads: int) -> Predict:
    from sklearn.neighbors import KNeighborsClassifier  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    if params.neighbors > len(y):
        raise ValueError(f"train.neighbors is {params.neighbors} but only {len(y)} messages train; use fewer")
    # By itself it compares every pair of messages once there are more than 15 features.
    nearest = KNeighborsClassifier(n_neighbors=params.neighbors, algorithm="kd_tree")
    model = make_pipeline(StandardScaler(), nearest) if params.scale else nearest
    return partial(_predict_blocks, model.fit(x, y), threads=threads)


def _hist_gradient_boosting(params: "TrainParams", x: Matrix, y: Labels, threads: int) -> Predict:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    def predict(rows: Matrix) -> Labels:
        with threadpool_limits(1, user_api="openmp"):
            return _predict_blocks(model, rows, threads=1)

    working = max(1, min(threads, len(y) // _BOOSTING_ROWS_PER_THREAD))
    with threadpool_limits(working, user_api="openmp"):
        model = HistGradientBoostingClassifier(random_state=params.seed % 2**32).fit(x, y)
    return predict


CLASSIFIERS: Final[dict[str, Fit]] = {
    "RandomForest": _random_forest,
    "DecisionTree": _decision_tree,
    "KNeighbors": _k_neighbors,
    "HistGradientBoosting": _hist_gradient_boosting,
}
"""By name: fits on x, float32 of shape (n, features) in C order and without nulls, and y, int8 of shape (n,), with at
most as many threads as told. The result never depends on the number of threads."""


def has_fast_engine() -> bool:
    """Say whether scikit-learn-intelex is installed."""
    return find_spec("sklearnex") is not None


def _fit_fast(settings: dict[str, Any], x: Matrix, y: Labels) -> Any:  # noqa: ANN401 - sklearnex is untyped
    """Fit scikit-learn-intelex's forest, or fail: it must not hand the work to scikit-learn without a word.

    Raises
    ------
    ValueError
        If it did.
    """
    import sklearnex  # noqa: PLC0415
    from sklearnex.ensemble import RandomForestClassifier  # noqa: PLC0415

    with sklearnex.config_context(allow_sklearn_after_onedal=False):
        model = RandomForestClassifier(**settings).fit(x, y)
    if "_onedal_estimator" not in vars(model):
        raise ValueError(
            f"scikit-learn-intelex left a forest of {settings['n_estimators']} trees on {len(y):,} messages to "
            "scikit-learn; set train.engine = 'scikit-learn'"
        )
    return model


def _predict_blocks(model: Any, rows: Matrix, *, threads: int) -> Labels:  # noqa: ANN401
    """Label blocks of rows in parallel, each by one thread, so that no sum depends on which thread is quicker."""
    blocks = [rows[start : start + _BLOCK_ROWS] for start in range(0, len(rows), _BLOCK_ROWS)]
    if threads == 1 or len(blocks) == 1:
        return np.concatenate([model.predict(block) for block in blocks])
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(model.predict, blocks)))
