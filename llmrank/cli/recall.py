"""`llmrank recall`: build a candidate file out of a data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmrank.cli.options import config_option, json_option, option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmrank.types import Case


@click.command()
@config_option
@option("--data", default="ml-100k", show_default=True, help="Dataset name, folder, or hf:owner/name.")
@option(
    "--model",
    "--recall",
    "model",
    default="ease",
    show_default=True,
    help="ease, itemknn, popularity, random, or ease-rectools (its variant in RecTools).",
    envvar="LLMRANK_RECALL",
)
@option("-k", "--candidates", "k", default=50, show_default=True, type=click.IntRange(1), help="Candidates per user.")
@option(
    "--split", default="leave-last-out", show_default=True, help="leave-last-out, time:YYYY-MM-DD, or user-ratio:0.9."
)
@option("--users", default=0, show_default=True, type=click.IntRange(0), help="Users drawn by --seed; 0: all.")
@option("--seed", default=0, show_default=True, help="For the users drawn, and for --model random.")
@option("--neighbours", default=None, type=click.IntRange(1), help="For itemknn: neighbours per item.  [default: 100]")
@option("--l2", default=None, type=float, help="For ease: regularisation.  [default: 500]")
@option("--keep-seen", is_flag=True, help="Propose items, too, that the user already has.")
@option("--k-core", default=0, show_default=True, type=click.IntRange(0), help="Keep users and items with k events.")
@option("--column", "columns", multiple=True, help="Your tables' column names, e.g. --column user=member_id.")
@option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="File to write: .parquet, .jsonl or .jsonl.gz."
)
@option("--force", is_flag=True, help="Overwrite the file if it is there.")
@json_option
def recall(
    *,
    data: str,
    model: str,
    k: int,
    split: str,
    users: int,
    seed: int,
    neighbours: int | None,
    l2: float | None,
    keep_seen: bool,
    k_core: int,
    columns: tuple[str, ...],
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Propose k candidates for each user and write them, with history and what came next, as a candidate file."""
    from llmrank.cli.progress import Progress
    from llmrank.data.candidate_writing import check_free, write_cases
    from llmrank.data.candidates import file_format
    from llmrank.data.cases import sample_users
    from llmrank.data.load import load_dataset
    from llmrank.data.splits import parse_split
    from llmrank.recall import Coverage, candidates_for, recall_model, recall_settings

    file_format(out)
    check_free(out, overwrite=force)
    parameters = {"neighbours": neighbours, "l2": l2, "seed": seed if model == "random" else None}
    recaller = recall_model(model, **{name: value for name, value in parameters.items() if value is not None})
    cut = parse_split(split)
    named = {role: name for role, _, name in (column.partition("=") for column in columns)}
    dataset = load_dataset(data, columns=named, k_core=k_core, say=lambda line: click.echo(line, err=True))
    parted = cut(dataset)
    trained = set(parted.train.user.tolist())
    tested = {dataset.users[user] for user in set(parted.test.user.tolist()) & trained}
    drawn = sample_users(tested, users or len(tested), seed)

    click.echo(f"{model}: {len(parted.train):,} training events, {len(dataset.items):,} items", err=True)
    first, ceiling = Coverage(min(10, k)), Coverage(k)
    with Progress(len(drawn)) as progress:
        cases = candidates_for(parted, recaller, k, drawn, exclude_seen=not keep_seen)

        def counted() -> Iterator[Case]:
            for case in ceiling.watch(first.watch(cases)):
                yield case
                progress.add("written")

        rows = write_cases(out, counted(), overwrite=force)

    settings = recall_settings(recaller, k, exclude_seen=not keep_seen)
    if as_json:
        figures = {f"HR@{first.k}": first.hit_rate, f"recall@{k}": ceiling.recall}
        record = {"out": str(out), "rows": rows, "data": dataset.name, "data_sha256": dataset.sha256}
        more = {"split": parted.name, "note": parted.note, "recall": dict(settings), "measures": figures}
        click.echo(json.dumps(record | more, indent=2))
        return
    click.echo(f"{out}: {rows:,} users of {dataset.name}, " + ", ".join(f"{a} {b}" for a, b in settings.items()))
    click.echo(f"HR@{first.k:<8} {first.hit_rate:.4f}")
    click.echo(f"recall@{k:<4} {ceiling.recall:.4f}  the ceiling: no ranking of these candidates can find more")
    click.echo(f"{parted.name}: {parted.note}")
