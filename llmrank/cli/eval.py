"""`llmrank eval`: rank real candidates with a model, and score the rankings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli import options
from llmrank.cli.output import show, show_run
from llmrank.evaluation.settings import BaselineSettings, CaseSettings, Limits, ModelSettings, PromptSettings


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
@options.settings_options(PromptSettings, "prompt and method")
@options.settings_options(CaseSettings, "data")
@options.settings_options(BaselineSettings, "baselines")
@options.settings_options(ModelSettings, "model")
@options.settings_options(Limits, "cost")
@options.measures_option
@options.out_option
@options.dry_run_option
@options.json_option
@options.config_option
def evaluate(measures: str | None, out: Path | None, dry_run: bool, as_json: bool, **values: Any) -> None:  # noqa: ANN401
    """Rank real candidates with a model, and score the rankings against what the users did next.

    The same command again continues a run that was stopped, and shows one that is done.
    """
    from llmrank.evaluation.evaluate import check_error_rate, compose
    from llmrank.progress import Progress

    cases, limits = options.settings_from(CaseSettings, values), options.settings_from(Limits, values)
    prompt, model = options.settings_from(PromptSettings, values), options.settings_from(ModelSettings, values)
    evaluation = compose(
        cases,
        prompt=prompt,
        model=model,
        limits=limits,
        measures=measures,
        progress=Progress(),
        baselines=options.settings_from(BaselineSettings, values).baselines,
    )
    if dry_run:
        show(evaluation.estimate(), as_json=as_json)
        return
    run = evaluation.run(out)
    show_run(run, as_json=as_json)
    check_error_rate(run, limits)
