"""Evaluation on a terminal: two small tables, of messages and of vehicles."""

from rich.console import Console

from cdpipe.reports.evaluation_rows import (
    MESSAGE_HEADINGS,
    VEHICLE_HEADINGS,
    list_message_rows,
    list_vehicle_rows,
    title_evaluation,
)
from cdpipe.terminal.tables import Column, print_table
from cdpipe.training.evaluation.result import Evaluation


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """Print how well classifiers judge messages and vehicles, in at most 80 columns."""
    vehicles = "judged by vehicle; messages until half of the attackers are alarmed"
    for title, headings, rows in (
        (title_evaluation(evaluation), MESSAGE_HEADINGS, list_message_rows(evaluation)),
        (vehicles, VEHICLE_HEADINGS, list_vehicle_rows(evaluation)),
    ):
        cells = zip(*rows, strict=True)
        columns = [Column(name, each, is_text=True) for name, each in zip(headings, cells, strict=True)]
        print_table(console, title, columns)
