import errno
import pickle

import numpy as np
import pandas as pd
import pytest

from cdpipe.engine.files.digests import Kept, hash_file
from cdpipe.engine.files.packed import PackedError, unpack
from cdpipe.engine.files.parts import write_part
from cdpipe.engine.files.rejects import join_rejects, write_rejects
from cdpipe.engine.outputs.output_folder import Results
from cdpipe.oserrors import StorageError, explain_os_error, give_reason, naming
from cdpipe.reports.confusion_plot import plot_confusion
from cdpipe.stages.gather.gather import Reject
from cdpipe.stages.ledger import Ledger
from cdpipe.training.metrics import measure

DISK = {
    errno.ENOSPC: "the disk is full; free some",
    errno.EDQUOT: "your quota of the disk is used up",
    errno.EIO: "the disk fails to read or write",
    errno.EROFS: "the disk can only be read",
    errno.EMFILE: "too many files are open",
    errno.EFBIG: "the file would be larger than allowed",
}


@pytest.mark.parametrize(("number", "said"), DISK.items())
def test_an_error_without_a_path_gets_it_and_the_way_out(number, said):
    with pytest.raises(StorageError) as caught, naming("/out/p.parquet"):
        raise OSError(number, "words of the system")
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):  # as a worker sends it
        assert str(error).startswith(f"/out/p.parquet: {said}")
        assert (error.errno, error.filename) == (number, "/out/p.parquet")


def test_an_error_with_a_path_or_of_python_s_own_words_is_left():
    for error in (FileNotFoundError(errno.ENOENT, "No such file", "a"), OSError("became shorter"), ValueError("no")):
        with pytest.raises(type(error)) as caught, naming("b"):
            raise error
        assert caught.value is error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("became shorter; run again"), "became shorter; run again"),
        (OSError(), "OSError"),
        (FileNotFoundError(errno.ENOENT, "No such file", b"a\xff"), "a\udcff: is not there; check the name"),
        (OSError(errno.ECONNRESET, "Connection reset by peer", "u"), "u: connection reset by peer; check the path"),
        (OSError(errno.ENOENT, "cannot write 'x'; choose another"), "cannot write 'x'; choose another"),
        (OSError(errno.ENOSPC, "Cannot write 'x'"), "Cannot write 'x': the disk is full"),
        (OSError(errno.EXDEV, "Cross-device link", "a", None, "b"), "a: cross-device link"),
    ],
)
def test_an_error_of_the_system_is_a_sentence(error, said):
    assert explain_os_error(error).startswith(said)
    assert "[Errno" not in explain_os_error(error)


def test_a_caller_who_names_the_path_gets_the_rest():
    assert give_reason(FileNotFoundError(errno.ENOENT, "No such file", "a")).startswith("is not there")
    assert give_reason(ValueError("is wrong")) == "is wrong"


def write_report(folder):
    from terminal.test_reports import REPORT

    REPORT.write(folder / "report.json")


def write_profile(folder):
    from cdpipe.profiling import _write_whole

    _write_whole(folder / "profile.md", b"text")


def unpack_file(folder):
    import gzip

    (folder / "m.csv.gz").write_bytes(gzip.compress(b"x" * 10**6))
    unpack(str(folder / "m.csv.gz"), folder)


WRITERS = {
    "part": lambda folder: write_part(pd.DataFrame({"a": np.arange(10.0)}), folder / "part-000000.parquet"),
    "rejects": lambda folder: write_rejects([Reject("f", 1, "c", "r", "t")], folder, 0),
    "joined rejects": lambda folder: join_rejects(folder, Ledger("gather", 20_000, 0, {"why": 20_000})),
    "copied": lambda folder: (
        (folder / "r").write_bytes(b"x"),
        Results(folder, folder).add_rejects(Kept(folder / "r", hash_file(folder / "r"))),
    ),
    "report": write_report,
    "profile": write_profile,
    "picture": lambda folder: plot_confusion(measure(np.zeros(2, int), np.zeros(2, int)), "t", folder / "c.png"),
    "unpacked": unpack_file,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_said_with_the_path_whatever_is_written(tmp_path, monkeypatch, name):
    """Every file that is opened to write is on a disk without room, whose errors name no path."""
    full = lambda *_, **__: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))  # noqa: E731
    (tmp_path / "warm").mkdir()
    WRITERS[name](tmp_path / "warm")  # what is made once is made
    monkeypatch.setattr("os.fsync", full)
    monkeypatch.setattr("shutil.copyfileobj", full)
    monkeypatch.setattr("shutil.copyfile", full)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    monkeypatch.setattr("cdpipe.engine.files.rejects.json.dumps", full)
    with pytest.raises((StorageError, PackedError)) as caught:
        WRITERS[name](tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "the disk is full" in str(caught.value)
    assert "[Errno" not in str(caught.value)
