"""`llmrank eval`: rank real candidates with a model, and score the rankings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli import options
from llmrank.cli.options import option
from llmrank.cli.output import show, show_run
from llmrank.errors import InputError
from llmrank.evaluation.settings import BaselineSettings, CaseSettings, Limits, ModelSettings, PromptSettings

LIKE = "Run whose method is about as different from recall order as yours, for --plan.  [default: free baselines]"


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
@options.settings_options(PromptSettings, "prompt and method")
@options.settings_options(CaseSettings, "data")
@options.settings_options(BaselineSettings, "baselines")
@options.settings_options(ModelSettings, "model")
@options.settings_options(Limits, "cost")
@options.measures_option
@options.out_option
@options.dry_run_option
@option("--plan", is_flag=True, help="Say what difference so many users can show, and how many one needs; ask nothing.")
@option("--detect", multiple=True, type=float, metavar="DIFFERENCE", help="Difference to --plan for; may be repeated.")
@option("--like", default=None, type=click.Path(path_type=Path), metavar="RUN", help=LIKE)
@options.json_option
@options.config_option
def evaluate(
    measures: str | None,
    out: Path | None,
    dry_run: bool,
    plan: bool,
    detect: tuple[float, ...],
    like: Path | None,
    as_json: bool,
    **values: Any,  # noqa: ANN401
) -> None:
    """Rank real candidates with a model, and score the rankings against what the users did next.

    The same command again continues a run that was stopped, and shows one that is done.
    """
    from llmrank.evaluation.evaluate import check_error_rate, compose
    from llmrank.evaluation.plan import DIFFERENCES
    from llmrank.evaluation.plan import plan as plan_evaluation
    from llmrank.progress import Progress

    cases, limits = options.settings_from(CaseSettings, values), options.settings_from(Limits, values)
    prompt, model = options.settings_from(PromptSettings, values), options.settings_from(ModelSettings, values)
    asked: dict[str, Any] = {
        "prompt": prompt,
        "model": model,
        "limits": limits,
        "measures": measures,
        "progress": Progress(),
        "baselines": options.settings_from(BaselineSettings, values).baselines,
    }
    if plan:
        show(plan_evaluation(cases, detect=detect or DIFFERENCES, like=like, **asked), as_json=as_json)
        return
    if detect or like:
        name = "--detect" if detect else "--like"
        raise InputError("it is a part of a plan", field=name, hint="add --plan, or leave it out")
    evaluation = compose(cases, **asked)
    if dry_run:
        show(evaluation.estimate(), as_json=as_json)
        return
    run = evaluation.run(out)
    show_run(run, as_json=as_json)
    check_error_rate(run, limits)
