"""`llmrank eval`: rank real candidates with a model, and score the rankings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli import options
from llmrank.cli.options import option
from llmrank.cli.output import show, show_run
from llmrank.errors import InputError

LIKE = "For --plan: a Run whose method differs about as much from recall order as yours.  [default: free baselines]"


@click.command(
    name="eval",
    cls=options.GroupedCommand,
    epilog="""\b
Examples:
  llmrank eval --prompt palr
  llmrank eval --data candidates.parquet --prompt first-token
  llmrank eval --base-url http://localhost:8000/v1 --model qwen3-8b
  llmrank eval --ranker setwise --prices prices.yaml --max-cost 5 --dry-run
  llmrank eval --plan --detect 0.01 --users 0
""",
)
@options.evaluation_options
@options.out_option
@option("--plan", is_flag=True, help="Show the smallest detectable difference, and how many users you need. No calls.")
@option("--detect", multiple=True, type=float, metavar="DIFFERENCE", help="For --plan: the difference; repeatable.")
@option("--like", default=None, type=options.PATH, metavar="RUN", help=LIKE)
def evaluate(
    out: Path | None,
    dry_run: bool,
    plan: bool,
    detect: tuple[float, ...],
    like: Path | None,
    as_json: bool,
    **values: Any,
) -> None:
    """Rank real candidates with a model, and score the rankings against what the users did next.

    Run the same command again to continue a stopped run, or to show a finished one.
    """
    from llmrank.evaluation.evaluate import check_error_rate, compose
    from llmrank.progress import Progress

    cases, arguments = options.evaluation_arguments(values)
    if plan:
        from llmrank.evaluation.plan import plan as planned

        wanted = {"detect": detect} if detect else {}
        show(planned(cases, like=like, progress=Progress(), **wanted, **arguments), as_json=as_json)
        return
    if detect or like:
        name = "--detect" if detect else "--like"
        raise InputError("only --plan uses this option", field=name, hint="add --plan, or omit the option")
    evaluation = compose(cases, out=out, progress=Progress(), **arguments)
    if dry_run:
        show(evaluation.estimate(), as_json=as_json)
        return
    run = evaluation.run()
    show_run(run, as_json=as_json)
    check_error_rate(run, arguments["limits"])
