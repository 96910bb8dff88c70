"""`llmrank export-sft`: prompts with their correct answers, for other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from llmrank.cli import options
from llmrank.cli.output import say, show_json
from llmrank.evaluation.settings import EVAL_ONLY, TRAINING_HELP, CaseSettings, ModelSettings, PromptSettings
from llmrank.finetune.export import SftFormat


@click.command(
    cls=options.GroupedCommand,
    epilog="""\b
Example:
  llmrank export-sft ml-100k --prompt rankgpt -k 20 -o train.jsonl
""",
)
@click.argument("data")
@click.option(
    "--format",
    "form",
    type=click.Choice(get_args(SftFormat)),
    default=get_args(SftFormat)[0],
    show_default=True,
    help="trl: prompt and completion, both messages; openai: messages.",
)
@click.option("-o", "--out", required=True, type=options.PATH, help="JSON Lines file.")
@options.force_option
@options.settings_options(PromptSettings, "prompt and method", without=EVAL_ONLY, here=TRAINING_HELP)
@options.settings_options(CaseSettings, "data", without=["data", "users"])
@options.users_option
@options.settings_options(ModelSettings, "model")
@options.json_option
@options.config_option
def export_sft_command(data: str, out: Path, overwrite: bool, form: SftFormat, as_json: bool, **values: Any) -> None:
    """Write the prompts that `eval` would send about DATA, each with its correct answer.

    The correct answer is the user's last training event, or its rating. A prompt about a single item (tallrec) is also
    written for another candidate, answered No. The file contains no test data. The prompts are byte-identical to those
    of `eval` with the same options. Without --prompt, the default prompt is used without a profile (--no-profile).
    """
    from llmrank.finetune import export_sft

    prompt, model = options.settings_from(PromptSettings, values), options.settings_from(ModelSettings, values)
    cases = options.settings_from(CaseSettings, values | {"data": data})
    card = export_sft(cases, out, form=form, overwrite=overwrite, prompt=prompt, model=model, say=say)
    if as_json:
        show_json(card)
    else:
        cut = f", {card['split']}" if card["split"] else ""
        click.echo(f"{out}: {card['data']}{cut}; examples: {card['examples']:,}. {card['note']}")
        if card["not_proposed"]:
            missed = f"{card['not_proposed']:,} of {card['cases']:,}"
            click.echo(f"Cases left out, because recall did not propose their correct item: {missed}")
        if card["history_dropped"]:
            click.echo(
                f"oldest events dropped from the prompts, to fit the context window: {card['history_dropped']:,}"
            )
