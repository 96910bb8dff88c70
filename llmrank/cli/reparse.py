"""`llmrank reparse RUN`: stored answers read again with today's parser, and what that changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from llmrank.cli.options import json_option
from llmrank.cli.output import show_json
from llmrank.evaluation.reparse import Reparsed
from llmrank.evaluation.reparse import reparse as reparse_run
from llmrank.run.tables import number


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--write", is_flag=True, help="Put the new reading into the Run; the old one is kept beside it.")
@json_option
def reparse(run: Path, write: bool, as_json: bool) -> None:
    """Read the answers of RUN (of `eval` or `score`) again with today's parser, and show what changes.

    No request is sent, and the folder alone is needed. The Run's own template and settings are used, whatever has been
    edited since.
    """
    done = reparse_run(run, write=write)
    if as_json:
        show_json(done.to_dict())
        return
    _show(done)
    if write:
        click.echo("nothing to write" if done.kept is None else f"written; the old reading is in {done.kept}")
        if done.left:
            click.echo(f"metrics.json waits for {done.left} more cases: the command that made the Run continues it")


def _show(done: Reparsed) -> None:
    """Print the summary, then every Case that changed or could not be read."""
    cases, changed, unreadable = len(done.records), len(done.changes), len(done.unreadable)
    click.echo(f"{done.run}: {cases} cases read again, no requests sent")
    alike = cases - changed - unreadable
    lines = {
        "cases": f"{changed} changed · {alike} as before · {unreadable} cannot be read again",
        "outcomes": _arrow(done.before.outcomes, done.after.outcomes),
        "repairs": _arrow(done.before.repairs, done.after.repairs),
    }
    for name, summary in done.before.measures.items():
        old, new = summary.value, done.after[name].value
        difference = "" if old is None or new is None else f"  ({new - old:+.4f})"
        lines[name] = f"{number(old)} → {number(new)}{difference}"
    for name, text in lines.items():
        click.echo(f"  {name:11} {text}")
    for change in done.changes:
        pairs = {name: pair for name, pair in change.to_dict().items() if isinstance(pair, list)}
        parts = [f"{name} {_arrow(*pair)}" for name, pair in pairs.items()]
        if change.first_position is not None:
            parts.append(f"another order from position {change.first_position}")
        click.echo(f"case {change.before.case_id}: {'; '.join(parts) or 'other scores'}")
    for case_id, why in done.unreadable.items():
        click.echo(f"case {case_id}: cannot be read again: {why}")


def _arrow(old: Any, new: Any) -> str:  # noqa: ANN401 - values of JSON
    """Return what was and what is; of values by name, those that changed."""
    if isinstance(old, Mapping):
        names = [name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)]
        return " · ".join(f"{name} {_arrow(old.get(name), new.get(name))}" for name in names) or "as before"
    return f"{_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:  # noqa: ANN401 - a value of JSON
    if isinstance(value, list):
        return f"{len(value)} items"
    if isinstance(value, float):
        return number(value)
    return "none" if value in (None, "") else f"{value}"
