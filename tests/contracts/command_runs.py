"""Runs by the command line, of inputs that tests write: a few good lines, and what is made of them."""

import json

from click.testing import CliRunner
from contract_data import config_of

from cdpipe.cli import main
from cdpipe.training.classifiers import CLASSIFIERS

TINY = {"trees": 5, "neighbors": 1, "split": "row", "classifiers": [*CLASSIFIERS]}
"""Two vehicles cannot be split by vehicle with a class on each side."""

BY_ROW = {"choose_by": "row", "ratio": 0.5}
GOOD_LINE = "2019-07-01T06:00:0{i}Z,A{i},41.5,-106.{i},2000,10,90"
HEADER = "metadata_generatedAt,coreData_id,coreData_position_lat,coreData_position_long,coreData_elevation,"
HEADER += "coreData_speed,coreData_heading"
GOOD = "\n".join([HEADER, *(GOOD_LINE.format(i=i) for i in range(10))]) + "\n"


def command(*arguments):
    """Run the command line; what it said, with no traceback whatever happened."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert "Traceback" not in done.output
    return done


def command_run(folder, *paths, **tables):
    """Run a configuration file of these inputs by the command line."""
    given = config_of(paths, folder, **{"train": TINY, "attack": BY_ROW, **tables}).model_dump(
        mode="json", exclude_unset=True
    )
    (folder / "run.json").write_text(json.dumps(given))
    return command("run", folder / "run.json")


def write(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
