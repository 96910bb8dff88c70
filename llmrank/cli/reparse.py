"""`llmrank reparse RUN`: parse stored answers again with the current parser, and show what changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from llmrank.cli.options import FilePath, json_option
from llmrank.cli.output import show_json
from llmrank.errors import count_of
from llmrank.evaluation.reparse import Reparsed
from llmrank.evaluation.reparse import reparse as reparse_run
from llmrank.run.tables import number


@click.command()
@click.argument("run", type=FilePath(exists=True, file_okay=False))
@click.option("--write", is_flag=True, help="Write the new results into the Run; the old ones are kept beside them.")
@json_option
def reparse(run: Path, write: bool, as_json: bool) -> None:
    """Parse the answers of RUN (from `eval` or `score`) again with the current parser, and show what changes.

    This sends no requests and needs only the Run folder. It uses the template and settings stored in the Run, even if
    you have edited them since.
    """
    done = reparse_run(run, write=write)
    if as_json:
        show_json(done.to_dict())
        return
    _show(done)
    if write:
        click.echo("nothing to write" if done.kept is None else f"written; the old results are in {done.kept}")
        if done.left:
            click.echo(f"metrics.json needs {count_of(done.left, 'more Case')}: continue with the Run's own command")


def _show(done: Reparsed) -> None:
    """Print the summary, then every Case that changed or could not be parsed again."""
    cases, changed, unreadable = len(done.records), len(done.changes), len(done.unreadable)
    click.echo(f"{done.run}: {count_of(cases, 'Case')} parsed again, no requests sent")
    unchanged = cases - changed - unreadable
    lines = {
        "cases": f"{changed} changed · {unchanged} unchanged · {unreadable} cannot be parsed again",
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
            parts.append(f"order differs from position {change.first_position}")
        click.echo(f"case {change.before.case_id}: {'; '.join(parts) or 'scores differ'}")
    for case_id, why in done.unreadable.items():
        click.echo(f"case {case_id}: cannot be parsed again: {why}")


def _arrow(old: Any, new: Any) -> str:  # noqa: ANN401 - values of JSON
    """Format a change as `old → new`; for mappings, only the entries that changed."""
    if isinstance(old, Mapping):
        names = [name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)]
        return " · ".join(f"{name} {_arrow(old.get(name), new.get(name))}" for name in names) or "unchanged"
    return f"{_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:  # noqa: ANN401 - a value of JSON
    if isinstance(value, list):
        return count_of(len(value), "item")
    if isinstance(value, float):
        return number(value)
    return "none" if value in (None, "") else f"{value}"
