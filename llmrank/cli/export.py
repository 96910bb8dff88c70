"""`llmrank export`: a Run in the formats of other tools, and in experiment trackers."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, get_args

import click

from llmrank.cli.options import option
from llmrank.run.export import ExportFormat
from llmrank.run.tracking import Tracker


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@option(
    "--to",
    "form",
    required=True,
    type=click.Choice([*get_args(ExportFormat), *get_args(Tracker)]),
    help="The rankings, the table of the numbers, or a tracker.",
)
@click.option("-o", "--output", help="The file to write; for mlflow the tracking URI, for wandb the folder.")
@option("--project", help="The project of wandb, or MLflow's experiment.  [default: the tracker's]")
@option("--no-files", is_flag=True, help="Do not add the files of RUN to the tracker: they hold what users did.")
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
def export(
    run: Path,
    form: Any,  # noqa: ANN401 - click has checked it
    output: str | None,
    project: str | None,
    no_files: bool,
    force: bool,
) -> None:
    """Write RUN as TREC run and qrels, CSV, Parquet, LaTeX or Markdown; or log it in MLflow or Weights & Biases.

    Ties are written as equal scores, which trec_eval orders by id. A Case without a readable answer has no line in a
    TREC run: trec_eval -c counts it as 0, and llmrank as the worst ranking, whose MRR is above 0.
    """
    from llmrank.run import load_run

    if form in get_args(Tracker):
        with redirect_stdout(sys.stderr):  # what MLflow prints of its server is not the result
            made = load_run(run).track(form, where=output, project=project, files=not no_files)
        click.echo(made)
        return
    if output is None:
        raise click.UsageError("name the file to write: -o FILE")
    found = load_run(run)
    if found.unfinished:
        click.echo(f"{run} is not finished: {found.unfinished} of its {len(found)} Cases are left out.", err=True)
    for path in found.export(output, form, overwrite=force):
        click.echo(str(path))
