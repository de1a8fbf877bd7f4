"""Classifiers by name: each learns from one side's messages and gives back what judges the other's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cdpipe.training.params import TrainParams

Matrix = NDArray[np.float32]
Labels = NDArray[np.int8]
Scores = NDArray[np.float32]


class Verdict(NamedTuple):
    """What a classifier says of messages.

    Attributes
    ----------
    label
        1 where it alarms, else 0, shape (n,): what its own `predict` says.
    score
        How sure it is of an attack, 0 to 1, shape (n,); more means more so. A tie of 0.5 is no alarm.
    """

    label: Labels
    score: Scores


Judge = Callable[[Matrix], Verdict]
Fit = Callable[["TrainParams", Matrix, Labels, int], Judge]

FAST_TREES: Final = 6_024
"""Trees that scikit-learn-intelex grows at most; with more it would quietly leave the work to scikit-learn."""

_HALF: Final = 0.5
_BLOCK_ROWS: Final = 1 << 16
"""Rows predicted at a time: what a block needs beside them stays in the caches, and memory does not grow with rows."""

_NEAR_ROWS: Final = 1 << 12
"""The same for neighbors, which take so long that few rows are worth a thread."""
_ASKED: Final = 128
"""Messages whose neighbors are looked for before all others'."""
_WORTH_A_TREE: Final = 0.1
"""Share of messages compared up to which a tree finds neighbors sooner than comparing all does.

Of 67,000 messages, for 32,000, with history (AMD EPYC, processor time): compared 0.04, 3.0 s by a tree and 6.2 by
comparing all; 0.11, 5.0; 0.29, 17; 0.35 (23 features, scaled), 33 and 6.2 s.
"""

_BOOSTING_ROWS_PER_THREAD: Final = 4_000_000
"""Below this, a second OpenMP thread costs more than it brings wherever cores have other work (docs/training.md)."""


def _random_forest(params: "TrainParams", x: Matrix, y: Labels, threads: int) -> Judge:
    settings = {"n_estimators": params.trees, "random_state": params.seed % 2**32, "n_jobs": threads}
    if params.engine == "intelex":
        return partial(_judge_twice, _fit_fast(settings, x, y))
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - slow to import, and only training needs it

    model = RandomForestClassifier(**settings).fit(x, y)
    # Its own threads would add the trees' shares up in the order in which they end, and the last bit decides a tie.
    return partial(_judge_blocks, partial(_judge_by_shares, model.set_params(n_jobs=1)), threads=threads)


def _decision_tree(params: "TrainParams", x: Matrix, y: Labels, threads: int) -> Judge:
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415

    model = DecisionTreeClassifier(random_state=params.seed % 2**32).fit(x, y)
    return partial(_judge_blocks, partial(_judge_by_shares, model), threads=threads)


def _k_neighbors(params: "TrainParams", x: Matrix, y: Labels, threads: int) -> Judge:
    from sklearn.neighbors import KNeighborsClassifier  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    if params.neighbors > len(y):
        raise ValueError(f"train.neighbors is {params.neighbors} but only {len(y)} messages train; use fewer")
    change = StandardScaler().fit(x).transform if params.scale else np.asarray
    x = change(x)
    algorithm = "kd_tree" if share_compared(x, params.neighbors) <= _WORTH_A_TREE else "brute"
    nearest = KNeighborsClassifier(n_neighbors=params.neighbors, algorithm=algorithm).fit(x, y)
    return partial(_judge_blocks, partial(_judge_near, nearest, change), threads=threads, block_rows=_NEAR_ROWS)


