"""`llmrank convert`: what another recall stage proposed, in a format of its own, as a candidate file."""

from __future__ import annotations

from pathlib import Path

import click

from llmrank.cli.options import config_option, option

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("proposed", type=_FILE)
@click.option(
    "--from",
    "source",
    required=True,
    type=click.Choice(["table", "trec", "lists", "rank_llm", "tallrec"]),
    help="A retriever's table; TREC run; `user<TAB>item item …` (LLMRank); rank_llm requests; TALLRec's test set.",
)
@option("--items", type=_FILE, help="Table with ids and titles (CSV, Parquet, RecBole .item).")
@option("--histories", type=_FILE, help="What the users did before: RecBole .inter, a sequence file, or a table.")
@option("--qrels", type=_FILE, help="What is relevant: TREC qrels, or a table of user, item (and gain).")
@option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="For a table, such as --column user=uid.")
@option("--drop-duplicates", is_flag=True, help="Keep the first of an item that is named twice.")
@option("--skip-bad-rows", is_flag=True, help="Go on without rows that have faults, and count them.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Parquet, .jsonl or .jsonl.gz.")
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@config_option
def convert(
    proposed: Path,
    source: str,
    items: Path | None,
    histories: Path | None,
    qrels: Path | None,
    columns: tuple[str, ...],
    drop_duplicates: bool,
    skip_bad_rows: bool,
    output: Path,
    force: bool,
) -> None:
    """Write the file PROPOSED, of another recall stage, as a candidate file for eval and rerank."""
    from llmrank.data.external_formats import convert as write_converted
    from llmrank.evaluation.cases import column_role

    rows, notes = write_converted(
        proposed,
        source,
        output,
        overwrite=force,
        items=items,
        histories=histories,
        relevant=qrels,
        columns=dict(column_role(text) for text in columns),
        drop_duplicates=drop_duplicates,
        skip_bad_rows=skip_bad_rows,
    )
    for note in notes:
        click.echo(note, err=True)
    click.echo(f"{output}: {rows:,} Cases")
