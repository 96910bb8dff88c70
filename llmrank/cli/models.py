"""`llmrank models`: list the models in the cache, and download one."""

from __future__ import annotations

import json

import click

from llmrank.cli.options import json_option, option


@click.group()
def models() -> None:
    """Models in the cache."""


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """Show the default model and the models in the cache."""
    from llmrank.backends.models import DEFAULT_MODEL, cached_models
    from llmrank.files import cache_folder

    folders = {folder.name: folder for folder in cached_models(cache_folder())}
    rows = [
        {"model": name, "default": name == DEFAULT_MODEL, "folder": str(folders[name]) if name in folders else None}
        for name in dict.fromkeys([DEFAULT_MODEL, *folders])
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        default = " (default)" if row["default"] else ""
        click.echo(f"{row['model']}{default}: {row['folder'] or 'not downloaded; run `llmrank models fetch`'}")


@models.command("fetch")
@click.argument("name", default="smollm2-135m-instruct")
@option("--revision", default=None, help="Branch, tag or commit of a hub model.")
def fetch_model(name: str, revision: str | None) -> None:
    """Download model NAME (the default model, or a hub name owner/model) and print its folder."""
    from llmrank.backends.models import resolve_model
    from llmrank.files import cache_folder

    model = resolve_model(name, cache=cache_folder(), revision=revision, say=lambda line: click.echo(line, err=True))
    click.echo(model.folder)
