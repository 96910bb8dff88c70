"""`llmrank models`: list the models in the cache, and download one."""

from __future__ import annotations

import click

from llmrank.cli.options import json_option, option
from llmrank.cli.output import say, show_rows


@click.group()
def models() -> None:
    """List and download models."""


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """Show the default model and the models in the cache."""
    from llmrank.backends.models import DEFAULT_MODEL, cached_models

    folders = {folder.name: str(folder) for folder in cached_models()}
    missing = None if as_json else "not downloaded: llmrank models fetch"
    rows = [
        {"model": name, "default": name == DEFAULT_MODEL, "folder": folders.get(name, missing)}
        for name in dict.fromkeys([DEFAULT_MODEL, *folders])
    ]
    show_rows(rows, as_json=as_json)


@models.command("fetch")
@click.argument("name", default="smollm2-135m-instruct")
@option("--revision", default=None, help="Branch, tag or commit of a hub model.")
def fetch_model(name: str, revision: str | None) -> None:
    """Download model NAME (owner/model on the hub), and print its folder."""
    from llmrank.backends.models import resolve_model

    click.echo(resolve_model(name, revision=revision, say=say).folder)
