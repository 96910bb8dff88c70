"""`llmrank prompts`: list, show, create, edit, render, check and diff prompt templates."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from click.formatting import wrap_text

from llmrank.cli.options import GroupedCommand, json_option, settings_from, settings_options
from llmrank.cli.output import say, show_json
from llmrank.errors import InputError, count_of, nearest, one_line
from llmrank.evaluation.settings import CaseSettings, ModelSettings, PromptSettings

_NEW = Path(__file__).with_name("new_prompt.jinja")
"""The file that `prompts new` copies."""

_PIPED = 10_000
"""Width when the output is not a terminal, so that lines are not wrapped."""


@click.group()
def prompts() -> None:
    """Work with prompt templates.

    A template is a Jinja file with front matter. Names are looked up in ./prompts, your config folder, and the package.
    """


command = prompts


@prompts.command(name="list")
@click.option("--task", default=None, help="Only templates for this task: ranking, rating, profile.")
@click.option("--ranker", default=None, help="Only templates for this method.")
@click.option(
    "--long", "long", is_flag=True, help="Show whole descriptions, and answer format, wording, paper and path."
)
@json_option
def list_command(task: str | None, ranker: str | None, long: bool, as_json: bool) -> None:
    """List the available templates."""
    from llmrank.prompting import describe_templates

    found = describe_templates(task=task, ranker=ranker)
    if not found:
        every = describe_templates()
        tasks, rankers = {info.task for info in every} - {""}, {info.ranker for info in every} - {""}
        close = nearest(ranker, rankers) if ranker is not None else nearest(task or "", tasks)
        hint = f"tasks: {', '.join(sorted(tasks))}; rankers: {', '.join(sorted(rankers))}"
        raise InputError(f"no matching template{close}", field="--task" if ranker is None else "--ranker", hint=hint)
    if as_json:
        show_json([{**asdict(info), "path": str(info.path)} for info in found])
        return
    methods = [info.ranker or info.task for info in found]
    name, wide = (max(map(len, texts), default=0) for texts in ([info.name for info in found], methods))
    abouts = [f"broken: {info.problem}" if info.problem else info.description for info in found]
    columns = shutil.get_terminal_size(fallback=(_PIPED, 0)).columns
    for info, method, about in zip(found, methods, abouts, strict=True):
        head = f"{info.name:{name}}  {method:{wide}}"
        if not long:
            click.echo(f"{head}  {one_line(about, max(1, columns - len(head) - 2))}")
            continue
        answer, paper = info.answer or "none", info.paper or "no paper"
        more = [f"answer {answer}; wording {info.wording}; {paper}", f"{info.origin}: {info.path}"]
        click.echo(head.rstrip())
        for text in (about, *([] if info.problem else more)):
            click.echo(wrap_text(text, columns, " " * 4, " " * 4))


@prompts.command(name="show")
@click.argument("name", required=False)
@click.option("--variables", is_flag=True, help="List the variables and front-matter keys a template may use.")
def show_command(name: str | None, variables: bool) -> None:
    """Print the source of template NAME."""
    from llmrank.prompting import find_template
    from llmrank.yaml_text import read_text

    if variables:
        click.echo("\n".join(_variables()))
    elif name is None:
        raise click.UsageError("give a template name, or --variables")
    if name is not None:
        path = find_template(name)
        say(f"{path}")
        click.echo(read_text(path), nl=False)


@prompts.command(name="new")
@click.argument("name")
def new_command(name: str) -> None:
    """Create a template, ./prompts/NAME.jinja."""
    from llmrank.prompting import check, read_template, shipped_path

    name = name.removesuffix(".jinja")
    path = Path("prompts") / f"{name}.jinja"
    hint = f"run `llmrank prompts edit {name}`, or choose another name"
    if path.exists():
        raise InputError("the file already exists", path=path, hint=hint)
    if shipped_path(name):
        raise InputError(f"this would replace the template {name!r} that llmrank ships", path=path, hint=hint)
    text = _NEW.read_text(encoding="utf-8").replace("NAME", name)
    check(read_template(text, path))  # rejects an invalid name before anything is written
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    click.echo(path)


@prompts.command(name="edit")
@click.argument("name")
@click.pass_context
def edit_command(context: click.Context, name: str) -> None:
    """Open template NAME in $EDITOR, then check it.

    The template is first copied into ./prompts, unless it is already there or NAME is a path.
    """
    from llmrank.prompting import find_template

    found = find_template(name)
    path = Path("prompts") / found.name if found.name == f"{name}.jinja" else found
    if copied := not path.exists():
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(found, path)
        say(f"copied {found} to {path}")
    try:
        click.edit(filename=str(path))
    except click.ClickException:  # the editor does not exist: do not leave an unchanged copy that hides the original
        if copied and path.read_bytes() == found.read_bytes():
            path.unlink()
        raise
    _report(context, [path])


@prompts.command(name="check")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Check all available templates.")
@click.pass_context
def check_command(context: click.Context, names: tuple[str, ...], everything: bool) -> None:
    """Check templates NAMES for errors.

    The exit code is 2 if there are any.
    """
    from llmrank.prompting import find_template, template_paths

    if not names and not everything:
        raise click.UsageError("give a template name, or --all")
    _report(context, list(template_paths().values()) if everything else [find_template(name) for name in names])


@prompts.command(name="render", cls=GroupedCommand)
@click.argument("name", required=False)
@click.option("--user", "user_id", help="User id or case id.  [default: the first user]")
@click.option("--profile", help="Profile text to show instead of the answer to the profile prompt.")
@settings_options(PromptSettings, "prompt and method", without=["prompt"])
@settings_options(CaseSettings, "data")
@settings_options(ModelSettings, "model")
@json_option
def render_command(name: str | None, user_id: str | None, profile: str | None, as_json: bool, **values: Any) -> None:
    """Print the messages that a run sends for a user.

    Also shows their token count, and the prefix that they share with the next prompt. If the method makes several
    calls, only the first is shown.
    """
    from llmrank.evaluation.rendering import Rendering
    from llmrank.evaluation.session import Session, is_here
    from llmrank.prompting import transcript

    prompt = settings_from(PromptSettings, values | {"prompt": name})
    cases, model = settings_from(CaseSettings, values), settings_from(ModelSettings, values)
    # --user may name any user of the data set, so load all of them.
    cases = cases if user_id is None else replace(cases, users=0)
    # Rendering downloads nothing: without a local model, tokens are estimated.
    with Session(model, say=say) if is_here(model) else Session.without_model() as session:
        found = Rendering.of(prompt, cases, session, profile=profile, say=say).of_user(user_id)
    if as_json:
        show_json(found.to_dict())
        return
    text, shared = transcript(found.messages), len(found.shared)
    click.echo(text)
    counted = f"{count_of(found.tokens, 'token')} ({found.counted_by}), {count_of(len(text), 'character')}"
    say(f"\n{counted}; {found.case.whom}, {found.template}")
    if found.whose:
        share = f"the first {count_of(shared, 'character')} ({shared / len(text):.0%})"
        say(f"shared with {found.whose}: {share}, up to …{found.shared[-60:]!r}")


@prompts.command(name="diff", cls=GroupedCommand)
@click.argument("name")
@click.argument("other", required=False)
@click.option("--cases", "count", default=3, type=click.IntRange(1), metavar="N", help="Cases to render.  [default: 3]")
@settings_options(CaseSettings, "data", without=["users"])
def diff_command(name: str, other: str | None, count: int, **values: Any) -> None:
    """Show how the prompts of two templates differ.

    Without OTHER, compare the shipped template NAME with your edited copy.
    """
    from llmrank.evaluation.rendering import prompt_differences
    from llmrank.prompting import compared_templates, load_template

    before, after = compared_templates(name, other)
    one, another = ("shipped", "edited") if other is None else (name, other)
    original, template = load_template(before), load_template(after)
    if original == template:
        say(f"{after} is {'an unchanged copy of the shipped template' if other is None else f'the same as {before}'}")
        return
    old, new = original.front.model_dump(), template.front.model_dump()
    for key in (key for key in old if old[key] != new[key]):
        click.echo(f"{key}: {old[key]} -> {new[key]}")
    cases = replace(settings_from(CaseSettings, values), users=count)
    compared = prompt_differences((before, after), (one, another), cases)
    for line in (line for lines in compared for line in lines):
        click.echo(line)
    say(f"rendered prompts that differ: {sum(map(bool, compared))} of {len(compared)}")


def _variables() -> Iterator[str]:
    from llmrank.answers import answer_formats
    from llmrank.prompting import DOMAINS
    from llmrank.prompting.front import FrontMatter
    from llmrank.prompting.variables import FIELDS, VARIABLES
    from llmrank.rankers import ranker_names

    yield "variables"
    yield from (f"  {name:<11} {meaning}" for name, meaning in VARIABLES.items())
    for kind, fields in FIELDS.items():
        declared = ", and the declared attributes" if kind in {"event", "item"} else ""
        yield f"fields of {kind}: {', '.join(fields)}{declared}"
        yield from (f"  {kind}.{name}: {meaning}" for name, meaning in fields.items() if meaning)
    yield "Missing data is false in {% if %}, and an error if printed. The ground truth is not available."
    yield f"rankers: {', '.join(ranker_names())}"
    yield f"answers: {', '.join(answer_formats())}"
    yield f"domains: {', '.join(DOMAINS)}"
    yield "blocks: system (optional), user, shot (one solved example)"
    yield f"front-matter keys: {', '.join(field.alias or name for name, field in FrontMatter.model_fields.items())}"


def _report(context: click.Context, paths: Sequence[Path]) -> None:
    """Print the problems of the templates, and exit with code 2 if there are any."""
    from llmrank.answers import answer_format
    from llmrank.prompting import check_file

    problems = [problem for path in paths for problem in check_file(path, answer_format)]
    for problem in problems:
        key = f"{problem.field}: " if problem.field else ""
        click.echo(f"{problem.path}:{problem.line}: {key}{problem.problem}\n  hint: {problem.hint}")
    say(f"{len(paths)} checked, {count_of(len(problems), 'problem')}")
    if problems:
        context.exit(2)
