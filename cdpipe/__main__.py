"""The command line as a module: `python -m cdpipe`."""

from cdpipe.cli import main

main(prog_name="cdpipe")
