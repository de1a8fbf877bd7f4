"""Compressed files and archives: the same messages as of the plain file, and room that is given back."""

import bz2
import errno
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import fsspec
import pandas as pd
import pyarrow as pa
import pytest

from cdpipe.engine.api.reading import gather, read
from cdpipe.engine.cache.identity import identify
from cdpipe.engine.files.packed import find_members, is_packed, plain_name
from cdpipe.engine.files.sources import SourceError, cut, find_sources, read_block
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.synthetic.generator import SynthParams, synthesize

PACK = {
    "gz": lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
    "bz2": lambda data: bz2.compress(data[:100]) + bz2.compress(data[100:]),
    "xz": lzma.compress,
    "zst": lambda data: b"".join(pa.compress(part, codec="zstd", asbytes=True) for part in (data[:100], data[100:])),
}
CSV = b"coreData_id,coreData_speed\nA,1\nB,2\n"


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def ids(path, block_bytes=10**6):
    found = []
    for file in find_sources([str(path)]):
        blocks = cut(file, block_bytes=block_bytes)
        frames = [read_block(b, columns=("coreData_id",), first_row=0, rows_before_file=0).frame for b in blocks]
        found += [id_ for frame in frames for id_ in frame["coreData_id"]]
    return found


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("remote", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_compressed_file_is_its_content(tmp_path, suffix, packing, remote):
    plain = tmp_path / f"m.{suffix}"
    synthesize(plain, SynthParams(rows=300))
    path = f"memory://cdpipe-packed/m.{suffix}.{packing}" if remote else str(tmp_path / f"m.{suffix}.{packing}")
    with fsspec.open(path, "wb") as stream:
        stream.write(PACK[packing](plain.read_bytes()))
    (file,) = find_sources([path])
    (other,) = find_sources([str(plain)])
    assert file._replace(unpacked="") == other._replace(path=path)
    frames = [read([each], GatherParams(block_mb=0.01))[0].compute() for each in (path, str(plain))]
    pd.testing.assert_frame_equal(*frames)
    assert len(frames[0]) == 300


def test_members_of_archives_by_url_by_pattern_and_the_only_one(tmp_path):
    one = zipped(tmp_path / "one.zip", {"sub/a.csv": CSV, "__MACOSX/a.csv": b"x", ".hidden": b"x"})
    files = {"b.csv": CSV.replace(b"A", b"C"), "a.csv": CSV, "readme": b"x", "c.csv.gz": gzip.compress(CSV)}
    many = zipped(tmp_path / "many.zip", files)
    tar = tarred(tmp_path / "many.tar", {"a.csv": CSV, "b.csv": CSV})
    packed = tarred(tmp_path / "one.tar.gz", {"a.csv": CSV}, "w:gz")
    for given in (one, f"zip://sub/a.csv::file://{one}", f"zip://sub/a.csv::{one}", f"zip://a.csv::file://{many}"):
        assert ids(given) == ["A", "B"]
    assert ids(f"zip://[ab].csv::file://{many}") == ["A", "B", "C", "B"]
    assert ids(f"zip://c.csv.gz::file://{many}") == ["A", "B"]
    for given in (f"tar://b.csv::file://{tar}", packed, f"tar://a.csv::file://{packed}"):
        assert ids(given) == ["A", "B"]
    assert ids(tmp_path / "one.*") == ["A", "B", "A", "B"]
    with fsspec.open("memory://cdpipe-packed/one.zip", "wb") as stream:
        stream.write(one.read_bytes())
    assert ids("memory://cdpipe-packed/one.zip") == ids("zip://sub/*.csv::memory://cdpipe-packed/one.zip") == ["A", "B"]


def test_what_cannot_be_unpacked_is_named_with_the_way_out(tmp_path):
    many = zipped(tmp_path / "many.zip", {"a.csv": CSV, "b.csv": CSV})
    zipped(tmp_path / "parted.zip", {"a::b.csv": CSV})
    zipped(tmp_path / "colon.zip", {"a.csv:": CSV})
    (tmp_path / "broken.zip").write_bytes(many.read_bytes()[:50])
    (tmp_path / "broken.csv.gz").write_bytes(gzip.compress(CSV * 100)[:-9])
    (tmp_path / "broken.csv.zst").write_bytes(pa.compress(CSV * 100, codec="zstd", asbytes=True)[:-9])
    (tmp_path / "none.csv.bz2").write_bytes(CSV)
    (tmp_path / "none.csv.zst").write_bytes(CSV)
    (tmp_path / "m.csv.7z").write_bytes(CSV)
    (tmp_path / "empty.csv.gz").write_bytes(gzip.compress(b""))
    for name, message in (
        ("many.zip", r"holds 2 files \(a\.csv, b\.csv\); name one, e\.g\. zip://a\.csv::file://"),
        ("broken.zip", "cannot be read as an archive"),
        ("broken.csv.gz", "cannot be unpacked to .*; unpack it"),
        ("broken.csv.zst", "cannot be unpacked to .*; unpack it"),
        ("none.csv.bz2", "cannot be unpacked"),
        ("none.csv.zst", "cannot be unpacked"),
        ("none.csv.gz", "there is no such file"),
        ("none.zip", "there is no such archive"),
        (
            "m.csv.7z",
            r"the suffix '\.7z' tells no format; .*packed files end in \.gz, \.bz2, \.xz, \.zst, \.zip, \.tar",
        ),
        ("empty.csv.gz", "is empty"),
        ("parted.zip", r"holds a file whose name no URL can have \('a::b\.csv'\); unpack it"),
        ("colon.zip", r"holds a file whose name no URL can have \('a\.csv:'\); unpack it"),
    ):
        with pytest.raises(SourceError, match=message) as caught:
            find_sources([str(tmp_path / name)])
        assert str(tmp_path / name) in str(caught.value)
    for name, message in (("c.csv", "holds no file c.csv"), ("*.json", r"holds no file \*\.json")):
        with pytest.raises(SourceError, match=message):
            find_sources([f"zip://{name}::file://{many}"])
    with pytest.raises(SourceError, match="is named twice"):
        find_sources([f"zip://a.csv::file://{many}", f"zip://*.csv::{many}"])


@pytest.mark.parametrize(
    ("path", "packed", "name"),
    [
        ("a/b.csv", False, "a/b.csv"),
        ("a/b.CSV.GZ", True, "a/b.CSV"),
        ("https://x/b.jsonl.zst", True, "https://x/b.jsonl"),
        ("zip://b.csv::https://x/c.zip", True, "zip://b.csv"),
        ("zip://b.csv.xz::c.zip", True, "zip://b.csv"),
        ("simplecache::https://x/b.csv", False, "https://x/b.csv"),
        ("simplecache::https://x/b.csv.gz", True, "https://x/b.csv"),
    ],
)
def test_what_is_packed_and_what_it_holds_are_told_by_names(path, packed, name):
    assert (is_packed(path), plain_name(path)) == (packed, name)
    if not path.startswith("zip"):
        assert find_members(path) == [path]


def test_a_member_is_another_when_its_archive_is(tmp_path):
    url = f"zip://a.csv::file://{zipped(tmp_path / 'm.zip', {'a.csv': CSV})}"
    first = identify(url)
    assert identify(url) == first != identify(url.replace("a.csv", "b.csv"))
    zipped(tmp_path / "m.zip", {"a.csv": CSV + b"C,3\n"})
    assert identify(url) != first


def test_gathering_gives_the_room_back_and_rejects_name_the_packed_file(tmp_path, monkeypatch):
    (tmp_path / "m.csv.gz").write_bytes(gzip.compress(CSV + b"bad\n"))
    seen = []

    def look(*args):
        seen.extend(sorted(path.name for path in tmp_path.iterdir() if path.name.endswith("-unpacked")))
        return cut(*args[:1], block_bytes=100)

    monkeypatch.setattr("cdpipe.engine.api.reading.cut", lambda file, block_bytes: look(file))
    ledger = gather(tmp_path / "m.csv.gz", tmp_path / "out")
    assert (ledger.rows_in, ledger.rows_out) == (3, 2)
    assert len(seen) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.csv.gz", "out"]
    assert f'"file": "{tmp_path / "m.csv.gz"}", "line": 4' in (tmp_path / "out" / "rejects.jsonl").read_text()


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    (tmp_path / "m.csv.gz").write_bytes(gzip.compress(CSV))

    def refuse(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("cdpipe.engine.files.packed.shutil.copyfileobj", refuse)
    folder = tmp_path / "room"
    folder.mkdir()
    with pytest.raises(
        SourceError, match=rf"m\.csv\.gz: cannot be unpacked to {folder} .*the disk is full.*there is room"
    ):
        find_sources([str(tmp_path / "m.csv.gz")], folder=lambda: Path(folder))
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device", "out/.scratch-1"), ValueError("no")]
)
def test_what_is_wrong_with_the_folder_is_not_said_of_the_input(tmp_path, failure):
    path = tmp_path / "m.csv.gz"
    path.write_bytes(gzip.compress(CSV))

    def folder():
        raise failure

    with pytest.raises(type(failure)) as caught:
        find_sources([str(path)], folder=folder)
    assert caught.value is failure
