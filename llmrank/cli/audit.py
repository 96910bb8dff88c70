"""`llmrank audit`: test what drives a method, from its Runs or with new model calls."""

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
    """Answer one question about a method, with a number, its interval and a sentence.

    position, popularity and consistency read finished Runs. The others take the options of eval, call the model, and
    write one Run per variant.
    """


@audit.command()
@click.argument("run", type=_RUN)
@json_option
def position(run: Path, as_json: bool) -> None:
    """Does the position in the prompt affect the ranking?

    RUN must have used shuffled candidates.
    """
    from llmrank.audit import position as audited
    from llmrank.run import load_run

    show(audited(load_run(run)), as_json=as_json)


@audit.command()
@click.argument("run", type=_RUN)
@json_option
def popularity(run: Path, as_json: bool) -> None:
    """Does RUN favour popular items more than users do?"""
    from llmrank.audit import popularity as audited
    from llmrank.run import load_run

    show(audited(load_run(run)), as_json=as_json)


@audit.command()
@click.argument("runs", nargs=-1, required=True, type=_RUN, metavar="RUN RUN...")
@json_option
def consistency(runs: tuple[Path, ...], as_json: bool) -> None:
    """Does the method give the same ranking when asked again?

    The Runs must have the same Cases, and differ in --seed, order or prompt.
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
    help="Folder that holds one Run per variant.  [default: one folder per Run in results/]",
)


def _add_command(name: AuditName, options: type) -> None:
    """Add the command of an audit that calls the model, with its own options and those of eval."""

    def run_audit(out: Path | None, dry_run: bool, as_json: bool, **values: Any) -> None:
        from llmrank.evaluation.auditing import compose_audit
        from llmrank.evaluation.evaluate import check_error_rate
        from llmrank.progress import Progress

        own = {one.name: values.pop(one.name) for one in settings_of(options)}
        cases, arguments = evaluation_arguments(values)
        given = {setting: value for setting, value in own.items() if value not in (None, ())}
        composed = compose_audit(name, cases, progress=Progress(), **arguments, **given)
        if dry_run:
            show(composed.estimate(), as_json=as_json)
            return
        runs = composed.run(out)
        show(composed.audit(runs), as_json=as_json)
        for run in runs.values():
            check_error_rate(run, arguments["limits"])

    decorate = settings_options(options, "audit")
    audit.command(name, cls=GroupedCommand, help=options.__doc__)(decorate(evaluation_options(_out_option(run_audit))))


for _name, _options in OPTIONS.items():
    _add_command(_name, _options)
