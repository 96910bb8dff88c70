"""`llmrank finetune`: train an adapter that continues sequences of titles, or answers a prompt."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from llmrank.backends import DEFAULT_MODEL
from llmrank.cli import options
from llmrank.cli.output import say, show_json
from llmrank.errors import InputError, count_of
from llmrank.evaluation.settings import EVAL_ONLY, TRAINING_HELP, CaseSettings, PromptSettings, gather, settings_of
from llmrank.finetune import VALIDATION_USERS
from llmrank.finetune.settings import PromptTraining, TitleTraining

PYTHON_ONLY = {"warm_up", "checkpoint_seconds", "dtype", "window", "events", "dropout", "whitening", "tokens"}
"""Training settings without a command-line option."""
BOTH = {setting.name for setting in settings_of(TitleTraining)}
PROMPT_ONLY = {setting.name for setting in settings_of(PromptTraining)} - BOTH
HELP = {"prompt": "Template name or path (see `llmrank prompts list`).  [default: none; with --ranker its template]"}


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
@click.option("-o", "--out", required=True, type=options.PATH, help="Folder for the adapter.")
@options.option("--model", default=DEFAULT_MODEL, show_default=True, help="Base model: folder or hub name.")
@options.option(
    "--validation-users",
    default=VALIDATION_USERS,
    show_default=True,
    type=click.IntRange(0),
    help="Users to sample for choosing the best weights; 0: all.",
)
@options.settings_options(TitleTraining, "training", without=PYTHON_ONLY)
@options.settings_options(PromptTraining, "training with --prompt", without=PYTHON_ONLY | BOTH)
@options.settings_options(CaseSettings, "data", without=["data", "users", "seed", "force_target"])
@options.settings_options(PromptSettings, "prompt and method", without=EVAL_ONLY, here={**TRAINING_HELP, **HELP})
@options.json_option
@options.config_option
def finetune_command(data: str, out: Path, model: str, validation_users: int, as_json: bool, **values: Any) -> None:
    """Train an adapter on DATA, a dataset's name or folder; or, with --prompt, a file of Cases with known answers.

    Without --prompt, the adapter continues sequences of titles, for `eval --ranker next_title`. With --prompt, it
    learns the log-probabilities that `eval` with the same options reads: of letters, of yes and no, or of ratings.

    Training never uses test data. Each user's last training event is held out for validation; for a file, at most a
    fifth of the users. Run the same command again to continue a stopped training.
    """
    from llmrank.finetune import finetune

    prompt = options.settings_from(PromptSettings, values)
    prompted = prompt != PromptSettings()
    own = {name: values.pop(name) for name in (BOTH | PROMPT_ONLY) - PYTHON_ONLY}
    given = {name: value for name, value in own.items() if value is not None}
    kind, when = (PromptTraining, "with") if prompted else (TitleTraining, "without")
    for name in given.keys() - {setting.name for setting in settings_of(kind)}:
        hint = "omit it, or see `llmrank finetune --help` for the two kinds of training"
        raise InputError(f"training {when} --prompt has no such option", field=options.option_name(name), hint=hint)
    settings = gather(kind, given, field_name=options.option_name)
    cases = options.settings_from(CaseSettings, values | {"data": data})
    card = finetune(
        cases,
        out,
        prompt=prompt if prompted else None,
        model=model,
        validation_users=validation_users,
        settings=settings,
        say=say,
    )
    if as_json:
        show_json({name: value for name, value in card.items() if name != "learned"})
        return
    from llmrank.finetune.loop import measured

    best = card["validation"]
    over = " over the users whose item recall proposed" if best["measure"].startswith("NDCG") else ""
    click.echo(f"{out}: {count_of(card['best_targets'], 'target')} of {card['data']['name']}, {card['minutes']} min")
    click.echo(f"validation {measured(best['measure'], best['best'])}{over}")
    on = "OTHER_FILE" if card["data"]["split"] is None else data
    if (fusion := card.get("fusion")) is not None:
        method = ["--ranker", "next_title", "--fuse", f"{fusion['weight']}", "--fuse-term", fusion["term"]]
    else:
        method = ["--prompt", f"{prompt.prompt or card['prompt']['prompt']}"]
    base = [] if model == DEFAULT_MODEL else ["--model", model]
    use = shlex.join(["--data", on, *method, "--adapter", f"{out}", *base])
    others = f", with the {'' if prompted else 'data '}options of this training"
    click.echo(f"Use it: llmrank eval {use}{others if prompted or cases != CaseSettings(cases.data) else ''}")
