"""Commands on studies: sweep, card, import-config."""

from __future__ import annotations

from pathlib import Path

import click

from cdpipe.cli.command import explaining, main
from cdpipe.cli.options import LocalPath


@main.command("sweep", short_help="Run a study: attacks, seeds, classifiers.")
@click.argument("study", type=LocalPath(path_type=Path), required=False)
@click.option("--example", is_flag=True, help="Print a commented study and stop.")
@click.option(
    "--out", type=LocalPath(file_okay=False, path_type=Path), help="Instead of directory: where the study goes."
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def sweep_command(study: Path | None, out: Path | None, *, example: bool, quiet: bool) -> None:
    """Run every attack, seed, split and classifier of STUDY (TOML or JSON) that has not been run yet.

    Cells that are done are kept, whatever ends the command. The status is 1 if a cell could not be done.
    """
    with explaining():
        if example:
            from cdpipe.studies.sweep.template import example_study

            click.echo(example_study(), nl=False)
            return
        if study is None:
            raise click.UsageError("name a study, or print one with --example")
        from cdpipe.studies.sweep.params import load_study
        from cdpipe.studies.sweep.sweep import sweep
        from cdpipe.terminal.progress import choose_progress
        from cdpipe.terminal.reports import show_study

        chosen = load_study(study, directory=out)
        made = show_study(
            lambda observer, on_cell: sweep(chosen, observer=observer, on_cell=on_cell), choose_progress(quiet=quiet)
        )
    if made.failed:
        raise SystemExit(1)


@main.command("card", short_help="Write the data card of a data set.")
@click.argument("folder", type=LocalPath(path_type=Path))
@click.option("--out", type=LocalPath(file_okay=False, path_type=Path), help="Folder of the card.  [default: FOLDER]")
def card_command(folder: Path, out: Path | None) -> None:
    """Write the data card of a run's output FOLDER: card.md and card.json."""
    with explaining():
        from cdpipe.studies.card.writing import write_card

        facts = write_card(folder, out=out)
    from cdpipe.plain import show_plain

    data = facts["data"]
    click.echo(f"content digest {data['content_digest']}: {data['rows']:,} messages of {data['vehicles']:,} vehicles")
    click.echo(show_plain(f"card: {(out or folder) / 'card.md'}"))


@main.command("import-config", short_help="Write JSON configurations as TOML.")
@click.argument("files", type=LocalPath(path_type=Path), nargs=-1, required=True)
@click.option(
    "--out", type=LocalPath(file_okay=False, path_type=Path), help="Folder of the TOML files.  [default: beside each]"
)
@click.option("--input", "data", help="Input of all of them, instead of what the files name.")
def import_command(files: tuple[Path, ...], out: Path | None, data: str | None) -> None:
    """Write JSON configurations of the pipeline people use today as TOML, and name what is lost.

    FILES are JSON files, or folders of them. The status is 1 if one of them could not be imported.
    """
    with explaining():
        from cdpipe.studies.importing.writing import find_sources, import_files
        from cdpipe.terminal.reports import show_imports

        failed = show_imports(import_files(find_sources(files), folder=out, data=data))
    if failed:
        raise SystemExit(1)
