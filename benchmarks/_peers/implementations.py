"""Everyone who is compared, by name."""

from typing import Final

from benchmarks._peers.implementation import Implementation
from benchmarks._peers.in_duckdb import DuckDB
from benchmarks._peers.in_pandas import Pandas
from benchmarks._peers.in_polars import Polars
from benchmarks._peers.ours import Ours

BY_NAME: Final[dict[str, type[Implementation]]] = {each.name: each for each in (Ours, Polars, DuckDB, Pandas)}
