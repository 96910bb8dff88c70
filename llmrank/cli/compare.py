"""`llmrank compare`: which of several Runs is better."""

from __future__ import annotations

from pathlib import Path

import click

from llmrank.cli.options import PATH, json_option, option
from llmrank.cli.output import show_json


@click.command()
@click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN RUN...")
@option("--measures", default=None, help="For example NDCG@10,HR@5,MRR.  [default: the measures that all Runs share]")
@option(
    "--to",
    "form",
    default="text",
    show_default=True,
    type=click.Choice(["text", "markdown", "latex"]),
    help="Format of the table.",
)
@json_option
def compare(runs: tuple[Path, ...], measures: str | None, form: str, as_json: bool) -> None:
    """Compare Runs on the Cases they share. Every difference is the later Run minus the earlier one."""
    from llmrank.report import console
    from llmrank.run import compare, load_run

    if len(runs) < 2:
        raise click.UsageError("give at least two Runs")
    first, second, *more = map(load_run, runs)
    found = compare(first, second, *more, measures=measures)
    if as_json:
        show_json(found.to_dict())
    elif form == "text":
        to = console()
        click.echo(found.text(to.width if to.is_terminal else None))
    else:
        click.echo(found.to_markdown() if form == "markdown" else found.to_latex(), nl=False)
