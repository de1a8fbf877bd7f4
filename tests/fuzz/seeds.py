"""Seeds: small made files that fuzzing begins with, and the words that readers look for."""

import bz2
import gzip
import io
import json
import lzma
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

sys.path.append(str(Path(__file__).resolve().parents[1]))

import made_files

from cdpipe.columns import SOURCE
from cdpipe.config.template import example_config

from .targets import make_parquet

_ROWS: Final = 4
_CSV: Final = (
    (
        b"metadata_generatedAt,coreData_id,coreData_position_lat,coreData_position_long,coreData_elevation,coreData_speed,"
        b'coreData_heading\n2019-07-01T06:00:01Z,A1,41.5,-106.1,2000,10,90\n2019-07-01T06:00:02Z,"A,2",,-106.1,1e3,0.5,-\r\n'
        b'2019-07-01T06:00:03Z,"A\n3",41.5,x,2000,"1""0",90\n"'
    ),
    b'\xef\xbb\xbfcoreData_id,coreData_position\r\nA1,POINT (-106.1 41.5)\r\r\nA2,"POINT(1 2"\n\\"A3\\",\n,,\n',
    b"id,id,lat\n1,2,3\n",
)
_TIMES: Final = (
    b"2019-07-01T06:00:01.123Z\n07/31/2019 10:00:00 AM\n2019-11-03 01:30:00 [ET]\n1561960801000\n1.5e12\n\n",
    (
        b"Jul 1, 2019 1:02 PM\n1-July-2019 01:02:03 GMT\n20190701T060001,5Z\n2019-07-01T06:00:01[America/New_York]\n"
        b"2016-12-31T23:59:60Z\n2019-03-10T02:30:00\n9999-12-31T23:59:59.999999+00\nnull\n"
    ),
)

_TABLES: Final = (
    b"t,id,x,y,vx,vy,hx,hy,label,lie\n28800.5,10,1.5,2,1,2,0.5,-.5,0,ok\n28801,11,1.5,2,1,2,0,0,A13,no\n28801.5,,,,,,,,,\n",
    b'lie,label,hy,hx,vy,vx,y,x,id,t\nok,benign,1,0,far,1,2,3,"a,1",2019-07-01T06:00:00Z\n,perhaps,1e308,1e308,,,,1e308,b,x\n',
    b"t,id,x,y,vx,vy,hx,hy,label\n1,2,3,4,5,6,7,8,9\n",
)

TOKENS: Final = {
    "csv": (
        *(b'"', b'""', b'\\"', b"\n", b"\r\n", b"\r\r\n", b"\r", b",", b",,", b"\0", b"\xef\xbb\xbf", b"\xff", b"nan"),
        *(b"1e300", b"-0", b"9" * 25, b"POINT (", b"2019-07-01T06:00:00Z", b"\xc3\xa9", b" ", b"\t", b"null", b"NA"),
        *(column.name.encode() for column in SOURCE),
    ),
    "json": (
        *(
            b'{"',
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b",",
            b"\n",
            b"\r\n",
            b"\0",
            b"\xef\xbb\xbf",
            b"null",
            b"true",
            b"1e999",
        ),
        *(b'"metadata"', b'"payload"', b'"data"', b'"coreData"', b'"position"', b"\\u0000", b"\\ud800", b"#", b"[[[["),
        *(b'"recordGeneratedAt"', b'"id"', b'"latitude"', b'"speed"', b"NaN", b"-0", b"9" * 25, b'"payloadType"'),
    ),
    "times": (
        *(
            b"T",
            b"Z",
            b"+05:30",
            b"-08",
            b"[ET]",
            b"[UTC]",
            b"[Asia/Tokyo]",
            b" AM",
            b" PM",
            b"GMT",
            b"Jan",
            b"December",
        ),
        *(b":60", b".999999999", b",", b"24:00", b"/", b"-", b"0000", b"9999", b"e12", b"\n", b"\0", b"+99:99"),
    ),
    "config": (
        *(
            b"[input]\n",
            b"paths = ['a.csv']\n",
            b"[[",
            b"]]",
            b"{",
            b"}",
            b"inf",
            b"nan",
            b"1e300",
            b"true",
            b"'",
            b'"""',
        ),
        *(b"\n", b"=", b".", b"\\u0000", b"[attack]\n", b"kind = ", b"[clean.filters.", b"1979-05-27T07:32:00Z", b"\0"),
        *(b"[cache]\n", b"limit_gb = ", b"[session]\n", b"memory_limit_gb = ", b"[train]\n", b"-1", b"9" * 30, b"#"),
    ),
}
TOKENS["trace"] = (
    *TOKENS["json"][:12],
    *(b'"type":2', b'"type":4', b'"attackerType":3', b'"sender":"x"', b'"pos":[1e308,1e308]', b"9" * 30, b'"hed"'),
    *(b'"spd"', b'"sendTime"', b"NaN", b"-1", b"1,2,3", b'"sender_id"', b"\\ud800", b"\xff"),
)
TOKENS["table"] = (
    *(
        b'"',
        b'""',
        b"\n",
        b"\r\n",
        b",",
        b"\0",
        b"\xff",
        b"nan",
        b"inf",
        b"1e308",
        b"-1e308",
        b"9" * 30,
        b"1564576919500",
    ),
    *(b"A13", b"benign", b"ok", b"perhaps", b"true", b" ", b"2019-07-01T06:00:00Z", b"1e10", b"t,", b"vx", b"label"),
)
TOKENS["packed"] = (
    b"\x1f\x8b\x08",
    b"BZh9",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"ustar",
)
TOKENS["parquet"] = (
    b"PAR1",
    b"R",
    b"|",
    b"\n",
    *(bytes([place, kind]) for place in range(0, 20, 3) for kind in range(17)),
)


