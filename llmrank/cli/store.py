"""`llmrank store`: count, export, import and delete stored answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from llmrank.cli.options import FILE, PATH, FilePath, force_option, json_option, option
from llmrank.cli.output import show_json
from llmrank.errors import InputError, count_of
from llmrank.evaluation.session import default_store
from llmrank.store import BackendStats, Selection, Store

_store_option = option(
    "--store",
    "path",
    default=default_store,
    type=FILE,
    help="Store file.  [default: the one shared by all runs]",
)


@click.group()
def store() -> None:
    """Count, export, import and delete stored answers."""


@store.command()
@_store_option
@json_option
def stats(path: Path, as_json: bool) -> None:
    """Show the answers, tokens, size and dates of a Store."""
    with Store(path, read_only=True) as opened:
        found = opened.stats()
    if as_json:
        totals = {"responses": found.responses, "usage": asdict(found.usage), "store": str(path)}
        show_json(asdict(found) | totals)
        return
    click.echo(f"{path}: {count_of(found.responses, 'answer')}, {_size(found.size)} on disk")
    _show(found.by_backend)


@store.command(name="export")
@click.argument("file", type=PATH)
@_store_option
@force_option
def export_to(file: Path, path: Path, overwrite: bool) -> None:
    """Write all answers and requests to FILE (.jsonl, .jsonl.gz)."""
    from llmrank.store_export import export_store

    with Store(path, read_only=True) as opened:
        count = export_store(opened, file, overwrite=overwrite)
    click.echo(f"{file}: {count_of(count, 'answer')}, {_size(file.stat().st_size)}")


@store.command(name="import")
@click.argument("file", type=FilePath(exists=True, dir_okay=False))
@_store_option
def import_from(file: Path, path: Path) -> None:
    """Add the answers in FILE, an exported Store, to this Store. Existing answers are kept."""
    from llmrank.store_export import check_exported, import_store

    check_exported(file)
    with Store(path) as opened:
        new, known = import_store(opened, file)
    click.echo(f"{path}: {count_of(new, 'answer')} added, {known:,} already stored")


@store.command()
@_store_option
# No environment variables: a variable left over in a shell must not choose what is deleted.
@click.option("--model", default=None, help="Answers of this model.")
@click.option("--backend", default=None, help="Answers of this kind of backend (vllm, openai) or base URL.")
@click.option("--before", type=click.DateTime(["%Y-%m-%d"]), help="Answers received before this day (UTC).")
@click.option("--yes", is_flag=True, help="Delete the answers. Without it, nothing is deleted.")
def prune(path: Path, model: str | None, backend: str | None, before: datetime | None, yes: bool) -> None:
    """Delete the answers that match all given options. Without --yes, only show what would be deleted."""
    selection = Selection(model, backend, None if before is None else before.replace(tzinfo=UTC))
    if selection == Selection():
        hint = "give --model, --backend or --before; to delete all answers, delete the file"
        raise InputError("no answers selected", hint=hint)
    with Store(path, read_only=True) as opened:
        found = opened.stats(selection)
        kept = opened.stats().responses - found.responses
    _show(found.by_backend)
    count = count_of(found.responses, "answer")
    if not found.responses:
        click.echo(f"{path}: no stored answers match; nothing deleted ({kept:,} kept)")
    elif not yes:
        click.echo(f"{path}: {count} would be deleted, {kept:,} kept. Add --yes to delete.")
    else:
        with Store(path) as opened:
            click.echo(f"{path}: {count_of(opened.prune(selection), 'answer')} deleted, {kept:,} kept")
            opened.compact()
            click.echo(f"{_size(found.size)} on disk before, {_size(opened.stats().size)} now")


def _show(backends: Sequence[BackendStats]) -> None:
    for held in backends:
        name, *about = sorted(held.backend.items(), key=lambda pair: pair[0] != "model")
        usage = held.usage
        click.echo(f"  {name[1]} ({', '.join(value for _, value in about)})")
        tokens = (
            f"{count_of(usage.prompt_tokens, 'prompt token')}, {count_of(usage.completion_tokens, 'completion token')}"
        )
        click.echo(f"    {count_of(held.responses, 'answer')}, {tokens}, {held.oldest} to {held.newest}")


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"
