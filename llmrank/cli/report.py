"""`llmrank report`: Runs as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from llmrank.cli.options import option


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@option("-o", "--output", default=None, type=click.Path(path_type=Path, dir_okay=False), help="The HTML file.")
@option(
    "--figures",
    default=None,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the figures into this folder, each as SVG and as PNG. Needs matplotlib.",
)
@option(
    "--audit",
    "audits",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also show what `llmrank audit … --json` printed into this file; can be given again.",
)
@option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="Also show for whom a RUN gains by this further column of its Cases; can be given again.",
)
@option("--force", is_flag=True, help="Overwrite files that are there.")
def report(
    runs: tuple[Path, ...],
    output: Path | None,
    figures: Path | None,
    audits: tuple[Path, ...],
    by: tuple[str, ...],
    force: bool,
) -> None:
    """Write a page about one RUN, or about several on the same Cases, or its figures.

    The page is one file that opens from disk, with the users, the answers and the numbers in it. It loads nothing from
    elsewhere. Of the audits, those that need nothing but a RUN (position, popularity) are in it by themselves.
    """
    from llmrank.audit import read_audit
    from llmrank.report import write_figures, write_page
    from llmrank.run import load_run

    if output is None and figures is None:
        raise click.UsageError("say what to write: -o FILE for the page, --figures DIR for its figures")
    loaded, shown = [*map(load_run, runs)], [*map(read_audit, audits)]
    if figures is not None:
        for file in write_figures(figures, *loaded, by=by, overwrite=force):
            click.echo(file)
    if output is not None:
        write_page(output, *loaded, audits=shown, by=by, overwrite=force)
        click.echo(f"{output}: {output.stat().st_size / 1000:,.0f} kB")