def make_seeds(reader: str) -> list[bytes]:
    """Return the files that fuzzing of a reader begins with."""
    if reader == "csv":
        return [*_CSV, *(_cut(data) for data in _made_csv())]
    if reader == "json":
        lines = [_slim(made_files.make_record(row)) for row in range(_ROWS)]
        broken = ["# a comment", '{"foo": "bar"}', "", json.dumps(lines[0])[:200], json.dumps(lines[1])]
        spread, bundle = json.dumps(lines[:2], indent=1), json.dumps(lines)
        joined = "".join(map(json.dumps, lines))
        texts = [*map(json.dumps, lines), "\n".join(broken), spread, bundle, joined, "[{}]"]
        return [text.encode() + b"\n" for text in texts]
    if reader == "trace":
        return [text.encode() for text in _made_traces()]
    if reader == "table":
        return [*_TABLES]
    if reader == "times":
        return [*_TIMES]
    if reader == "config":
        table = {"input": {"paths": ["a.csv"]}, "attack": {"kind": "swap_rand", "ratio": 0.3}, "train": None}
        return [example_config().encode()[:4000], json.dumps(table).encode(), b"[input]\npaths = ['a.csv']\n"]
    if reader == "packed":
        return [*_pack(_CSV[0])]
    recipes = [bytes([place, kind]) + b"1.5|abc||2019-07-01" for kind in range(17) for place in (0, 7, 11)]
    made = [b"\n".join(recipes[start : start + 6]) for start in range(0, len(recipes), 6)]
    whole = make_parquet(b"\n".join(recipes[:2]))
    return [*(b"R" + recipe for recipe in made), whole, whole[:-9], b"PAR1PAR1"]


def _made_traces() -> list[str]:
    """Make records of VeReMi, of each type, on lines and in an array of NextGen."""
    vectors = {name: [1.5, -2.0, 0.0] for name in ("pos", "pos_noise", "spd", "spd_noise", "acl", "acl_noise", "hed")}
    own = {"type": 2, "rcvTime": 25237.0, **vectors}
    seen = {"type": 3, "rcvTime": 5.5, "sendTime": 5.25, "sender": 81, "senderPseudo": 10812, "messageID": 7, **vectors}
    sent = {"type": 4, "sendTime": 5.25, "sender": 81, "attackerType": 4, "messageID": 7, **vectors}
    nested = {"pos": "1.5,2,3", "pos_noise": "0,0,0", "spd": 3, "acl": -1, "hed": 370}
    item = {
        "rcvTime": 1,
        "sendTime": 5_000_000_000,
        "sender_id": "veh_1",
        "messageID": 1,
        "attacker": 1,
        "sender": nested,
    }
    lines = "".join(f"{json.dumps(each)}\n" for each in (own, seen, sent, {"type": 7}, seen))
    return [lines, json.dumps([item, item], indent=1), json.dumps([item, seen]), json.dumps(seen), "{not json\n[1]\n"]


def _slim(record: dict[str, Any]) -> dict[str, Any]:
    """Leave of a record what is read, so that little of what fuzzing changes is of no consequence."""
    core = record["payload"]["data"]["coreData"]
    kept = ("id", "msgCnt", "secMark", "position", "speed", "heading")
    metadata = {name: record["metadata"][name] for name in ("recordGeneratedAt", "payloadType")}
    return {"metadata": metadata, "payload": {"data": {"coreData": {name: core[name] for name in kept}}}}


def _made_csv() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        makers = (made_files.write_dot_csv, made_files.write_raw_csv, made_files.write_simulated_csv)
        return [make(path).read_bytes() for make in makers]


def _cut(data: bytes) -> bytes:
    return b"".join(data.splitlines(keepends=True)[: _ROWS + 1])


def _pack(data: bytes) -> list[bytes]:
    archive, rolled = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("a.csv", data)
    with tarfile.open(fileobj=rolled, mode="w") as tar:
        member = tarfile.TarInfo("a.csv")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    zst = pa.compress(data, "zstd", asbytes=True)
    return [gzip.compress(data), bz2.compress(data), lzma.compress(data), zst, archive.getvalue(), rolled.getvalue()]
