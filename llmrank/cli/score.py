"""`llmrank score`: parse and measure the answers of any system, without model calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.cli import options
from llmrank.cli.output import show_run
from llmrank.evaluation.settings import ScoreSettings


@click.command(cls=options.GroupedCommand)
@click.argument("answers", type=options.FilePath(exists=True, dir_okay=False))
@options.settings_options(ScoreSettings, "answers")
@options.measures_option
@options.out_option
@options.skip_bad_rows_option
@options.json_option
@options.config_option
def score(
    answers: Path, measures: str | None, out: Path | None, skip_bad_rows: bool, as_json: bool, **values: Any
) -> None:
    """Parse and measure ANSWERS, a candidate file whose rows also have a `response` (null if there was none)."""
    from llmrank.evaluation.score import score as score_answers

    settings = options.settings_from(ScoreSettings, values)
    run = score_answers(answers, measures=measures, out=out, skip_bad_rows=skip_bad_rows, settings=settings)
    show_run(run, as_json=as_json)
