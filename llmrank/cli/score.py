"""`llmrank score`: answers that some system gave, parsed and measured; no model is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli import options
from llmrank.cli.output import show_run
from llmrank.evaluation.settings import ScoreSettings


@click.command(cls=options.GroupedCommand)
@click.argument("answers", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@options.settings_options(ScoreSettings, "answers")
@options.measures_option
@options.out_option
@options.json_option
@options.config_option
def score(answers: Path, measures: str | None, out: Path | None, as_json: bool, **values: Any) -> None:  # noqa: ANN401
    """Parse and measure ANSWERS: candidate rows that carry a `response` (null where there was none)."""
    from llmrank.evaluation.score import score as score_answers

    run = score_answers(answers, settings=options.settings_from(ScoreSettings, values), measures=measures, out=out)
    show_run(run, as_json=as_json)
