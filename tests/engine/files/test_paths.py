import gzip
import io
import json
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from cdpipe.engine.api.reading import gather
from cdpipe.engine.files.parts import read_part
from cdpipe.engine.files.paths import SourceError, expand_paths
from cdpipe.engine.files.sources import find_sources
from cdpipe.engine.run.inputs import Inputs
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.synthetic.generator import SynthParams, synthesize


@pytest.fixture(autouse=True)
def empty_memory(monkeypatch):
    """Other tests' files in fsspec's memory are not there."""
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])


CSV = b"coreData_id,coreData_speed\nA,1\n"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("zip://m.csv", "names no archive; write MEMBER::ARCHIVE"),
        ("tar://", "names no archive"),
        ("zip://m.csv::zip://b.zip::nope.zip", "there is no such archive"),
        ("zip://m.csv::data://x", "cannot be read as an archive"),
        ("data://m.csv", "cannot be reached"),
        ("data://text/plain,abc", "is no whole URL of a file"),
        ("reference://m.csv", "is no whole URL of a file"),
        ("foo://m.csv", "Protocol not known: foo"),
        ("s3://a/m.csv", "cannot be reached"),  # no bucket has so short a name
        ("adl://bucket/m.csv", "needs a package that is not here"),
        ("gs://bucket/*.csv", "needs a package that is not here"),
        ("ftp://127.0.0.1:9/m.csv", "cannot be reached"),
        ("file://m.csv", "there is no such file"),
        ("simplecache::m.csv", "there is no such file"),
        ("file://*.nope", "no file matches"),
        ("memory://", "is a folder without Parquet files"),
        ("m\0.csv", "holds a NUL, which no name can"),
        ("m" * 300 + ".csv", "the name is too long"),
        ("link/m.csv", "links lead in a circle"),
        ("broken.csv", "there is no such file"),
    ],
)
def test_a_path_that_leads_to_no_file_is_a_sentence_with_its_name(tmp_path, monkeypatch, url, said):
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("link")
    Path("broken.csv").symlink_to("gone.csv")
    with pytest.raises(SourceError) as caught:
        find_sources(Inputs([url], cached=True).paths)
    assert said in str(caught.value)
    assert (repr(url) if "\0" in url else url) in str(caught.value)
    assert ";" in str(caught.value)


WITHOUT_SERVER = {"http", "https", "github", "gist", "hf", "ftp", "sftp", "ssh", "smb", "webhdfs", "arrow_hdfs", "hdfs"}


@pytest.mark.parametrize("protocol", sorted(set(fsspec.available_protocols()) - WITHOUT_SERVER))
@pytest.mark.parametrize("rest", ["", "m.csv", "*.csv"])
def test_no_protocol_of_fsspec_ends_in_a_trace(tmp_path, monkeypatch, protocol, rest):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError):
        find_sources(Inputs([f"{protocol}://{rest}"], cached=True).paths)


class Dropping(MemoryFileSystem):
    """A store whose connection ends in an error of its own, as those of web and cloud libraries do."""

    protocol = "dropping"

    def _open(self, path, *_, **__):
        class Broken(io.BytesIO):
            def read(self, *_):
                raise LostError("the server went away")

            readinto = read

        return Broken(CSV)

    def info(self, path, **_):
        return {"name": path, "size": len(CSV), "type": "file", "etag": "a"}


class LostError(Exception):
    pass


def test_an_error_of_a_store_s_own_while_it_is_read_names_the_url(monkeypatch):
    fsspec.register_implementation("dropping", Dropping, clobber=True)
    with pytest.raises(SourceError, match=r"dropping://m.csv: cannot be read \(the server went away\); try again"):
        find_sources(["dropping://m.csv"])


UNDECODABLE = "caf\udce9"


@pytest.mark.parametrize("suffix", ["csv", "parquet", "csv.gz"])
def test_a_name_that_is_not_utf8_is_read_like_any_other(tmp_path, suffix):
    synthesize(tmp_path / f"m.{suffix.removesuffix('.gz')}", SynthParams(rows=300, vehicles=5, dirty_share=0.5))
    content = (tmp_path / f"m.{suffix.removesuffix('.gz')}").read_bytes()
    named = tmp_path / UNDECODABLE / f"{UNDECODABLE}.{suffix}"
    named.parent.mkdir()
    named.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    params = GatherParams(required=("coreData_speed", "metadata_generatedAt"))
    plain = gather(tmp_path / f"m.{suffix.removesuffix('.gz')}", tmp_path / "plain", params)
    for given, out in ((named, "a"), (str(named.parent / f"*.{suffix}"), "b"), (named, f"{UNDECODABLE}-out")):
        assert gather(given, tmp_path / out, params) == plain
        assert read_part(tmp_path / out / "part-000000.parquet").equals(
            read_part(tmp_path / "plain" / "part-000000.parquet")
        )
        for line in (tmp_path / out / "rejects.jsonl").read_text().splitlines():
            assert json.loads(line)["file"] == str(named)


def test_a_tilde_is_a_sign_of_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthesize(Path("~m.parquet"), SynthParams(rows=300, vehicles=5))
    assert gather("~m.parquet", "out").rows_in == 300


@pytest.mark.parametrize("place", ["", "memory://order"])
def test_a_tree_has_one_order_however_it_is_named(tmp_path, place):
    names = ["a=1/p.parquet", "a=1-x/p.parquet", "a=10/p.parquet", "b.parquet"]
    root = place or str(tmp_path)
    for name in reversed(names):
        with fsspec.open(f"{root}/{name}", "wb", auto_mkdir=True) as stream:
            stream.write(b"PAR1")
    for given in (root, f"{root}/**/*.parquet"):
        assert [path.rpartition(root.rpartition("/")[2] + "/")[2] for path in expand_paths([given])] == names
