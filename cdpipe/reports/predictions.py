"""Predictions: a Parquet file with a row for each message that was tested, each classifier and each repeat."""

import os
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cdpipe.oserrors import naming
from cdpipe.training.evaluation.result import Predictions

PREDICTIONS: Final = "predictions.parquet"

_SCHEMA: Final = pa.schema(
    {
        "classifier": pa.dictionary(pa.int32(), pa.string()),
        "repeat": pa.int16(),
        "fold": pa.int16(),
        "row_number": pa.int64(),
        "vehicle": pa.uint64(),
        "time_us": pa.int64(),
        "label": pa.int8(),
        "alarm": pa.int8(),
        "score": pa.float32(),
    }
)
_GROUP_ROWS: Final = 1 << 20


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write predictions, in the order of classifiers, repeats and row numbers.

    Parameters
    ----------
    predictions
        What was said of each message.
    path
        File to write.
    """
    with naming(path), path.open("wb") as stream, pq.ParquetWriter(stream, _SCHEMA, compression="zstd") as writer:
        for name, alarms in predictions.alarm.items():
            for repeat, (alarm, score) in enumerate(zip(alarms, predictions.score[name], strict=True)):
                for start in range(0, alarm.size, _GROUP_ROWS):
                    rows = slice(start, start + _GROUP_ROWS)
                    writer.write_table(_make_table(predictions, name, repeat, rows, alarm[rows], score[rows]))
        writer.close()
        stream.flush()
        os.fsync(stream.fileno())


def _make_table(
    predictions: Predictions,
    name: str,
    repeat: int,
    rows: slice,
    alarm: NDArray[np.int8],
    score: NDArray[np.float32],
) -> pa.Table:
    count = alarm.size
    columns = [
        pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), [name]),
        np.full(count, repeat, np.int16),
        predictions.fold[repeat][rows],
        predictions.row_number[rows],
        predictions.vehicle[rows],
        predictions.time_us[rows],
        predictions.label[rows],
        alarm,
        score,
    ]
    return pa.table([pa.array(each) for each in columns], schema=_SCHEMA)
