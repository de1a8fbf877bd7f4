"""Destinations of results: a folder on a disk, or a URL of an object store."""

from pathlib import Path

from cdpipe.engine.outputs.object_outputs import ObjectFolder, ObjectResults
from cdpipe.engine.outputs.output_folder import LocalFolder, Results

OutputFolder = LocalFolder | ObjectFolder
OutputResults = Results | ObjectResults


def open_folder(directory: Path | str) -> OutputFolder:
    """Return the output folder at a path or URL; nothing is made yet."""
    return LocalFolder(directory) if isinstance(directory, Path) else ObjectFolder(directory)
