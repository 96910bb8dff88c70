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
from llmrank.process import forget_interrupt, prepare_for_command, stdout_fails

VERBS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "eval": ("evaluate", "Rank real candidates with a model, and score the rankings."),
        "compare": ("compare", "Compare Runs: which is better, by how much, how certain."),
        "show": ("show", "Show a finished Run, or a single user in detail."),
        "audit": ("audit", "Test what drives a ranking: position, popularity, wording, …"),
        "report": ("report", "Write an HTML report about Runs."),
        "export": ("export", "Export a Run as TREC, CSV, Parquet or a table, or to a tracker."),
        "rerank": ("rerank", "Rerank a candidate file, or a folder of them."),
        "score": ("score", "Parse and measure the answers of any system."),
        "reparse": ("reparse", "Parse stored answers again with the current parser."),
        "finetune": ("finetune_command", "Train an adapter on title sequences, or for a prompt."),
        "export-sft": ("export_sft_command", "Write prompts with correct answers for other trainers."),
        "recall": ("recall", "Propose candidates, and write a candidate file."),
        "convert": ("convert", "Convert another recall stage's output into a candidate file."),
        "prompts": ("command", "List, show, edit, render, check and diff templates."),
        "data": ("data", "List, fetch and describe datasets."),
        "models": ("models", "List and download models."),
        "store": ("store", "Count, export, import and delete stored answers."),
        "doctor": ("doctor", "Check the installation, and show how to fix it."),
    }
)
"""The verbs in the order of --help, each with the name of its command in `llmrank.cli.<verb>` and one line of help.
They are listed here so that --help need not import those modules."""


FOLDERS = frozenset({"LLMRANK_DATA", "LLMRANK_CACHE"})
"""Environment variables that are not options: the folder of datasets, and the cache folder."""


def _command(verb: str) -> click.Command:
    return vars(import_module(f"llmrank.cli.{verb.replace('-', '_')}"))[VERBS[verb][0]]


class _Verbs(click.Group):
    """A group that imports a verb's module only when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _command(cmd_name) if cmd_name in VERBS else None

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb. An error about an option names the config file or variable that set it."""
        try:
            return super().invoke(ctx)
        except (InputError, click.BadParameter) as error:
            from llmrank.cli.options import with_source

            if (located := with_source(error, ctx.meta, _command(f"{ctx.invoked_subcommand}"))) is not None:
                raise located from error
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
    llmrank eval --prompt palr          rank real candidates with a model, and score it
    llmrank prompts edit palr           change the prompt, then run eval again
    llmrank rerank in.jsonl -o out.jsonl                    rerank a candidate file
    """


def _check_environment() -> None:
    """Raise InputError for an unknown LLMRANK_… variable. A typo would otherwise be ignored silently."""
    if any(name.startswith("LLMRANK_") and name not in FOLDERS for name in os.environ):
        from llmrank.cli.options import check_variables

        check_variables(map(_command, VERBS), FOLDERS)


def _working_folder_is_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def main() -> None:
    """Run the command line. Exit codes: 0 success, 2 bad input, 3 missing, 4 too many errors, 5 limit reached,
    130 interrupted."""
    try:
        prepare_for_command()
        _check_environment()
        # `context.exit(2)` in a verb makes main return the code.
        code: object = cli.main(standalone_mode=False)
        if isinstance(code, int) and code:
            sys.exit(code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f"see {context.command_path if context else 'llmrank'} --help"
        click.echo(f"error: {error.format_message()}\n  hint: {hint}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. Finished work is saved; the same command continues.", err=True)
        sys.exit(130)
    except LlmrankError as error:
        click.echo(f"error: {error.message}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        # A system error that no inner code explained, such as a full disk behind `> FILE`.
        where = f"{error.filename}: " if error.filename else "stdout: " if stdout_fails() else ""
        problem = error.strerror or str(error)
        hint = "check free space and permissions; the same command then continues"
        if error.errno in NO_FILES:
            hint = NO_FILES_HINT
        elif error.errno == errno.ENOENT and not where and _working_folder_is_gone():
            problem, hint = "the current folder no longer exists", "change to an existing folder"
        click.echo(f"error: {where}{problem}\n  hint: {hint}", err=True)
        # Exit at once: Python would flush stdout again and print an error of its own.
        sys.stderr.flush()
        os._exit(2)
    finally:
        forget_interrupt()
