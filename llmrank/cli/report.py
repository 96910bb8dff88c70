"""`llmrank report`: Runs as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from llmrank.cli.options import option


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The HTML file.")
@option(
    "--audit",
    "audits",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also show what `llmrank audit … --json` printed into this file; can be given again.",
)
@option("--force", is_flag=True, help="Overwrite the file if it is there.")
def report(runs: tuple[Path, ...], output: Path, audits: tuple[Path, ...], force: bool) -> None:
    """Write a page about one RUN, or about several on the same Cases.

    The page is one file that opens from disk, with the users, the answers and the numbers in it. It loads nothing from
    elsewhere. Of the audits, those that need nothing but a RUN (position, popularity) are in it by themselves.
    """
    from llmrank.audit import read_audit
    from llmrank.report import write_page
    from llmrank.run import load_run

    write_page(output, *map(load_run, runs), audits=[*map(read_audit, audits)], overwrite=force)
    click.echo(f"{output}: {output.stat().st_size / 1000:,.0f} kB")