def share_compared(x: Matrix, neighbors: int) -> float:
    """Return the share of messages that a tree compares with one to find its neighbors, of some messages, on average.

    In few dimensions, or where values are all but in few, a tree rules most messages out; else it compares a third of
    them, each at the price of many in a product of matrices. By itself scikit-learn goes by the number of features.
    """
    from sklearn.neighbors import KDTree  # noqa: PLC0415

    tree = KDTree(x)
    asked = x[:: -(-len(x) // _ASKED)]
    tree.query(asked, min(neighbors, len(x)))
    return float(tree.get_n_calls()) / (len(asked) * len(x))


def _judge_near(model: Any, change: Callable[[Matrix], Matrix], rows: Matrix) -> Verdict:  # noqa: ANN401
    """Judge by neighbors on one thread: on several, equal distances may come in another order."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    with threadpool_limits(1, user_api="openmp"):
        return _judge_by_shares(model, change(rows))


def _hist_gradient_boosting(params: "TrainParams", x: Matrix, y: Labels, threads: int) -> Judge:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    def judge(rows: Matrix) -> Verdict:
        with threadpool_limits(1, user_api="openmp"):
            return _judge_blocks(partial(_judge_by_margin, model), rows, threads=1)

    working = max(1, min(threads, len(y) // _BOOSTING_ROWS_PER_THREAD))
    with threadpool_limits(working, user_api="openmp"):
        model = HistGradientBoostingClassifier(random_state=params.seed % 2**32).fit(x, y)
    return judge


CLASSIFIERS: Final[dict[str, Fit]] = {
    "RandomForest": _random_forest,
    "DecisionTree": _decision_tree,
    "KNeighbors": _k_neighbors,
    "HistGradientBoosting": _hist_gradient_boosting,
}
"""By name: fits on x, float32 of shape (n, features) in C order and without nulls, and y, int8 of shape (n,), with at
most as many threads as told. The result never depends on the number of threads."""

THRESHOLD: Final = "Threshold"
"""A detector that learns nothing: it alarms where a plausibility check of a message is below one half."""

NAMES: Final = (*CLASSIFIERS, THRESHOLD)
"""What `train.classifiers` may name."""

_CHECK: Final = "check_"


def fit(name: str, params: "TrainParams", x: Matrix, y: Labels, threads: int, names: tuple[str, ...] = ()) -> Judge:
    """Fit a classifier, or make the threshold detector.

    Parameters
    ----------
    name
        One of `NAMES`.
    params, x, y, threads
        As for `CLASSIFIERS`.
    names
        Of the features, in order; only the threshold detector needs them.

    Raises
    ------
    ValueError
        If the detector has no check to look at, or as the classifier does.
    """
    if name != THRESHOLD:
        return CLASSIFIERS[name](params, x, y, threads)
    checks = [place for place, feature in enumerate(names) if feature.startswith(_CHECK)]
    if not checks:
        raise ValueError(
            f"{THRESHOLD} looks at plausibility checks, and none is a feature; set features.checks = true, or take "
            f"{THRESHOLD} out of train.classifiers"
        )
    return partial(_judge_by_checks, checks)


def _judge_by_checks(checks: list[int], rows: Matrix) -> Verdict:
    score = 1.0 - rows[:, checks].min(axis=1) if len(rows) else np.empty(0, np.float32)
    return Verdict((score > _HALF).astype(np.int8), score.astype(np.float32))


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


def _judge_by_shares(model: Any, rows: Matrix) -> Verdict:  # noqa: ANN401 - scikit-learn is untyped
    """Judge by the shares that a model gives both classes, as its own `predict` does."""
    shares = model.predict_proba(rows)
    return Verdict(model.classes_[np.argmax(shares, axis=1)].astype(np.int8), shares[:, 1].astype(np.float32))


def _judge_by_margin(model: Any, rows: Matrix) -> Verdict:  # noqa: ANN401
    """Judge by the side of the margin on which messages are, as boosted trees do."""
    from scipy.special import expit  # noqa: PLC0415 - loaded with scikit-learn, and not without it

    margin = model.decision_function(rows)
    return Verdict((margin > 0).astype(np.int8), expit(margin).astype(np.float32))


def _judge_twice(model: Any, rows: Matrix) -> Verdict:  # noqa: ANN401
    """Judge by a model whose labels need not follow from the shares that it gives."""
    label = np.asarray(model.predict(rows)).astype(np.int8)
    return Verdict(label, np.asarray(model.predict_proba(rows))[:, 1].astype(np.float32))


def _judge_blocks(judge: Judge, rows: Matrix, *, threads: int, block_rows: int = _BLOCK_ROWS) -> Verdict:
    """Judge blocks of rows in parallel, each by one thread, so that no sum depends on which thread is quicker."""
    blocks = [rows[start : start + block_rows] for start in range(0, len(rows), block_rows)]
    if threads == 1 or len(blocks) == 1:
        found = [judge(block) for block in blocks]
    else:
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(judge, blocks))
    return Verdict(np.concatenate([each.label for each in found]), np.concatenate([each.score for each in found]))
