"""The whole job in DuckDB: a program of its own, which knows nothing of cdpipe.

As its documentation recommends (duckdb.org/docs: guides/performance/how_to_tune_workloads, data/csv/overview,
data/parquet/overview): the order of rows is not kept, types of the CSV are given where they would be guessed wrong,
filters stand in the query that reads the file, and `copy … to` writes Parquet. Threads and memory are as it chooses.
The attackers are exactly so many of the vehicles that are left, so those rows become a temporary table first.
"""

import json
import sys
from typing import Any


def main(job: dict[str, Any]) -> None:
    """Do the job that `benchmarks._peers.jobs.job.describe` describes."""
    import duckdb

    database = duckdb.connect()
    database.execute("set preserve_insertion_order = false; set enable_progress_bar = false")
    database.execute(f"create temp table remaining as {_left(job)}")
    database.execute(
        f"create temp table bad as with ids as (select distinct {job['id']} from remaining) select {job['id']} "
        f"from ids order by hash({job['id']}) limit (select round({job['ratio']} * count(*))::bigint from ids)"
    )
    database.execute(f"copy ({_result(job)}) to '{job['out']}' (format parquet, compression uncompressed)")


def _left(job: dict[str, Any]) -> str:
    """Return the query for the rows without a null, within the radius."""
    source, texts = job["source"], ", ".join(f"'{name}': 'VARCHAR'" for name in job["texts"])
    if source.endswith(".csv"):
        scan = f"read_csv('{source}', header = true, types = {{{texts}}})"
    else:
        scan = f"read_parquet('{source}')"
    latitude, longitude = job["position"]
    some = " and ".join(f"{name} is not null" for name in job["columns"])
    h = (
        f"pow(sin(radians({latitude} - {job['centre_lat']}) / 2), 2) + cos(radians({latitude}))"
        f" * cos(radians({job['centre_lat']})) * pow(sin(radians({longitude} - ({job['centre_lon']})) / 2), 2)"
    )
    (south, north), (west, east) = job["latitudes"], job["longitudes"]
    return (
        f"select {', '.join(job['columns'])}, {latitude} as y_pos, {longitude} as x_pos from {scan} where {some}"
        f" and {latitude} between {south} and {north} and {longitude} between {west} and {east}"
        f" and 2 * {job['earth_m']} * asin(sqrt({h})) <= {job['radius_m']}"
    )


def _result(job: dict[str, Any]) -> str:
    """Return the query for the labelled rows: time and its parts, the id as a number, attackers moved."""
    time, vehicle = job["time"], job["id"]
    drawn = f"random() * 2 * pi() as bearing, {job['min_m']} + random() * {job['max_m'] - job['min_m']} as metres"
    rows = (
        f"select r.* replace (strptime({time}, '{job['stamp']}') as {time}), {drawn}, bad.{vehicle} is not null as hit"
        f" from remaining r left join bad on r.{vehicle} = bad.{vehicle}"
    )
    north, east = (f"metres * {part}(bearing) / {job['metres_a_degree']}" for part in ("cos", "sin"))
    kept = ", ".join(name for name in job["columns"] if name != vehicle)
    parts = ", ".join(f"{part}({time}) as {part}" for part in job["parts"])
    return (
        f"select {kept}, ('0x' || {vehicle})::uinteger as {vehicle}, {parts}, hit::tinyint as {job['label']},"
        f" case when hit then y_pos + {north} else y_pos end as y_pos,"
        f" case when hit then x_pos + {east} / cos(radians(y_pos)) else x_pos end as x_pos from ({rows})"
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
