"""`llmrank recall`: build a candidate file out of a data set."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from llmrank.cli.options import GroupedCommand, config_option, json_option, option, settings_from, settings_options
from llmrank.evaluation.settings import CaseSettings


@click.command(cls=GroupedCommand)
@option(
    "--model",
    "--recall",
    "model",
    default="ease",
    show_default=True,
    help="ease, itemknn, popularity, random; trained: ials, bpr, sasrec, bert4rec, hstu, bst, autoint, ctrl; or one of "
    "another package.",
    envvar="LLMRANK_RECALL",
)
@option("--users", default=0, show_default=True, type=click.IntRange(0), help="Users drawn by the seed; 0: all.")
@settings_options(CaseSettings, "data", without=["recall", "users", "force_target", "skip_bad_rows"])
@option("--neighbours", default=None, type=click.IntRange(1), help="itemknn: neighbours per item.  [default: 100]")
@option("--l2", default=None, type=float, help="ease: regularisation.  [default: 500]")
@option("--keep-seen", is_flag=True, help="Propose items, too, that the user has had already.")
@option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="File to write: .parquet, .jsonl or .jsonl.gz."
)
@option("--force", is_flag=True, help="Overwrite a file that exists.")
@json_option
@config_option
def recall(
    *,
    model: str,
    users: int,
    neighbours: int | None,
    l2: float | None,
    keep_seen: bool,
    out: Path,
    force: bool,
    as_json: bool,
    **values: Any,  # noqa: ANN401 - the settings
) -> None:
    """Propose k candidates for each user and write them, with history and what came next, as a candidate file."""
    from llmrank.evaluation.propose import propose

    settings = replace(settings_from(CaseSettings, values), recall=model, users=users)
    given = {"neighbours": neighbours, "l2": l2}
    parameters = {name: value for name, value in given.items() if value is not None}
    done = propose(settings, out, parameters=parameters, keep_seen=keep_seen, overwrite=force)
    click.echo(json.dumps(done.to_dict(), indent=2) if as_json else done)
