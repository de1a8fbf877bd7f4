import json
import random
import re
import subprocess
import sys
import tomllib

import pytest
from click.testing import CliRunner

import cdpipe
from cdpipe.cli import main
from cdpipe.engine.cache.store import CacheParams, Store
from cdpipe.engine.files.seals import FILES, SEAL
from cdpipe.synthetic.generator import SynthParams, synthesize

CONFIG = """
[input]
paths = ["{source}"]
[train]
classifiers = ["DecisionTree"]
[output]
directory = "{out}"
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Call the command line in an empty folder; gives (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def called(*words):
        result = CliRunner().invoke(main, [str(word) for word in words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert "Traceback" not in result.output
        return result.exit_code, result.stdout, result.stderr

    return called


@pytest.fixture
def configured(tmp_path):
    synthesize(tmp_path / "bsm.csv", SynthParams(rows=1_000, vehicles=15))
    (tmp_path / "c.toml").write_text(CONFIG.format(source=tmp_path / "bsm.csv", out=tmp_path / "out"))
    return tmp_path / "c.toml"


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize(
    "command",
    [
        [],
        ["synth"],
        ["run"],
        ["check"],
        ["profile"],
        ["bottlenecks"],
        ["import-config"],
        ["sweep"],
        ["compare"],
        ["card"],
        ["cache"],
        ["cache", "info"],
        ["cache", "clear"],
        ["cache", "verify"],
    ],
)
def test_every_command_explains_itself(call, command, flag):
    status, out, _ = call(*command, flag)
    assert status == 0
    assert out.startswith("Usage:")
    options = re.findall(r"^  (?:-\w, )?--[\w-]+(?:, --[\w-]+)?.*$", out, re.MULTILINE)
    assert options


def test_the_version_is_the_package_s(call):
    assert (
        call("--version") == (0, f"main, version {cdpipe.__version__}\n", "")
        or cdpipe.__version__ in call("--version")[1]
    )


def test_messages_go_to_a_file_that_the_example_reads_unless_told_otherwise(call, tmp_path):
    status, out, _ = call("synth", "--rows", 20)
    assert (status, (tmp_path / "bsm.csv").is_file()) == (0, True)
    assert out.startswith("bsm.csv: 20 messages of ")
    assert tomllib.loads(call("run", "--example")[1])["input"]["paths"] == ["bsm.csv"]


def test_a_file_that_is_there_is_replaced_only_if_named(call, tmp_path):
    (tmp_path / "bsm.csv").write_text("mine")
    status, _, err = call("synth", "--rows", 20)
    assert (status, err) == (1, "cdpipe: bsm.csv: is there already; name it with --out to replace it, or another\n")
    assert (tmp_path / "bsm.csv").read_text() == "mine"
    assert call("synth", "--rows", 20, "--out", "bsm.csv")[0] == 0


def test_an_unknown_command_is_an_error(call):
    status, _, err = call("fly")
    assert status == 2
    assert "fly" in err


@pytest.mark.parametrize(
    ("rows", "made"), [("250", 250), ("2.5e2", 250), ("1_000", 1_000), ("1,000", 1_000), ("0.3k", 300), ("1K", 1_000)]
)
def test_rows_are_written_in_many_ways(call, tmp_path, rows, made):
    status, out, _ = call("synth", "--rows", rows, "--out", "m.csv")
    assert status == 0
    assert out.startswith(f"m.csv: {made:,} messages of ")
    assert (tmp_path / "m.csv").read_bytes().count(b"\n") == made + 1


@pytest.mark.parametrize("rows", ["0", "-5", "1.5", "many", "", "1e-3", "nan", "inf", "k"])
def test_what_is_no_count_of_rows_is_refused_with_examples(call, tmp_path, rows):
    status, _, err = call("synth", "--rows", rows, "--out", "m.csv")
    assert status == 2
    assert f"{rows!r} is no count of rows; write 250k or 1M" in " ".join(err.split())
    assert not (tmp_path / "m.csv").exists()


def test_the_same_seed_makes_the_same_bytes(call, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert call("synth", "--rows", 300, "--out", f"{name}.csv", "--seed", seed)[0] == 0
    a, b, c = ((tmp_path / f"{name}.csv").read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize(
    ("out", "message"), [("m.txt", "end its name in one of .csv"), ("missing/m.csv", "missing"), (".", "directory")]
)
def test_synth_says_what_is_wrong_with_a_file(call, out, message):
    status, _, err = call("synth", "--rows", 10, "--out", out)
    assert status != 0
    assert message in err


def test_the_example_is_printed_and_can_be_read(call):
    status, out, _ = call("run", "--example")
    assert status == 0
    assert tomllib.loads(out)["input"] == {"paths": ["bsm.csv"]}


def test_a_run_prints_its_accounts_and_writes_its_results_and_a_second_is_a_hit(call, configured, tmp_path):
    status, out, err = call("run", configured)
    assert status == 0
    assert "training on" in err
    assert call("run", configured, "--quiet", "--out", tmp_path / "quiet")[2] == ""
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    for said in (
        "gather",
        "clean",
        "attack",
        "features",
        "DecisionTree",
        "miss",
        "confusion_DecisionTree.png",
        "report.json",
    ):
        assert said in out
    accuracy = report["training"]["classifiers"][0]["accuracy"]
    assert f"{accuracy:.4f}" in out
    status, out, _ = call("run", configured)
    assert status == 0
    assert "hit" in out
    again = json.loads((tmp_path / "out" / "report.json").read_text())
    assert again["cache"] == {"features": "hit"}
    assert again["training"]["classifiers"][0]["accuracy"] == accuracy
    assert again["ledgers"] == report["ledgers"]


def test_options_go_before_the_file(call, configured, tmp_path):
    assert call("run", configured, "--out", tmp_path / "elsewhere")[0] == 0
    assert (tmp_path / "elsewhere" / "report.json").is_file()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["run"], 2, "name a configuration or messages, or print one: cdpipe run --example"),
        (["run", "missing.toml"], 1, "cdpipe: missing.toml: cannot be read"),
        (["run", "empty"], 1, "cdpipe: empty: the suffix '' tells no format"),
        (["run", "c.toml", "--scheduler", "cloud"], 1, "scheduler = 'cloud'"),
        (["run", "c.toml", "--scheduler", "tcp://127.0.0.1:1"], 1, "cdpipe: "),
        (["bottlenecks"], 1, "cdpipe: .asv/results"),
        (["bottlenecks", "--results", "bsm.csv"], 1, "bsm.csv"),
        (["bottlenecks", "--format", "xml"], 2, "xml"),
        (["compare"], 2, "asv.conf.json"),
        (["compare", "--from-results", "nowhere"], 2, "stored results need both commits"),
        (["compare", "HEAD~1", "HEAD", "--from-results", "nowhere"], 2, "nowhere: is not a directory"),
        (["compare", "-a", "repeat"], 2, "'repeat' is no attribute; write e.g. repeat=5"),
        (["compare", "--pairs", "3"], 2, "6"),
        (["synth", "--rows", "10", "--out", "s3://bucket/a.csv"], 2, "'s3://bucket/a.csv' is a URL"),
        (["cache", "info", "--directory", "s3://bucket/cache"], 2, "'s3://bucket/cache' is a URL"),
    ],
)
def test_what_is_wrong_is_one_message_and_a_status(call, configured, monkeypatch, words, status, message):
    monkeypatch.setattr("cdpipe.engine.sessions.connect.CONNECT_SECONDS", 0.5)
    found, _, err = call(*words)
    assert found == status
    assert message in err


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ("[attack]\nratoi = 1\n", "[attack]: unknown key 'ratoi'; did you mean 'ratio'?"),
        ("[features]\ncolumns = ['metadata_recordType']\n", "'metadata_recordType' is category, which is no feature"),
        ("[clean]\ntimestamp_parts = false\n[features]\ncolumns = 'extended_timestamps'\n", "month"),
        ("[features]\ncolumns = ['weather']\n", "has no column 'weather'"),
        ("[features]\ncolumns = ['vehicle']\n", "'vehicle'" ),
        ("[attack]\nratio = 0\n", "change attack.ratio"),
        ("[clean.filters.within]\nlatitude = 0\nlongitude = 0\nradius_m = 1\n", "outside the radius"),
        ("[session]\nmemory_limit_gb = 0.1\n", "may use 0.10 GB; raise that limit"),
    ],
)  # fmt: skip
def test_a_run_that_gives_nothing_usable_says_why_and_fails(call, configured, tables, message):
    configured.write_text(configured.read_text() + tables)
    status, _, err = call("run", configured)
    assert status == 1
    assert err.splitlines()[-1].startswith(("cdpipe: ", "c.toml: "))
    assert message.strip("'") in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"", "is empty"),
        (b"coreData_id\n", "needs a position"),
        ("coreData_id\n".encode("utf-16"), "UTF-16"),
        (b"coreData_id,coreData_position\nA1,POINT (1 2)\n", "is left"),
    ],
)
def test_an_input_that_cannot_be_used_is_named(call, configured, tmp_path, content, message):
    (tmp_path / "bsm.csv").unlink()
    if content is not None:
        (tmp_path / "bsm.csv").write_bytes(content)
    status, _, err = call("run", configured)
    assert status == 1
    assert message in err


def test_debug_shows_where_an_error_arose(configured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["--debug", "run", "missing.toml"])
    assert type(result.exception).__name__ == "ConfigError"


def test_the_cache_can_be_looked_at_and_emptied(call, configured, tmp_path):
    assert "0 entries" in call("cache", "info")[1]
    call("run", configured)
    status, out, _ = call("cache", "info")
    assert status == 0
    for said in ("2 entries", "0 hits, 2 misses, hit rate 0.0%", "gather: 1 entries", "features: 1 entries"):
        assert said in out
    with Store(CacheParams(directory=tmp_path / "caches" / "cdpipe", limit_gb=1e-9)) as looking:
        assert looking.info()["entries"] == 2
    assert "2 entries" in call("cache", "info")[1]  # who looks removes nothing, whatever the limit
    status, out, _ = call("cache", "clear")
    assert status == 0
    assert out.startswith("removed 2 entries, ")
    assert out.endswith("0 are in use\n")
    assert not list((tmp_path / "caches").rglob("*.parquet"))


def test_damage_in_the_cache_is_named_removed_and_told_in_a_sentence(call, configured, tmp_path):
    call("run", configured)
    folder = tmp_path / "caches" / "cdpipe"
    status, out, _ = call("cache", "verify")
    assert (status, out.splitlines()[0]) == (0, str(folder))
    assert re.fullmatch(r"2 entries, 0\.00\d GB checked, 0 damaged", out.splitlines()[1])

    def damage():
        (part,) = (path for path in folder.rglob("part-000000.parquet") if b'"features",\n' in manifest_of(path)[:40])
        data = bytearray(part.read_bytes())
        data[200] ^= 4
        part.write_bytes(data)
        return part.parent.name

    key = damage()
    status, out, _ = call("cache", "verify")
    fault = "part-000000.parquet has other bytes than were written there"
    assert status == 1
    assert out.splitlines()[1] == f"{key} (features) is damaged: {fault}; removed"
    assert out.splitlines()[2].endswith("2 entries, 0.000 GB checked, 1 damaged")
    assert call("cache", "verify")[0] == 0

    call("run", configured)
    assert damage() == key
    status, out, err = call("run", configured)
    assert status == 0
    assert f"cache entry {key} was damaged and is gone: {fault}" in err.splitlines()
    assert "Warning" not in out + err
    assert call("cache", "verify")[0] == 0


def manifest_of(part):
    return part.with_name("manifest.json").read_bytes()


def test_configurations_are_imported_and_what_is_lost_is_said(call, tmp_path):
    fine = {"data": {"source_file": "bsm.csv"}, "ml": {"features": ["x_pos"]}}
    (tmp_path / "fine.json").write_text(json.dumps(fine))
    (tmp_path / "odd.json").write_text(json.dumps(fine | {"weather": {"rain": 1}}))
    status, out, err = call("import-config", "fine.json", "odd.json", "--out", "made")
    assert (status, err) == (0, "")
    for said in ("fine.toml: nothing lost", "odd.toml: 1 lost", "  lost: weather.rain = 1: unknown key"):
        assert said in out
    assert out.endswith("2 files: 1 with nothing lost, 1 with losses, 0 not imported\n")
    assert tomllib.loads((tmp_path / "made" / "fine.toml").read_text())["features"] == {"columns": ["x_pos"]}
    (tmp_path / "none.json").write_text("[]")
    status, out, _ = call("import-config", "none.json", "missing.json", "fine.json")
    assert status == 1
    assert "not imported: none.json: holds a list" in out
    assert "not imported: missing.json: cannot be read" in out
    assert (tmp_path / "fine.toml").is_file()


def test_a_study_is_swept_and_its_means_are_printed(call, configured, tmp_path):
    attacks = '[[attacks]]\nkind = "swap_rand"\n[[attacks]]\nkind = "offset_rand"\nratio = 0\n'
    (tmp_path / "s.toml").write_text(
        f'seeds = [1]\nclassifiers = ["DecisionTree"]\n[base.input]\npaths = ["{tmp_path / "bsm.csv"}"]\n{attacks}'
    )
    status, out, _ = call("sweep", "s.toml", "--out", "here")
    assert status == 1  # where nobody attacks there is nothing to learn
    for said in ("swap_rand", "DecisionTree", "isAttacker = 0", "4 fits now, 2 cells in all", "tables: here"):
        assert said in out
    assert (tmp_path / "here" / "summary.tex").is_file()
    assert "0 fits now" in call("sweep", "s.toml", "--out", "here")[1]
    assert tomllib.loads(call("sweep", "--example")[1])["attacks"][0]["kind"] == "offset_rand"
    assert "name a study, or print one with --example" in call("sweep")[2]


def test_a_card_is_written_beside_the_data_set(call, configured, tmp_path):
    assert call("run", configured)[0] == 0
    status, out, err = call("card", "out")
    assert (status, err) == (0, "")
    assert re.search(r"content digest [0-9a-f]{32}: \d+ messages of 15 vehicles", out)
    assert (tmp_path / "out" / "card.md").read_text().startswith("# Data card: out")
    assert call("run", configured)[0] == 0  # a run leaves the card alone
    assert (tmp_path / "out" / "card.md").is_file()
    status, _, err = call("card", ".")
    assert status == 1
    assert "name the output folder of a run" in err


def test_another_cache_folder_can_be_named(call, tmp_path):
    status, out, _ = call("cache", "info", "--directory", tmp_path / "mine")
    assert status == 0
    assert str(tmp_path / "mine") in out
    (tmp_path / "file").write_text("")
    status, _, err = call("cache", "info", "--directory", tmp_path / "file")
    assert status == 1
    assert err.startswith("cdpipe: ")


@pytest.mark.parametrize("rules", [pytest.param("attribution", marks=pytest.mark.slow), "report"])
def test_a_profile_says_what_limits_the_run_and_where_it_is_written(call, configured, tmp_path, rules):
    status, out, _ = call("profile", configured, "--rules", rules, "--out", tmp_path / "here")
    assert status == 0
    assert out.startswith("Bottlenecks")  # a busy machine is said first there
    written = (tmp_path / "here" / "profile.md").read_text()
    for words in ("gather → clean", "attack → features", "train", "About this run"):
        assert words in written
    assert json.loads((tmp_path / "here" / "profile.json").read_text())["rules"] == rules
    for name in ("profile.txt", "profile.md", "profile.json", "dask-report.html", "report.json"):
        assert (tmp_path / "here" / name).is_file()
    assert str(tmp_path / "here" / "dask-report.html") in written
    assert not (tmp_path / "out").exists()


def test_a_profile_for_another_program_is_alone_on_standard_output(call, configured, tmp_path):
    status, out, err = call("profile", configured, "--format", "json")
    assert status == 0
    written = json.loads((tmp_path / "out" / "profile.json").read_text())
    assert json.loads(out) == {name: said for name, said in written.items() if name not in (FILES, SEAL)}
    (subject,) = json.loads(out)["subjects"]
    assert [cell["stage"] for cell in subject["cells"]] == ["gather → clean", "attack → features", "publish", "train"]
    assert subject["whole"]["rows"] == subject["cells"][0]["rows"] == 1_000
    assert "projected memory" in err
    status, out, _ = call("profile", configured, "--format", "md")
    assert status == 0
    assert out == (tmp_path / "out" / "profile.md").read_text()


def test_a_profiled_run_that_fails_prints_its_parts_and_fails(call, configured, tmp_path):
    nowhere = "[clean.filters.within]\nlatitude = 0\nlongitude = 0\nradius_m = 1\n"
    configured.write_text(configured.read_text() + nowhere)
    status, out, err = call("profile", configured)
    assert status == 1
    assert "gather → clean" in out
    assert "the run failed: no message of 1,000 is left" in out
    assert err.splitlines()[-1].startswith("cdpipe: no message of 1,000 is left")


def test_a_profile_of_what_cannot_be_read_is_one_message(call, configured, tmp_path):
    (tmp_path / "bsm.csv").unlink()
    status, out, err = call("profile", configured)
    assert (status, out.strip()) == (1, "")
    assert err.startswith("cdpipe: ")
    assert not (tmp_path / "out").exists()


def mutate(text, draw):
    """Return an example of a configuration with keys switched on, values exchanged and bytes changed."""
    lines = [line.removeprefix("# ") if " = " in line and draw.random() < 0.1 else line for line in text.splitlines()]
    for at in draw.sample(range(len(lines)), 3):
        key, is_set, _ = lines[at].partition(" = ")
        if is_set:
            lines[at] = f"{key} = {draw.choice(VALUES)}"
    data = bytearray("\n".join(lines).encode())
    for _ in range(draw.choice((0, 0, 0, 1, 3))):
        at = draw.randrange(len(data))
        data[at : at + draw.randint(0, 9)] = draw.choice(PIECES) * draw.randint(0, 50)
    return bytes(data)


VALUES = (
    *(
        "0",
        "-1",
        "1",
        "1e300",
        "1e-300",
        "inf",
        "nan",
        "true",
        "false",
        "2020-01-01",
        "[]",
        "{}",
        "[[[]]]",
        "0x1F",
        "1_0",
    ),
    *('""', '"5"', '"local"', '"tls://x:1"', '"/proc/x"', '"~no/x"', '"o[/b]"', r'"\u001b[31m"', r'"\u0000"', '"all"'),
    *('"j2735"', '["coreData_id"]', '["x"]', '["zip://a"]', '["*.nope"]', "{latitude=1,longitude=1}"),
)
PIECES = (b"[", b"]", b"{", b'"', b"'", b"\0", b"\x1b", b"=", b".", b"\xff", b"\xc3\xa9", b"#", b"\n", b"9")


@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_configuration_never_ends_in_a_trace(call, tmp_path, seed):
    draw, text = random.Random(seed), call("run", "--example")[1]
    for number in range(50):
        (tmp_path / "c.toml").write_bytes(mutate(text, draw))
        status, out, err = call("run", "c.toml")  # whose input is missing, so that no run takes long
        assert status == 1, (number, out)
        assert err.startswith("cdpipe: "), number
        assert err.replace("\n", "").isprintable(), number


def test_messages_are_run_without_a_configuration(call, configured, tmp_path):
    status, _, err = call(
        "run", "bsm.csv", "--set", "attack.kind=swap_rand", "--set", "train.classifiers=[]", "--out", "o"
    )
    assert status == 0, err
    assert json.loads((tmp_path / "o" / "report.json").read_text())["config"]["attack"]["kind"] == "swap_rand"
    status, _, _ = call("run", "o/report.json", "--out", "again")
    assert status == 0
    ledgers = [json.loads((tmp_path / name / "report.json").read_text())["ledgers"] for name in ("o", "again")]
    assert ledgers[0] == ledgers[1]


def test_a_check_and_a_run_that_do_not_fit_into_memory_say_the_same_way_out(call, configured, tmp_path):
    synthesize(tmp_path / "bsm.csv", rows=20_000)
    tight = (
        configured,
        *(word for key in ("session.memory_limit_gb=0.46", "gather.block_mb=4") for word in ("--set", key)),
    )
    status, out, err = call("check", *tight)
    assert status == 1
    assert "to do: gather → clean; attack → features; publish" in out
    said = err.splitlines()[-1]
    way_out = (
        "it would not fit: set gather.block_mb lower, or session.threads_per_worker, or raise session.memory_limit_gb"
    )
    assert re.fullmatch(rf"cdpipe: streaming: at most 0\.\d\d GB of 0\.46 GB; {way_out}", said)
    status, _, err = call("run", *tight)
    assert (status, err.splitlines()[-1]) == (1, said)
    for way in ("gather.block_mb=0.3", "session.memory_limit_gb=4"):
        assert call("check", *tight, "--set", way)[0] == 0


def test_a_check_where_not_even_the_program_fits_says_so(call, configured):
    status, _, err = call("check", configured, "--set", "session.memory_limit_gb=0.2")
    assert status == 1
    assert re.search(r"a run needs 0\.45 GB of memory before .* may use 0\.20 GB; raise that limit", err)


def test_a_check_says_what_a_run_would_do_and_writes_no_results(call, configured, tmp_path):
    status, out, _ = call("check", configured)
    assert status == 0
    for said in (
        "bsm.csv",
        "to do: gather → clean; attack → features; publish",
        "to train: DecisionTree",
        "projected memory",
    ):
        assert said in out
    assert not (tmp_path / "out").exists()


def test_the_second_run_says_what_the_cache_made_needless(call, configured):
    call("run", configured)
    assert "gather, clean, attack, features: taken from the cache" in call("run", configured)[2].splitlines()


def test_the_package_is_a_command_too(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "cdpipe", "--help"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.startswith("Usage: cdpipe ")
