"""`llmrank finetune`: an adapter that continues users' sequences of titles, or answers a prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from llmrank.backends import DEFAULT_MODEL
from llmrank.cli import options
from llmrank.cli.output import say, show_json
from llmrank.errors import InputError
from llmrank.evaluation.settings import CaseSettings, PromptSettings, gather, settings_of
from llmrank.finetune import VALIDATION_USERS
from llmrank.finetune.settings import PromptTraining, TitleTraining

PYTHON_ONLY = {"warm_up", "checkpoint_seconds", "dtype", "window", "events", "dropout", "whitening", "tokens"}
"""Settings of a training that have no option."""
BOTH = {setting.name for setting in settings_of(TitleTraining)}
PROMPT_ONLY = {setting.name for setting in settings_of(PromptTraining)} - BOTH


@click.command(
    cls=options.GroupedCommand,
    epilog="""\b
Examples:
  llmrank finetune ml-1m -o adapter --epochs 5 --learning-rate 0.002
  llmrank eval --ranker next_title --adapter adapter --fuse validation
  llmrank finetune ml-100k -o letters --prompt first-token -k 20 --targets 4
  llmrank eval --prompt first-token -k 20 --adapter letters
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
@options.settings_options(TitleTraining, "training", without=PYTHON_ONLY)
@options.settings_options(PromptTraining, "training with --prompt", without=PYTHON_ONLY | BOTH)
@options.settings_options(CaseSettings, "data", without=["data", "users", "seed", "force_target", "skip_bad_rows"])
@options.settings_options(PromptSettings, "prompt and method")
@options.json_option
@options.config_option
def finetune_command(data: str, output: Path, model: str, validation_users: int, as_json: bool, **values: Any) -> None:  # noqa: ANN401
    """Train an adapter on DATA, a data set's name or folder; with --prompt also a file of solved Cases.

    Without --prompt it continues users' sequences of titles, for `eval --ranker next_title`. With --prompt it learns
    the log-probabilities that `eval` with the same options reads: of letters, of yes and no, of ratings.

    Nothing of the test side is learned from, and each user's last training event is kept for validation; of a file, a
    fifth of the users at most. The same command continues a training that was stopped.
    """
    from llmrank.finetune import finetune

    prompt = options.settings_from(PromptSettings, values)
    asked = prompt != PromptSettings()
    own = {name: values.pop(name) for name in (BOTH | PROMPT_ONLY) - PYTHON_ONLY}
    given = {name: value for name, value in own.items() if value is not None}
    kind, when = (PromptTraining, "with") if asked else (TitleTraining, "without")
    for name in given.keys() - {setting.name for setting in settings_of(kind)}:
        hint = "leave it out, or see `llmrank finetune --help` for the two kinds of training"
        raise InputError(f"a training {when} --prompt has no such option", field=options.option_name(name), hint=hint)
    settings = gather(kind, given, field_name=options.option_name)
    cases = options.settings_from(CaseSettings, values | {"data": data})
    card = finetune(
        cases,
        output,
        prompt=prompt if asked else None,
        model=model,
        validation_users=validation_users,
        settings=settings,
        say=say,
    )
    if as_json:
        show_json(card)
        return
    best = card["validation"]
    over = " over the users whose item is proposed" if best["measure"].startswith("NDCG") else ""
    click.echo(f"{output}: {card['best_targets']:,} targets of {card['data']['name']}, {card['minutes']} minutes")
    click.echo(f"validation {best['measure']} {best['best']:.4f}{over}")
    fused = "" if asked else " --fuse {weight} --fuse-term {term}".format_map(card["fusion"])
    how = f"--prompt {card['prompt']['prompt']}" if asked else f"--data {data} --ranker next_title"
    others = ", with the options of this training" if asked else ", with the data options of this training"
    say_others = asked or cases != CaseSettings(cases.data)
    click.echo(f"Use it: llmrank eval {how} --adapter {output}{fused}{others if say_others else ''}")
