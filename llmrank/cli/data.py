"""`llmrank data`: list data sets, fetch one, describe one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmrank.evaluation.cases import column_role

if TYPE_CHECKING:
    from llmrank.data.describe import Description

_as_json = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


@click.group(name="data")
def data() -> None:
    """Data sets: list them, fetch one, describe one."""


@data.command(name="list")
@_as_json
def list_command(as_json: bool) -> None:
    """List the data sets that can be named."""
    from rich.console import Console
    from rich.table import Table

    from llmrank.data.fetch import cached
    from llmrank.data.registry import DATASETS

    rows = [
        {
            "name": known.name,
            "title": known.title,
            "users": known.users,
            "items": known.items,
            "interactions": known.interactions,
            "fetched": cached(known.name) is not None,
            "licence": known.licence,
        }
        for known in DATASETS.values()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table()
    table.add_column("name", no_wrap=True)
    table.add_column("what")
    for size in ("users", "items", "interactions"):
        table.add_column(size, justify="right", no_wrap=True)
    table.add_column("fetched")
    for row in rows:
        sizes = (f"{row[size]:,}" for size in ("users", "items", "interactions"))
        table.add_row(str(row["name"]), str(row["title"]), *sizes, "yes" if row["fetched"] else "")
    Console().print(table)
    click.echo("Your own: a folder with items.csv (id, title) and interactions.csv (user, item); or hf:owner/name.")


@data.command(name="fetch")
@click.argument("name")
@click.option("--force", is_flag=True, help="Download it again, whatever the cache holds.")
@_as_json
def fetch_command(name: str, force: bool, as_json: bool) -> None:
    """Download the data set NAME into the cache, and verify it."""
    from llmrank.data.fetch import fetch
    from llmrank.data.registry import dataset_info

    folder = fetch(name, lambda line: click.echo(line, err=True), force=force)
    if as_json:
        click.echo(json.dumps({"name": name, "folder": str(folder)}))
        return
    click.echo(folder)
    click.echo(f"licence: {dataset_info(name).licence}", err=True)


@data.command(name="describe")
@click.argument("name_or_folder")
@click.option("--data", "folder", type=click.Path(path_type=Path), help="Folder that holds the named data set.")
@click.option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="For example --column user=uid.")
@click.option(
    "--k-core", default=0, show_default=True, help="Keep users and items with at least this many interactions."
)
@_as_json
def describe_command(
    name_or_folder: str, folder: Path | None, columns: tuple[str, ...], k_core: int, as_json: bool
) -> None:
    """Show the figures of a data set: NAME, a folder of your own, or hf:owner/name."""
    from llmrank.data.describe import describe
    from llmrank.data.load import load_dataset

    roles = dict(column_role(text) for text in columns)
    dataset = load_dataset(
        name_or_folder, folder=folder, columns=roles, k_core=k_core, say=lambda line: click.echo(line, err=True)
    )
    description = describe(dataset)
    if as_json:
        click.echo(json.dumps(asdict(description), indent=2, ensure_ascii=False))
    else:
        _show(description)


def _show(description: Description) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=description.name, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in asdict(description).items():
        if isinstance(value, dict):
            shares = name == "attributes"
            pairs = (f"{key}: {part:.1%}" if shares else f"{key}: {part:,g}" for key, part in value.items())
            text = "  ".join(pairs)
        elif name == "density" or name == "equal_timestamps":
            text = "" if value is None else f"{value:.2%}"
        elif isinstance(value, int):
            text = f"{value:,}"
        elif isinstance(value, tuple):
            text = " to ".join(f"{part:g}" for part in value)
        else:
            text = value or ""
        if text and name != "name":
            table.add_row(name.replace("_", " "), text)
    Console().print(table)
