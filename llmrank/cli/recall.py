"""`llmrank recall`: build a candidate file from a data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from llmrank.cli import options
from llmrank.cli.output import show
from llmrank.evaluation.settings import RECALL_HELP, CaseSettings, field_docs

PARAMETERS = ("neighbours", "l2")
"""Options that are passed to the recall model."""


@click.command(
    cls=options.GroupedCommand,
    epilog="""\b
Examples:
  llmrank recall --data ml-100k -k 50 -o candidates.parquet
  llmrank recall --data ml-1m --model sasrec --users 500 -o candidates.parquet
""",
)
@options.option(
    "--model",
    "--recall",
    "model",
    default=CaseSettings().recall,
    show_default=True,
    help=field_docs(CaseSettings)["recall"],
    envvar=["LLMRANK_RECALL"],
)
@options.users_option
@options.settings_options(
    CaseSettings, "data", without=["recall", "users", "force_target", "skip_bad_rows"], here=RECALL_HELP
)
@options.option("--neighbours", type=click.IntRange(1), help="itemknn: neighbours per item.")
@options.option("--l2", type=float, help="ease: L2 regularisation.  [default: by the number of events]")
@options.option("--keep-seen", is_flag=True, help="Also propose items that are in the user's history.")
@options.option("-o", "--out", required=True, type=options.PATH, help="File: .parquet, .jsonl or .jsonl.gz.")
@options.force_option
@options.json_option
@options.config_option
def recall(model: str, users: int, out: Path, keep_seen: bool, overwrite: bool, as_json: bool, **values: Any) -> None:
    """Propose k candidates for each user of a dataset, and write a candidate file with history and relevant items."""
    from llmrank.evaluation.propose import propose

    parameters = {name: value for name in PARAMETERS if (value := values.pop(name)) is not None}
    settings = replace(options.settings_from(CaseSettings, values), recall=model, users=users)
    done = propose(settings, out, parameters=parameters, keep_seen=keep_seen, overwrite=overwrite)
    show(done, as_json=as_json)
