"""`llmrank convert`: convert the output of another recall stage into a candidate file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli.options import PATH, FilePath, config_option, force_option, option, skip_bad_rows_option
from llmrank.cli.output import say
from llmrank.errors import count_of

_FILE = FilePath(exists=True)


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
    help="Format of PROPOSED: a retriever's table; a TREC run; `user<TAB>item item …` (LLMRank); rank_llm requests; "
    "TALLRec's test set.  [default: table]",
)
@option("--items", type=_FILE, help="Table of item ids and titles (CSV, Parquet, RecBole .item).")
@option("--histories", type=_FILE, help="User histories: RecBole .inter, a sequence file, or a table.")
@option("--qrels", "relevant", type=_FILE, help="Relevant items: TREC qrels, or a table of user, item (and gain).")
@option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="For a table, such as --column case=request.")
@option("--file-order", is_flag=True, help="Order events as they appear in --histories, for data without timestamps.")
@option("--drop-duplicates", is_flag=True, help="Keep only the best rank of an item that is listed twice.")
@skip_bad_rows_option
@click.option("-o", "--out", required=True, type=PATH, help="Parquet, .jsonl or .jsonl.gz.")
@force_option
@config_option
def convert(proposed: Path, source: str, out: Path, overwrite: bool, columns: tuple[str, ...], **options: Any) -> None:
    """Convert PROPOSED, a file from another recall stage or a folder of Parquet parts, into a candidate file.

    \b
    Common column names are recognised; use --column for others:
      user, item        the user, and the candidate item
      title, score      of the item (the title may come from --items instead)
      rank              if there is no score
      case              the request id, if users have several; each becomes a Case
      relevant, gain    relevance, in the table itself or in --qrels
      timestamp         of an event; or of a Case, whose history ends before it
      rating, position  of an event
    """
    from llmrank.data.external_formats import convert_file
    from llmrank.evaluation.cases import column_roles

    rows, notes = convert_file(proposed, source, out, overwrite=overwrite, columns=column_roles(columns), **options)
    for note in notes:
        say(note)
    click.echo(f"{out}: {count_of(rows, 'Case')}")
