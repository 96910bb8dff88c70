"""The command line: one file per verb, thin. stdout is the result, stderr is progress."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import click

from llmrank import __version__
from llmrank.errors import NO_FILES, NO_FILES_HINT, InputError, LlmrankError, nearest
from llmrank.process import keep_streams, stdout_fails, stop_as_by_ctrl_c

VERBS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "eval": ("evaluate", "Rank real candidates with a model, and score the rankings."),
        "compare": ("compare", "Compare Runs: which is better, by how much, how sure."),
        "show": ("show", "Show a finished Run again, or one user's story."),
        "audit": ("audit", "Ask what decides: place, popularity, history, wording, memory."),
        "report": ("report", "Write a page about Runs: one HTML file."),
        "export": ("export", "Write a Run as TREC, CSV, Parquet or a table, or to a tracker."),
        "rerank": ("rerank", "Rerank a candidate file, or a folder of them."),
        "score": ("score", "Parse and measure the answers of any system."),
        "reparse": ("reparse", "Read stored answers again with today's parser."),
        "finetune": ("finetune_command", "Train a small model on title sequences, or for a prompt."),
        "export-sft": ("export_sft_command", "Write prompts with right answers for other trainers."),
        "recall": ("recall", "Propose candidates, as a candidate file."),
        "convert": ("convert", "Turn another recall stage's output into a candidate file."),
        "prompts": ("command", "List, show, edit, render, check and compare templates."),
        "data": ("data", "List, fetch and describe data sets."),
        "models": ("models", "List and download models."),
        "store": ("store", "Count, export, import and delete stored answers."),
        "doctor": ("doctor", "Show what is installed, and what installs the rest."),
    }
)
"""Each verb, in the order of --help: the name of its command in the module `llmrank.cli.<verb>`, and one line of help.
They stand here so that --help loads none of the modules."""


FOLDERS = frozenset({"LLMRANK_DATA", "LLMRANK_CACHE"})
"""Environment variables that are no options: the folders of data sets and of what can be fetched again."""


def _command(verb: str) -> click.Command:
    return vars(import_module(f"llmrank.cli.{verb.replace('-', '_')}"))[VERBS[verb][0]]


class _Verbs(click.Group):
    """Loads a verb's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _command(cmd_name) if cmd_name in VERBS else None

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; what is wrong with an option names the config file or the variable that set it."""
        try:
            return super().invoke(ctx)
        except (InputError, click.BadParameter) as error:
            from llmrank.cli.options import with_source

            if (told := with_source(error, ctx.meta)) is not None:
                raise told from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            words = {**{verb: verb for verb in VERBS}, **{command: verb for verb, (command, _) in VERBS.items()}}
            near = nearest(args[0], words)
            meant = f"; did you mean '{words[args[0]]}'?" if args[0] in words else near
            ctx.fail(f"no verb {args[0]!r}{meant}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__)
def cli() -> None:
    """Is a large language model a better ranker for your recommender than what you have?

    \b
    llmrank eval --prompt palr          rank real candidates with a model, score it
    llmrank prompts edit palr           change the prompt, then run eval again
    llmrank rerank in.jsonl -o out.jsonl                    rerank a candidate file
    """


def _check_environment() -> None:
    """Raise InputError for a variable LLMRANK_… that sets no option: mistyped, it would be ignored in silence."""
    if any(name.startswith("LLMRANK_") and name not in FOLDERS for name in os.environ):
        from llmrank.cli.options import check_variables

        check_variables(map(_command, VERBS), FOLDERS)


def _folder_is_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def main() -> None:
    """Run the command line; exits 0 good, 2 bad input, 3 something missing, 4 too many errors, 5 a bound reached, 130
    interrupted."""
    keep_streams()
    stop_as_by_ctrl_c()
    try:
        _check_environment()
        # A verb that ends with an exit code of its own (`context.exit(2)`) returns it here.
        code: object = cli.main(standalone_mode=False)
        if isinstance(code, int) and code:
            sys.exit(code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. What was done is saved; the same command continues.", err=True)
        sys.exit(130)
    except LlmrankError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        # Whatever the system refuses, and nothing nearer to it has explained: a full disk behind `> FILE`, for one.
        where = f"{error.filename}: " if error.filename else "stdout: " if stdout_fails() else ""
        said = error.strerror or str(error)
        hint = "check the free space and the permissions there; the same command then continues"
        if error.errno in NO_FILES:
            hint = NO_FILES_HINT
        elif error.errno == errno.ENOENT and not where and _folder_is_gone():
            said, hint = "the folder in which the command was given is gone", "give it in one that is there"
        click.echo(f"error: {where}{said}\n  hint: {hint}", err=True)
        # Python would try once more to write what is left for stdout, and complain in its own way.
        sys.stderr.flush()
        os._exit(2)
