"""A scheduler and its one worker in one process, for tests that end it: `python -m tests.engine.tiny_cluster FILE`."""

import json
import sys
import threading
from pathlib import Path

from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
    ) as cluster:
        file = Path(sys.argv[1])
        file.with_suffix(".new").write_text(json.dumps({"address": cluster.scheduler_address}))
        file.with_suffix(".new").replace(file)
        threading.Event().wait()
