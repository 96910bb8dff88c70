"""`llmrank data`: list, fetch and describe datasets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from llmrank.cli.options import PATH, json_option
from llmrank.cli.output import say, show_json, show_rows, shown
from llmrank.evaluation.cases import column_roles


@click.group(name="data")
def data() -> None:
    """List, fetch and describe datasets."""


@data.command(name="list")
@json_option
def list_command(as_json: bool) -> None:
    """List the known datasets."""
    from llmrank.data.load import at_hand
    from llmrank.data.registry import DATASETS

    columns = ("name", "title", "users", "items", "interactions", "licence")
    rows = [{**asdict(known), "fetched": at_hand(known) is not None} for known in DATASETS.values()]
    names = (*columns, "fetched") if as_json else (*columns[:-1], "fetched")
    show_rows([{name: row[name] for name in names} for row in rows], as_json=as_json)
    if not as_json:
        click.echo("Your own: a folder with items.csv (id, title) and interactions.csv (user, item); or hf:owner/name.")


@data.command(name="fetch")
@click.argument("name")
@click.option("--force", is_flag=True, help="Download again even if it is in the cache.")
@json_option
def fetch_command(name: str, force: bool, as_json: bool) -> None:
    """Download the dataset NAME into the cache, and verify it."""
    from llmrank.data.fetch import fetch
    from llmrank.data.registry import dataset_info

    known = dataset_info(name)
    folder = fetch(known, say, force=force)
    if as_json:
        show_json({"name": name, "folder": str(folder)})
    else:
        click.echo(folder)
        say(f"licence: {known.licence}")


@data.command(name="describe")
@click.argument("name_or_folder")
@click.option("--data", "folder", type=PATH, help="Folder that holds the named dataset.")
@click.option(
    "--column", "columns", multiple=True, metavar="ROLE=NAME", help="For your own tables, such as --column user=uid."
)
@click.option("--k-core", default=0, show_default=True, help="Keep users and items with at least this many events.")
@json_option
def describe_command(
    name_or_folder: str, folder: Path | None, columns: tuple[str, ...], k_core: int, as_json: bool
) -> None:
    """Show statistics of a dataset (name, folder, or hf:owner/name)."""
    from llmrank.data.describe import describe
    from llmrank.data.load import load_dataset

    roles = column_roles(columns)
    dataset = load_dataset(name_or_folder, folder=folder, columns=roles, k_core=k_core, say=say)
    figures = describe(dataset, name_or_folder)
    if as_json:
        show_json(figures)
        return
    texts = {name.replace("_", " "): _text(name, value) for name, value in figures.items()}
    show_rows([{"figure": name, "value": text} for name, text in texts.items() if text], as_json=False)


def _text(name: str, value: object) -> str:
    shares = name in ("density", "equal_timestamps", "attributes")
    if isinstance(value, dict):
        return "  ".join(f"{key}: {part:.1%}" if shares else f"{key}: {part:,.10g}" for key, part in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, tuple):
        return " to ".join(f"{part:,.10g}" for part in value)
    return f"{value:.2%}" if shares and value is not None else shown(value)
