"""Made files: invented messages of two vehicles nearly at rest, in the shapes that agencies publish."""

import csv
import gzip
import io
import json
from datetime import datetime, timedelta
from pathlib import Path

DOT_ROWS, EVENT_ROWS, SENT_ROWS = 120, 60, 16
START = datetime(2020, 2, 20, 21, 45, 20, 478_000)  # noqa: DTZ001 - the published files name no zone
VEHICLES = (("61A04B77", 41.1754, -104.8265), ("9C3E0D15", 41.1519, -104.6567))
DOT_COLUMNS = (
    *("metadata_generatedAt", "metadata_recordType", "metadata_serialId_streamId", "metadata_serialId_bundleSize"),
    *("metadata_serialId_bundleId", "metadata_serialId_recordId", "metadata_serialId_serialNumber"),
    *("metadata_receivedAt", "coreData_id", "coreData_msgCnt", "coreData_secMark", "coreData_position_lat"),
    *("coreData_position_long", "coreData_accuracy_semiMajor", "coreData_accuracy_semiMinor", "coreData_elevation"),
    *("coreData_accelset_accelYaw", "coreData_speed", "coreData_heading", "coreData_position"),
)


def write_dot_csv(path: Path) -> Path:
    """Write `DOT_ROWS` rows: times in milliseconds without a zone, marks of another clock, three empty columns."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(DOT_COLUMNS)
    for row in range(DOT_ROWS):
        name, lat, lon = VEHICLES[row % 2]
        at = (START + timedelta(milliseconds=51 * row + row % 3)).isoformat(timespec="milliseconds")
        lat, lon = f"{lat + 1e-7 * (row % 11):.7f}", f"{lon - 1e-7 * (row % 7):.7f}"
        head = (at, "bsmLogDuringEvent", "", DOT_ROWS, "", row + 1, "", at, name, row // 2 % 128, 19_850 + 50 * row)
        rest = ("1.45", "0.35", f"{1856 + row % 5 / 10:.1f}", f"{(row % 5 - 2) / 100:.2f}", f"{row % 13 / 100:.2f}")
        table.writerow((*head, lat, lon, *rest, f"{79.2 + row % 9 / 80:.4f}", f"POINT ({lon} {lat})"))
    path.write_text(text.getvalue())
    return path


def write_ode_json(path: Path, *, rows: int = EVENT_ROWS) -> Path:
    """Write that many records of ODE schema 6, one a line, the newest first."""
    path.write_text("".join(json.dumps(make_record(row, rows=rows)) + "\n" for row in reversed(range(rows))))
    return path


def make_record(row: int, *, rows: int = EVENT_ROWS) -> dict:
    """Make one record of ODE schema 6, with what follows the core data of a message too."""
    name, lat, lon = VEHICLES[row % 2]
    at = START + timedelta(milliseconds=51 * row)
    core = {
        "msgCnt": row % 128,
        "id": name,
        "secMark": (19_850 + 50 * row) % 60_000,
        "position": {"latitude": round(lat + 1e-7 * row, 7), "longitude": lon, "elevation": 1472.8},
        "accelSet": {"accelLat": 0.0, "accelLong": 0.52, "accelVert": 0.0, "accelYaw": round(row % 5 / 100, 2)},
        "accuracy": {"semiMajor": 9.3, "semiMinor": 12.05},
        "transmission": "NEUTRAL",
        "speed": row % 13 / 100,
        "heading": 250.9125,
        "brakes": {"wheelBrakes": {"leftFront": False, "unavailable": True}, "abs": "unavailable"},
        "size": {"width": 190, "length": 570},
    }
    crumbs = [{"elevationOffset": 0.3, "latOffset": 3e-7, "lonOffset": -1.06e-5, "timeOffset": 0.59}]
    extension = {"id": "VehicleSafetyExtensions", "value": {"pathHistory": {"crumbData": crumbs}}}
    metadata = {
        "bsmSource": "RV",
        "recordType": "bsmLogDuringEvent",
        "receivedMessageDetails": {"locationData": {"latitude": str(lat), "speed": "0.14"}, "rxSource": "NA"},
        "payloadType": "us.dot.its.jpo.ode.model.OdeBsmPayload",
        "serialId": {"streamId": "5a5a", "bundleSize": rows, "bundleId": 71, "recordId": row, "serialNumber": row},
        "odeReceivedAt": "2020-02-21T07:00:12.352Z",
        "schemaVersion": 6,
        "recordGeneratedAt": at.isoformat(timespec="milliseconds") + "Z",
    }
    return {"metadata": metadata, "payload": {"data": {"coreData": core, "partII": [extension]}}}


def make_broken_lines() -> list[tuple[str, str | None]]:
    """Make lines with faults that agencies test their validators with, each with its reject's code; None: a row."""

    def changed(**core):
        record = make_record(3)
        record["payload"]["data"]["coreData"].update(core)
        return record

    old, other = make_record(4), make_record(5)
    old["metadata"] = {"receivedAt": "2017-08-02T19:56:45.822Z[UTC]", "schemaVersion": 1}
    bare = {"payload": make_record(6)["payload"]}
    no_core = changed()
    del no_core["payload"]["data"]["coreData"]
    no_position = changed()
    del no_position["payload"]["data"]["coreData"]["position"]
    other["metadata"]["payloadType"] = "us.dot.its.jpo.ode.model.OdeTIMPayload"
    other["payload"] = {"dataType": "us.dot.its.jpo.ode.model.OdeTIMPayload", "data": {"MessageFrame": {}}}
    found = [
        ("# six records of a bundle", "comment"),
        (make_record(0), None),
        (bare, None),
        (old, None),
        ({"foo": "bar"}, "not a BSM"),
        (no_core, "not a BSM"),
        (changed(speed="foo"), "coreData_speed: not a number"),
        (changed(speed=None), None),
        ("## the next has no position", "comment"),
        (no_position, None),
        (changed(position={"latitude": "foo", "longitude": -104.8}), "coreData_position_lat: not a number"),
        (changed(id=3.145), "coreData_id: not text"),
        (other, "not a BSM"),
    ]
    return [(each if isinstance(each, str) else json.dumps(each), code) for each, code in found]


def write_broken_json(path: Path) -> Path:
    """Write `make_broken_lines`, each followed by an empty line."""
    path.write_text("".join(f"{line}\n\n" for line, _ in make_broken_lines()))
    return path


def write_raw_csv(path: Path) -> Path:
    """Write a log as raw integers of SAE J2735, under names that are not the DOT's."""
    rows = [f"{row},9C3E0D15,{19_950 + row},411519323,-1046567016,18074,0,23538" for row in range(20)]
    path.write_text("\n".join(["record,id,secMark,lat,long,elev,speed,heading", *rows]) + "\n")
    return path


def write_simulated_csv(path: Path) -> Path:
    """Write messages as simulations publish them: metres, vectors, the attack's number; packed if the name says so."""
    rows = [f"{28800 + row / 10},{row % 7},{1109.5 + row},{959.4 - row},12.8,3.3,{row % 2}" for row in range(50)]
    data = "\n".join(["sendTime,sender_id,pos_x,pos_y,spd_x,spd_y,nttack", *rows]).encode() + b"\n"
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path
