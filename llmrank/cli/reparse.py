"""`llmrank reparse RUN`: stored answers read again with today's parser, and what that changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmrank.cli.options import json_option

if TYPE_CHECKING:
    from llmrank.evaluation.reparse import Change, Reparsed


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--write", is_flag=True, help="Put the new reading into the Run; the old one is kept beside it.")
@json_option
def reparse(run: Path, write: bool, as_json: bool) -> None:
    """Read the answers of RUN (of `eval` or `score`) again with today's parser, and show what changes.

    No request is sent, and the folder alone is needed. The Run's own template and settings are used, whatever has been
    edited since.
    """
    from llmrank.evaluation.reparse import reparse as reparse_run

    done = reparse_run(run, write=write)
    if as_json:
        click.echo(json.dumps(done.to_dict(), indent=2, ensure_ascii=False))
        return
    _show(done)
    if write:
        click.echo("nothing to write" if done.kept is None else f"written; the old reading is in {done.kept}")
        if done.left:
            click.echo(f"metrics.json waits for {done.left} more cases: the command that made the Run continues it")


def _show(done: Reparsed) -> None:
    """Print the summary, then every Case that changed or could not be read."""
    cases = len(done.records)
    alike = cases - len(done.changes) - len(done.unreadable)
    click.echo(f"{done.run}: {cases} cases read again, no requests sent")
    lines = [
        ("cases", f"{len(done.changes)} changed · {alike} as before · {len(done.unreadable)} cannot be read again"),
        ("outcomes", _arrows(done.before.outcomes, done.after.outcomes)),
        ("repairs", _arrows(done.before.repairs, done.after.repairs)),
    ]
    for name, summary in done.before.measures.items():
        old, new = summary.value, done.after[name].value
        difference = "" if old is None or new is None else f"  ({new - old:+.4f})"
        lines.append((name, f"{_number(old)} → {_number(new)}{difference}"))
    for name, text in lines:
        click.echo(f"  {name:11} {text}")
    for change in done.changes:
        click.echo(f"case {change.before.case_id}: {_changed(change)}")
    for case_id, why in done.unreadable.items():
        click.echo(f"case {case_id}: cannot be read again: {why}")


def _changed(change: Change) -> str:
    """Return what changed in a Case, in a line."""
    changed = change.to_dict()
    parts: list[str] = []
    for name in ("outcome", "reason", "named", "predicted"):
        if name in changed:
            old, new = changed[name]
            parts.append(f"{name if name != 'named' else 'items placed'} {_word(old)} → {_word(new)}")
    for name in ("repairs", "matches"):
        if name in changed:
            parts.append(f"{name} {_arrows(*changed[name], only_changes=True)}")
    if change.first_position is not None:
        parts.append(f"another order from position {change.first_position}")
    if "measures" in changed:
        old, new = changed["measures"]
        parts += [f"{name} {_number(old.get(name))} → {_number(new.get(name))}" for name in {**old, **new}]
    return "; ".join(parts) or "other scores"


def _arrows(before: Mapping[str, int], after: Mapping[str, int], *, only_changes: bool = False) -> str:
    counts = {name: (before.get(name, 0), after.get(name, 0)) for name in {**before, **after}}
    shown = [
        f"{name} {old} → {new}" if old != new else f"{name} {old}"
        for name, (old, new) in counts.items()
        if not (only_changes and old == new)
    ]
    return " · ".join(shown) or "none"


def _word(value: object) -> str:
    return "none" if value in (None, "") else f"{value}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
