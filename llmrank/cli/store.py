"""`llmrank store`: count, export, import and delete stored answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmrank.cli.options import json_option, option
from llmrank.errors import InputError

if TYPE_CHECKING:
    from llmrank.store import BackendStats, StoreStats

_store_option = option(
    "--store",
    default=None,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Store file.  [default: the one that all runs share]",
)


def _chosen(store: Path | None) -> Path:
    from llmrank.evaluation.session import default_store

    return store or default_store()


@click.group()
def store() -> None:
    """Count, export, import and delete stored answers."""


@store.command()
@_store_option
@json_option
def stats(store: Path | None, as_json: bool) -> None:
    """Show what a Store holds: answers, backends, tokens, size, oldest and newest answer."""
    from llmrank.store import Store

    with Store(_chosen(store), read_only=True) as opened:
        found = opened.stats()
    if as_json:
        click.echo(json.dumps(_as_dict(found) | {"store": str(_chosen(store))}, indent=2, ensure_ascii=False))
        return
    click.echo(f"{_chosen(store)}: {_amount(found.responses)}, {_size(found.size)} on disk")
    _show(found.by_backend)


@store.command(name="export")
@click.argument("file", type=click.Path(path_type=Path))
@_store_option
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def export_to(file: Path, store: Path | None, force: bool) -> None:
    """Write all answers with their requests to FILE (.jsonl or .jsonl.gz), for `llmrank store import`."""
    from llmrank.store import Store
    from llmrank.store_export import export_store

    with Store(_chosen(store), read_only=True) as opened:
        count = export_store(opened, file, overwrite=force)
    click.echo(f"{file}: {_amount(count)}, {_size(file.stat().st_size)}")


@store.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_store_option
def import_from(file: Path, store: Path | None) -> None:
    """Add the answers in FILE, an exported Store, to this one. Answers that it has already are kept."""
    from llmrank.store import Store
    from llmrank.store_export import check_exported, import_store

    check_exported(file)
    with Store(_chosen(store)) as opened:
        new, known = import_store(opened, file)
    click.echo(f"{_chosen(store)}: {_amount(new)} added, {known:,} already there")


@store.command()
@_store_option
# No environment variables: what a shell happens to hold must not choose what is deleted.
@click.option("--model", default=None, help="Answers of this model.")
@click.option("--backend", default=None, help="Answers of this kind of backend (vllm, openai) or base URL.")
@click.option(
    "--before", default=None, type=click.DateTime(["%Y-%m-%d"]), help="Answers received before this day (UTC)."
)
@click.option("--yes", is_flag=True, help="Delete; without it nothing is deleted.")
def prune(store: Path | None, model: str | None, backend: str | None, before: datetime | None, yes: bool) -> None:
    """Delete the answers that match all given options. Shows what would be deleted; --yes deletes it."""
    from llmrank.store import Selection, Store

    day = None if before is None else before.replace(tzinfo=UTC)
    selection = Selection(model, backend, day)
    if selection == Selection():
        raise InputError(
            "no option says which answers to delete", hint="give --model, --backend or --before; or delete the file"
        )
    path = _chosen(store)
    with Store(path, read_only=True) as opened:
        found = opened.stats(selection)
        kept = opened.stats().responses - found.responses
    if not found.responses:
        click.echo(f"{path}: no stored answers match; nothing deleted ({kept:,} kept)")
        return
    _show(found.by_backend)
    if not yes:
        click.echo(f"{path}: {_amount(found.responses)} would be deleted, {kept:,} kept. Add --yes to delete.")
        return
    with Store(path) as opened:
        gone = opened.prune(selection)
        click.echo(f"{path}: {_amount(gone)} deleted, {kept:,} kept")
        opened.compact()
        now = opened.stats().size
    click.echo(f"{_size(found.size)} on disk before, {_size(now)} now")


def _show(backends: Sequence[BackendStats]) -> None:
    for held in backends:
        identity = dict(held.backend)
        name = identity.pop("model", "?")
        about = ", ".join(f"{value}" for value in identity.values())
        usage = held.usage
        click.echo(f"  {name} ({about})")
        click.echo(
            f"    {_amount(held.responses)}, {usage.prompt_tokens:,} prompt tokens, "
            f"{usage.completion_tokens:,} completion tokens, {held.oldest} to {held.newest}"
        )


def _as_dict(stats: StoreStats) -> dict[str, object]:
    by_backend = [asdict(held) for held in stats.by_backend]
    return {"responses": stats.responses, "size": stats.size, "usage": asdict(stats.usage), "by_backend": by_backend}


def _amount(count: int) -> str:
    return f"{count:,} answer" + ("" if count == 1 else "s")


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"
