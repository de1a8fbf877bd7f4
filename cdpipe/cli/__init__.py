"""Command line: parse, call, print. No logic."""

from cdpipe.cli import caches, runs, studies, suites
from cdpipe.cli.command import main

__all__ = ["caches", "main", "runs", "studies", "suites"]
