"""`llmrank audit`: test what drives a method, from its Runs or with new model calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from llmrank.audit.options import OPTIONS, AuditName
from llmrank.cli.options import (
    PATH,
    GroupedCommand,
    evaluation_arguments,
    evaluation_options,
    json_option,
    option,
    settings_options,
)
from llmrank.cli.output import show
from llmrank.evaluation.settings import settings_of

if TYPE_CHECKING:
    from llmrank.audit import Audit


@click.group()
def audit() -> None:
    """Answer one question about a method, with a number, its interval and a sentence.

    position, popularity, consistency and variance read finished Runs. All but popularity take the options of eval,
    call the model, and write one Run per variant; position, consistency and variance do so if you name no RUN.
    """


@audit.command()
@click.argument("run", type=PATH)
@json_option
def popularity(run: Path, as_json: bool) -> None:
    """Does RUN favour popular items more than users do?"""
    from llmrank.audit import popularity as audited
    from llmrank.run import load_run

    show(audited(load_run(run)), as_json=as_json)


_out_option = option(
    "-o",
    "--out",
    type=PATH,
    help="Folder that holds one Run per variant.  [default: one folder per Run in results/]",
)


def _read(name: AuditName, runs: Sequence[Path]) -> Audit:
    """Return the audit of finished Runs; refuses options of eval, which would have no effect."""
    from llmrank.audit.run_audit import audit_runs
    from llmrank.run import load_run

    context = click.get_current_context()
    for one in context.command.params:
        given = context.get_parameter_source(f"{one.name}") is ParameterSource.COMMANDLINE
        if given and one.name not in ("runs", "as_json"):
            raise click.UsageError(f"{one.opts[0]} has no effect on a finished Run: omit it, or name no RUN")
    return audit_runs(name, [load_run(run) for run in runs])


def _add_command(name: AuditName, options: type) -> None:
    """Add the command of an audit that calls the model, with its own options and those of eval."""

    def run_audit(out: Path | None, dry_run: bool, as_json: bool, runs: tuple[Path, ...] = (), **values: Any) -> None:
        from llmrank.audit.run_audit import compose_audit
        from llmrank.evaluation.evaluate import check_error_rate
        from llmrank.progress import Progress

        if runs:
            show(_read(name, runs), as_json=as_json)
            return
        own = {one.name: values.pop(one.name) for one in settings_of(options)}
        cases, arguments = evaluation_arguments(values)
        given = {setting: value for setting, value in own.items() if value not in (None, ())}
        composed = compose_audit(name, cases, out=out, progress=Progress(), **arguments, **given)
        if dry_run:
            show(composed.estimate(), as_json=as_json)
            return
        asked = composed.run()
        show(composed.audit(asked), as_json=as_json)
        for run in asked.values():
            check_error_rate(run, arguments["limits"])

    decorated = settings_options(options, "audit")(evaluation_options(_out_option(run_audit)))
    if metavar := {"position": "[RUN]", "consistency": "[RUN RUN...]", "variance": "[RUN RUN...]"}.get(name):
        decorated = click.argument("runs", nargs=-1, type=PATH, metavar=metavar)(decorated)
    audit.command(name, cls=GroupedCommand, help=options.__doc__)(decorated)


for _name, _options in OPTIONS.items():
    _add_command(_name, _options)
