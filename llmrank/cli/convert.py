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
    type=click.Choice(["trec", "lists", "rank_llm"]),
    help="TREC run; `user<TAB>item item …` (LLMRank); rank_llm requests.",
)
@option("--items", type=_FILE, help="Table with ids and titles (CSV, Parquet, RecBole .item).")
@option("--histories", type=_FILE, help="What the users did before: RecBole .inter, a sequence file, or a table.")
@option("--qrels", type=_FILE, help="TREC qrels: what is relevant.")
@option("--drop-duplicates", is_flag=True, help="Keep the first of an item that is named twice.")
@option("--allow-empty-history", is_flag=True, help="Accept users of whom nothing is known.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Parquet, .jsonl or .jsonl.gz.")
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@config_option
def convert(
    proposed: Path,
    source: str,
    items: Path | None,
    histories: Path | None,
    qrels: Path | None,
    drop_duplicates: bool,
    allow_empty_history: bool,
    output: Path,
    force: bool,
) -> None:
    """Write the file PROPOSED, of another recall stage, as a candidate file for eval and rerank."""
    from llmrank.data.candidates import check_free, write_cases
    from llmrank.data.foreign import read_foreign

    check_free(output, overwrite=force)
    cases = read_foreign(
        proposed,
        source,
        items=items,
        histories=histories,
        qrels=qrels,
        drop_duplicates=drop_duplicates,
        allow_empty_history=allow_empty_history,
    )
    rows = write_cases(output, cases, overwrite=force)
    click.echo(f"{output}: {rows:,} users")
