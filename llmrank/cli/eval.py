"""`llmrank eval`: rank real candidates with a model, and score the rankings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli.options import (
    GroupedCommand,
    config_option,
    dry_run_option,
    json_option,
    option,
    settings_from,
    settings_options,
)
from llmrank.evaluation.settings import BaselineSettings, CaseSettings, Limits, ModelSettings, PromptSettings


@click.command(
    name="eval",
    cls=GroupedCommand,
    epilog="""\b
Examples:
  llmrank eval --prompt palr
  llmrank eval --prompt first-token --data candidates.parquet --base-url http://localhost:8000/v1 --model qwen3-8b
  llmrank eval --ranker setwise --sort heap --prices prices.yaml --max-cost 5 --dry-run
""",
)
@settings_options(PromptSettings, "prompt and method")
@settings_options(CaseSettings, "data")
@settings_options(BaselineSettings, "baselines")
@settings_options(ModelSettings, "model")
@settings_options(Limits, "cost")
@option("--measures", default=None, help="Such as NDCG@10,HR@5,MRR; or RMSE,MAE,AUC.")
@option("--out", default=None, type=click.Path(path_type=Path), help="Run folder.  [default: one under results/]")
@dry_run_option
@json_option
@config_option
def evaluate(measures: str | None, out: Path | None, dry_run: bool, as_json: bool, **values: Any) -> None:  # noqa: ANN401
    """Rank real candidates with a model, and score the rankings against what the users did next.

    The same command again continues a run that was stopped, and shows one that is done.
    """
    from llmrank.cli.output import show_estimate, show_run
    from llmrank.evaluation.evaluate import check_error_rate, compose
    from llmrank.progress import Progress

    prompt = settings_from(PromptSettings, values)
    cases = settings_from(CaseSettings, values)
    model = settings_from(ModelSettings, values)
    limits = settings_from(Limits, values)
    beside = settings_from(BaselineSettings, values).baselines
    evaluation = compose(
        cases, prompt=prompt, model=model, limits=limits, measures=measures, progress=Progress(), baselines=beside
    )
    if dry_run:
        show_estimate(evaluation.estimate(), as_json=as_json)
        return
    run = evaluation.run(out)
    show_run(run, as_json=as_json)
    check_error_rate(run, limits)
