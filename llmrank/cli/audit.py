"""`llmrank audit`: questions about a method, answered from its Runs, or by asking the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli.options import (
    GroupedCommand,
    evaluation_arguments,
    evaluation_options,
    json_option,
    option,
    settings_options,
)
from llmrank.cli.output import show
from llmrank.evaluation.audits.options import OPTIONS, AuditName
from llmrank.evaluation.settings import settings_of

_RUN = click.Path(path_type=Path)


@click.group()
def audit() -> None:
    """Ask one question about a method: a number with its interval, and a sentence.

    position, popularity and consistency read finished Runs. The others take the options of eval, and ask the model;
    they leave a Run per variant.
    """


@audit.command()
@click.argument("run", type=_RUN)
@json_option
def position(run: Path, as_json: bool) -> None:
    """Does the place in the prompt decide?

    RUN must have shown its candidates shuffled.
    """
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
    """Does it say the same when asked again?

    The Runs are of the same Cases, with another --seed, order or prompt.
    """
    from llmrank.audit import consistency as audited
    from llmrank.run import load_run

    if len(runs) < 2:
        raise click.UsageError("name at least two Runs")
    first, second, *more = map(load_run, runs)
    show(audited(first, second, *more), as_json=as_json)


_out_option = option(
    "-o",
    "--out",
    default=None,
    type=_RUN,
    help="Folder for a Run per variant.  [default: each has its own in results/]",
)


def _asking(name: AuditName, options: type) -> None:
    """Add the command of an audit that asks: its own options, and those of eval."""

    def ask(out: Path | None, dry_run: bool, as_json: bool, **values: Any) -> None:  # noqa: ANN401
        from llmrank.evaluation.auditing import compose_audit
        from llmrank.evaluation.evaluate import check_error_rate
        from llmrank.progress import Progress

        own = {one.name: values.pop(one.name) for one in settings_of(options)}
        cases, arguments = evaluation_arguments(values)
        given = {setting: value for setting, value in own.items() if value not in (None, ())}
        asked = compose_audit(name, cases, progress=Progress(), **arguments, **given)
        if dry_run:
            show(asked.estimate(), as_json=as_json)
            return
        runs = asked.run(out)
        show(asked.audit(runs), as_json=as_json)
        for run in runs.values():
            check_error_rate(run, arguments["limits"])

    decorate = settings_options(options, "audit")
    audit.command(name, cls=GroupedCommand, help=options.__doc__)(decorate(evaluation_options(_out_option(ask))))


for _name, _options in OPTIONS.items():
    _asking(_name, _options)
