"""`llmrank export`: a Run in the formats of other tools, and in experiment trackers."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, get_args

import click

from llmrank.cli.options import PATH, force_option, option
from llmrank.cli.output import say
from llmrank.run.export import ExportFormat
from llmrank.run.tracking import Tracker


@click.command()
@click.argument("run", type=PATH)
@option(
    "--to",
    "form",
    required=True,
    type=click.Choice([*get_args(ExportFormat), *get_args(Tracker)]),
    help="Format of the rankings or the table, or a tracker.",
)
@click.option("-o", "--out", help="File to write; for mlflow the tracking URI, for wandb the folder.")
@option("--project", help="The wandb project, or the MLflow experiment.  [default: the tracker's]")
@option("--no-files", is_flag=True, help="Do not upload the files of RUN to the tracker. They contain user data.")
@force_option
def export(
    run: Path,
    form: Any,  # noqa: ANN401 - click has checked it
    out: str | None,
    project: str | None,
    no_files: bool,
    overwrite: bool,
) -> None:
    """Export RUN as TREC run and qrels, CSV, Parquet, LaTeX or Markdown; or log it to MLflow or Weights & Biases.

    Tied items get equal scores, and trec_eval orders them by id. A Case whose answer could not be parsed has no line in
    a TREC run: trec_eval -c counts it as 0, while llmrank counts it as the worst ranking, whose MRR is above 0.
    """
    from llmrank.run import load_run
    from llmrank.run.export import export_notes

    if form in get_args(Tracker):
        with redirect_stdout(sys.stderr):  # MLflow prints messages on stdout
            made = load_run(run).track(form, where=out, project=project, files=not no_files)
        click.echo(made)
        return
    if out is None:
        raise click.UsageError("give the file to write: -o FILE")
    found = load_run(run)
    for note in export_notes(found, form):
        say(note)
    for path in found.export(out, form, overwrite=overwrite):
        click.echo(str(path))
