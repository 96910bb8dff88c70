"""`llmrank export`: a Run in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from llmrank.cli.options import option
from llmrank.run.export import ExportFormat


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@option(
    "--to",
    "form",
    required=True,
    type=click.Choice(get_args(ExportFormat)),
    help="The rankings, or the table of the numbers.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
def export(run: Path, form: ExportFormat, output: Path, force: bool) -> None:
    """Write RUN as a TREC run with its qrels, as CSV or Parquet, or its table as LaTeX or Markdown.

    Ties are written as equal scores. Cases without a readable answer have no line in a TREC run: use trec_eval -c.
    """
    from llmrank.run import load_run

    for path in load_run(run).export(output, form, overwrite=force):
        click.echo(str(path))
