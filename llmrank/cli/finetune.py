"""`llmrank finetune`: an adapter that continues users' sequences of titles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.backends import DEFAULT_MODEL
from llmrank.cli import options
from llmrank.cli.output import say, show_json
from llmrank.evaluation.settings import CaseSettings, settings_of
from llmrank.finetune import VALIDATION_USERS
from llmrank.finetune.settings import TitleTraining

TRAINING = {
    *("users", "epochs", "learning_rate", "validations", "patience", "seed", "start"),
    *("layers", "item_layers", "rank"),
}
"""Settings of a training that have an option; Python has them all."""


@click.command(
    cls=options.GroupedCommand,
    epilog="""\b
Examples:
  llmrank finetune ml-1m -o adapter --epochs 0.5 --learning-rate 0.002
  llmrank eval --ranker next_title --adapter adapter --fuse validation
""",
)
@click.argument("data")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of the adapter.")
@options.option("--model", default=DEFAULT_MODEL, show_default=True, help="Base model: folder or hub name.")
@options.option(
    "--validation-users",
    default=VALIDATION_USERS,
    show_default=True,
    type=click.IntRange(0),
    help="Users drawn to decide which weights are kept; 0: all.",
)
@options.settings_options(
    TitleTraining, "training", without={setting.name for setting in settings_of(TitleTraining)} - TRAINING
)
@options.settings_options(CaseSettings, "data", without=["data", "users", "seed", "force_target", "skip_bad_rows"])
@options.json_option
@options.config_option
def finetune_command(data: str, output: Path, model: str, validation_users: int, as_json: bool, **values: Any) -> None:  # noqa: ANN401
    """Train an adapter on DATA, a data set's name or folder, for `eval --ranker next_title`.

    Nothing of the test side is learned from, and each user's last training event is kept for validation. The same
    command continues a training that was stopped.
    """
    from llmrank.finetune import finetune

    settings = options.settings_from(TitleTraining, values)
    cases = options.settings_from(CaseSettings, values | {"data": data})
    card = finetune(cases, output, model=model, validation_users=validation_users, settings=settings, say=say)
    if as_json:
        show_json(card)
        return
    best, fusion = card["validation"], card["fusion"]
    click.echo(f"{output}: {card['best_targets']:,} targets of {card['data']['name']}, {card['minutes']} minutes")
    click.echo(f"validation {best['measure']} {best['best']:.4f} over the users whose item is proposed")
    click.echo(
        f"Use it: llmrank eval --ranker next_title --adapter {output} --fuse {fusion['weight']} "
        f"--fuse-term {fusion['term']}"
    )
