"""`llmrank convert`: what another recall stage proposed, in a format of its own, as a candidate file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli.options import config_option, option
from llmrank.cli.output import say

_FILE = click.Path(path_type=Path, exists=True)


@click.command(
    epilog="""\b
Examples:
  llmrank convert lists.csv --items items.csv -o cases.parquet
  llmrank convert run.txt --from trec --items items.csv --qrels qrels.txt \\
    -o cases.parquet
"""
)
@click.argument("proposed", type=_FILE)
@click.option(
    "--from",
    "source",
    default="table",
    type=click.Choice(["table", "trec", "lists", "rank_llm", "tallrec"]),
    help="A retriever's table; TREC run; `user<TAB>item item …` (LLMRank); rank_llm requests; TALLRec's test set.  "
    "[default: table]",
)
@option("--items", type=_FILE, help="Table with ids and titles (CSV, Parquet, RecBole .item).")
@option("--histories", type=_FILE, help="What the users did before: RecBole .inter, a sequence file, or a table.")
@option("--qrels", "relevant", type=_FILE, help="What is relevant: TREC qrels, or a table of user, item (and gain).")
@option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="For a table, such as --column case=request.")
@option("--file-order", is_flag=True, help="Take the order of --histories as that of the events, without timestamps.")
@option("--drop-duplicates", is_flag=True, help="Keep the best place of an item that is named twice.")
@option("--skip-bad-rows", is_flag=True, help="Go on without rows that have faults, and count them.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Parquet, .jsonl or .jsonl.gz.")
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@config_option
def convert(
    proposed: Path,
    source: str,
    output: Path,
    force: bool,
    columns: tuple[str, ...],
    **options: Any,  # noqa: ANN401
) -> None:
    """Write PROPOSED, a file of another recall stage or a folder of Parquet parts, as a candidate file.

    \b
    Columns of tables are found by their usual names; --column names others:
      user, item        whose candidate it is, and which item
      title, score      of the item (--items may have the title)
      rank              where there is no score
      case              the request, where users have several: each becomes a Case
      relevant, gain    what is relevant, in the table itself or in --qrels
      timestamp         of an event, or of a Case: its history ends before it
      rating, position  of an event
    """
    from llmrank.data.external_formats import convert_file
    from llmrank.evaluation.cases import column_roles

    rows, notes = convert_file(proposed, source, output, overwrite=force, columns=column_roles(columns), **options)
    for note in notes:
        say(note)
    click.echo(f"{output}: {rows:,} Cases")
