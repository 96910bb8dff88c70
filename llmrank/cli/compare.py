"""`llmrank compare`: which of several Runs is better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from llmrank.cli.options import json_option, option

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=_FOLDER, metavar="RUN RUN...")
@option("--measures", default=None, help="Such as NDCG@10,HR@5,MRR.  [default: those that all Runs chose]")
@option("--to", "form", default="text", show_default=True, type=click.Choice(["text", "markdown", "latex"]))
@json_option
def compare(
    runs: tuple[Path, ...], measures: str | None, form: Literal["text", "markdown", "latex"], as_json: bool
) -> None:
    """Compare Runs on the Cases that all of them have; every difference is the later Run minus the earlier one."""
    from llmrank.report import console
    from llmrank.run import compare, load_run

    if len(runs) < 2:
        raise click.UsageError("name at least two Runs")
    first, second, *more = map(load_run, runs)
    to = console()
    width = to.width if to.is_terminal else None
    found = compare(first, second, *more, measures=measures)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        click.echo(
            {"text": lambda: found.text(width) + "\n", "markdown": found.to_markdown, "latex": found.to_latex}[form](),
            nl=False,
        )
