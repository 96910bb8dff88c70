"""`llmrank eval`: rank real candidates with a model, and score the rankings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli import options
from llmrank.cli.output import show, show_run


@click.command(
    name="eval",
    cls=options.GroupedCommand,
    epilog="""\b
Examples:
  llmrank eval --prompt palr
  llmrank eval --data candidates.parquet --prompt first-token
  llmrank eval --base-url http://localhost:8000/v1 --model qwen3-8b
  llmrank eval --ranker setwise --prices prices.yaml --max-cost 5 --dry-run
""",
)
@options.evaluation_options
@options.out_option
def evaluate(out: Path | None, dry_run: bool, as_json: bool, **values: Any) -> None:  # noqa: ANN401
    """Rank real candidates with a model, and score the rankings against what the users did next.

    The same command again continues a run that was stopped, and shows one that is done.
    """
    from llmrank.evaluation.evaluate import check_error_rate, compose
    from llmrank.progress import Progress

    cases, arguments = options.evaluation_arguments(values)
    evaluation = compose(cases, progress=Progress(), **arguments)
    if dry_run:
        show(evaluation.estimate(), as_json=as_json)
        return
    run = evaluation.run(out)
    show_run(run, as_json=as_json)
    check_error_rate(run, arguments["limits"])
