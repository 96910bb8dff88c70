"""`llmrank report`: Runs as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from llmrank.cli.options import FILE, PATH, FilePath, force_option, option


@click.command()
@click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN...")
@option("-o", "--out", default=None, type=FILE, help="HTML file to write.")
@option(
    "--figures",
    type=FilePath(file_okay=False),
    metavar="DIR",
    help="Write the figures into this folder, as SVG and PNG. Needs matplotlib.",
)
@option(
    "--audit",
    "audits",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="Include the audit in this file, the output of `llmrank audit … --json`; repeatable.",
)
@option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="Also group the gains of a RUN by this column of its Cases, or `relevant NAME`; repeatable.",
)
@force_option
def report(
    runs: tuple[Path, ...],
    out: Path | None,
    figures: Path | None,
    audits: tuple[Path, ...],
    by: tuple[str, ...],
    overwrite: bool,
) -> None:
    """Write an HTML page or figures about one RUN, or about several on the same Cases.

    The page is a single self-contained file that includes the users, the answers and the results. It always includes
    the audits that need only a RUN (position, popularity).
    """
    from llmrank.audit import read_audit
    from llmrank.report import write_figures, write_page
    from llmrank.run import load_run

    if out is None and figures is None:
        raise click.UsageError("choose an output: -o FILE for the page, --figures DIR for its figures")
    loaded, shown = [*map(load_run, runs)], [*map(read_audit, audits)]
    if out is not None:
        write_page(out, *loaded, audits=shown, by=by, overwrite=overwrite)
        click.echo(f"{out}: {out.stat().st_size / 1000:,.0f} kB")
    if figures is not None:
        for file in write_figures(figures, *loaded, audits=shown, by=by, overwrite=overwrite):
            click.echo(file)
