"""`llmrank audit`: questions about a method, answered from its Runs."""

from __future__ import annotations

from pathlib import Path

import click

from llmrank.cli.options import json_option
from llmrank.cli.output import show

_RUN = click.Path(path_type=Path)


@click.group()
def audit() -> None:
    """Ask one question about a method: a number with its interval, and a sentence. The Runs alone are needed."""


@audit.command()
@click.argument("run", type=_RUN)
@json_option
def position(run: Path, as_json: bool) -> None:
    """Does the place in the prompt decide? RUN must have shown its candidates shuffled."""
    from llmrank.audit import position as audited
    from llmrank.run import load_run

    show(audited(load_run(run)), as_json=as_json)


@audit.command()
@click.argument("run", type=_RUN)
@json_option
def popularity(run: Path, as_json: bool) -> None:
    """Does RUN rank the famous up, beyond what users then choose?"""
    from llmrank.audit import popularity as audited
    from llmrank.run import load_run

    show(audited(load_run(run)), as_json=as_json)


@audit.command()
@click.argument("runs", nargs=-1, required=True, type=_RUN, metavar="RUN RUN...")
@json_option
def consistency(runs: tuple[Path, ...], as_json: bool) -> None:
    """Do Runs of the same Cases, with another --seed, order or prompt, say the same?"""
    from llmrank.audit import consistency as audited
    from llmrank.run import load_run

    if len(runs) < 2:
        raise click.UsageError("name at least two Runs")
    first, second, *more = map(load_run, runs)
    show(audited(first, second, *more), as_json=as_json)
