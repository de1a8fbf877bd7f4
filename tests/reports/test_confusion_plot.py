import matplotlib.image
import numpy as np
import pytest

from cdpipe.reports.confusion_plot import plot_confusion
from cdpipe.training.metrics import measure


def metrics(tn, fp, fn, tp):
    return measure(np.repeat([0, 0, 1, 1], [tn, fp, fn, tp]), np.repeat([0, 1, 0, 1], [tn, fp, fn, tp]))


@pytest.mark.parametrize("counts", [(50, 5, 7, 30), (0, 0, 0, 9), (9, 0, 0, 0), (1, 2, 3, 10**6)])
def test_a_picture_is_a_png_of_one_size_and_not_blank(tmp_path, counts):
    path = tmp_path / "c.png"
    plot_confusion(metrics(*counts), "RandomForest", path)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    picture = matplotlib.image.imread(path)
    assert picture.shape == (630, 690, 4)
    assert len(np.unique(picture.reshape(-1, 4), axis=0)) > 50


def test_colours_follow_the_share_of_the_true_class(tmp_path):
    pictures = []
    for number, counts in enumerate([(90, 10, 10, 90), (10, 90, 90, 10), (900, 100, 100, 900)]):
        plot_confusion(metrics(*counts), "x", tmp_path / f"{number}.png")
        pictures.append(matplotlib.image.imread(tmp_path / f"{number}.png")[..., :3])
    right, wrong, tenfold = pictures
    assert np.abs(right - wrong).mean() > 0.1
    assert np.abs(right - tenfold).mean() < 0.01


def test_the_title_is_in_the_picture(tmp_path):
    for title in ("KNeighbors", "DecisionTree"):
        plot_confusion(metrics(1, 2, 3, 4), title, tmp_path / f"{title}.png")
    assert (tmp_path / "KNeighbors.png").read_bytes() != (tmp_path / "DecisionTree.png").read_bytes()


def test_no_state_of_pyplot_is_touched(tmp_path):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    plot_confusion(metrics(1, 2, 3, 4), "x", tmp_path / "c.png")
    assert plt.get_fignums() == before
