"""`llmrank prompts`: see, begin, edit, render, check and compare prompt templates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmrank.cli.options import CaseOptions, PromptOptions, case_options, json_option, option, prompt_options
from llmrank.errors import InputError

if TYPE_CHECKING:
    from llmrank.cli.cases import CaseSet
    from llmrank.rankers.order import Order
    from llmrank.rankers.prompt import Prompt
    from llmrank.types import Case, Message, Ranker, Request

SKELETON = """\
---
name: {name}
description: What this prompt tries
task: ranking            # ranking, rating or profile
ranker: listwise         # how it is asked: listwise, pointwise, …
answer: titles           # how the response is read: titles, permutation, …
history: 20              # newest events shown
top: 10                  # how many items are asked for
ids: titles              # how items are named: titles, numbers, letters, item_id, words
attributes: []           # item attributes shown, such as genres
domain: items            # whose words are used: movies, books, games, …
provenance: {{wording: own}}
sampling: {{temperature: 0, max_tokens: 400}}
---
{{# `llmrank prompts show --variables` lists what can be shown. #}}
{{# The line break after a block tag is dropped; +%}} keeps it. #}}
{{% block system %}}
You recommend {{{{ domain.items }}}}.
{{% endblock %}}
{{% block user %}}
{{% if history %}}
The user has {{{{ domain.past }}}}, {{{{ order }}}}:
{{% for event in history %}}
- "{{{{ event.title }}}}"{{% if event.rating is defined %}}, rated {{{{ event.rating }}}}{{% endif +%}}
{{% endfor %}}

{{% endif %}}
The candidates are:
{{% for item in candidates %}}
- {{% if item.identifier %}}[{{{{ item.identifier }}}}] {{% endif %}}"{{{{ item.title }}}}"
{{% endfor %}}

Which {{{{ top }}}} of them will the user {{{{ domain.verb }}}} next? List them, the likeliest first, one a line.
{{% endblock %}}
"""


@click.group()
def prompts() -> None:
    """Prompt templates: files with front matter and Jinja, searched in ./prompts, your config folder, the package."""


command = prompts


@prompts.command(name="list")
@json_option
def list_command(as_json: bool) -> None:
    """List the templates that can be named."""
    from llmrank.prompting import describe_templates

    rows: list[dict[str, Any]] = []
    for one in describe_templates():
        row = asdict(one) | {"path": str(one.path)}
        rows.append(row | {"description": f"broken: {one.problem}"} if one.problem else row)
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    columns = ("name", "task", "ranker", "answer", "wording", "description")
    table = Table(*columns)
    for row in rows:
        table.add_row(*(str(row.get(column) or "") for column in columns))
    Console().print(table)


@prompts.command(name="show")
@click.argument("name", required=False)
@click.option("--variables", is_flag=True, help="Show what a template may use, and the front-matter keys.")
def show_command(name: str | None, variables: bool) -> None:
    """Print the file of template NAME."""
    from llmrank.prompting import find_template
    from llmrank.prompting.library import read_text

    if variables:
        click.echo("\n".join(_variables()))
    elif name is None:
        raise click.UsageError("name a template, or ask for --variables")
    if name is not None:
        path = find_template(name)
        click.echo(path, err=True)
        click.echo(read_text(path), nl=False)


@prompts.command(name="new")
@click.argument("name")
def new_command(name: str) -> None:
    """Begin a template: write ./prompts/NAME.jinja."""
    from llmrank.prompting import check, read_template

    path = Path("prompts") / f"{name}.jinja"
    if path.exists():
        raise InputError("is there already", path=path, hint=f"`llmrank prompts edit {name}`, or take another name")
    text = SKELETON.format(name=name)
    check(read_template(text, path))  # refuses a name that cannot be one before anything is written
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    click.echo(path)


@prompts.command(name="edit")
@click.argument("name")
@click.pass_context
def edit_command(context: click.Context, name: str) -> None:
    """Open template NAME in $EDITOR, copied into ./prompts unless it is there, and check it."""
    from llmrank.prompting import find_template

    path = Path("prompts") / f"{name}.jinja"
    if not path.exists():
        found = find_template(name)
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(found, path)
        click.echo(f"copied {found} to {path}", err=True)
    click.edit(filename=str(path))
    _report(context, [path])


@prompts.command(name="check")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Check every template that can be named.")
@click.pass_context
def check_command(context: click.Context, names: tuple[str, ...], everything: bool) -> None:
    """Look for what is wrong in templates NAMES (or --all); exit code 2 if anything is."""
    from llmrank.prompting import find_template, template_paths

    if not names and not everything:
        raise click.UsageError("name a template, or ask for --all")
    _report(context, list(template_paths().values()) if everything else [find_template(name) for name in names])


@prompts.command(name="render")
@click.argument("name", required=False)
@click.option("--user", "user_id", help="Whose prompt; the first user's if not given.")
@click.option("--profile", help="The user's profile, in the place of what the profile prompt would answer.")
@option("--model", default="smollm2-135m-instruct", show_default=True, help="Whose tokens are counted.")
@case_options
@prompt_options
@json_option
def render_command(
    name: str | None,
    user_id: str | None,
    profile: str | None,
    model: str,
    case_options: CaseOptions,
    prompt_options: PromptOptions,
    as_json: bool,
) -> None:
    """Print the exact messages of template NAME for a user, their tokens, and where the shared prefix ends.

    Of a method that makes several calls, they are those of the first.
    """
    from llmrank.prompting import shared_prefix, transcript

    options = replace(prompt_options, prompt=name or prompt_options.prompt)
    # A user may be any of the data's, so all of them are loaded.
    cases = case_options if user_id is None else replace(case_options, users=0)
    asking = _Asking.of(options, cases, profile)
    case, messages, following, whose = asking.pair(user_id)
    shared = "" if following is None else shared_prefix(messages, following)
    text, path = transcript(messages), asking.prompt.template.path
    count, counted_by = _token_count(model)
    tokens = count(messages)
    if as_json:
        result = {
            "template": str(path),
            "user": case.user_id,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "tokens": tokens,
            "counted_by": counted_by,
            "shared_prefix": {"with": whose, "characters": len(shared), "of": len(text), "ends": shared[-60:]},
        }
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    click.echo(text)
    click.echo(f"\n{tokens:,} tokens ({counted_by}), {len(text):,} characters; user {case.user_id}, {path}", err=True)
    if following is not None:
        share = f"the first {len(shared):,} characters ({len(shared) / len(text):.0%})"
        click.echo(f"shared with {whose}: {share}, up to …{shared[-60:]!r}", err=True)


@prompts.command(name="diff")
@click.argument("name")
@click.option("--cases", "count", default=3, show_default=True, type=click.IntRange(1), help="Prompts to render.")
@case_options
def diff_command(name: str, count: int, case_options: CaseOptions) -> None:
    """Show what the edited template NAME changes in rendered prompts, against the one that comes with llmrank."""
    from llmrank.prompting import difference, find_template, load_template, shipped_folder

    ours = find_template(name)
    shipped = shipped_folder() / ours.name
    if not shipped.is_file():
        raise InputError(f"no template {ours.stem!r} comes with llmrank", hint="`llmrank prompts list` shows them all")
    original, template = load_template(shipped), load_template(ours)
    if original == template:
        click.echo(f"{ours} is the one that comes with llmrank, unchanged", err=True)
        return
    old, new = original.front.model_dump(), template.front.model_dump()
    for key in (key for key in old if old[key] != new[key]):
        click.echo(f"{key}: {old[key]} -> {new[key]}")
    cases = replace(case_options, users=count)
    one, other = (_Asking.of(PromptOptions(prompt=str(path)), cases) for path in (shipped, ours))
    changed = 0
    for case, edited in zip(one.cases.cases, other.cases.cases, strict=True):
        user = f"user {case.user_id}"
        before, after = one.calls(case)[0].messages, other.calls(edited)[0].messages
        lines = list(difference(before, after, (f"shipped, {user}", f"edited, {user}")))
        changed += bool(lines)
        for line in lines:
            click.echo(line)
    click.echo(f"{changed} of {len(one.cases.cases)} rendered prompts differ", err=True)


@dataclass(frozen=True, slots=True)
class _Asking:
    """A prompt and the Cases it is rendered for, as a run with the same options would have them."""

    prompt: Prompt
    ranker: Ranker | None
    """None for a prompt that asks for a profile."""
    cases: CaseSet
    order: Order
    profile: str

    @classmethod
    def of(cls, options: PromptOptions, case_options: CaseOptions, profile: str | None = None) -> _Asking:
        from llmrank.cli.asking import ContextWindow, load_prompt, make_profile, make_prompt, make_ranker, prompt_name
        from llmrank.cli.cases import load_cases
        from llmrank.prompting import load_template
        from llmrank.rankers.order import Order

        template = load_template(prompt_name(options))
        front, seed, ranker = template.front, case_options.seed, None
        task = "rating" if front.task == "rating" else "ranking"
        cases = load_cases(case_options, task, catalogue=front.candidates == "catalogue")
        if front.task == "profile":
            prompt = make_profile(template, options, seed=seed, room=ContextWindow())
        else:
            prompt = make_prompt(load_prompt(options), options, cases, seed=seed)
            # What is asked with this prompt, not what a first stage asks before it.
            ranker = make_ranker(prompt, replace(options, first=None), cases, seed=seed)
        answered = f"(what {front.profile} answers)" if profile is None else profile
        return cls(prompt, ranker, cases, Order.parse(options.order, seed), answered)

    def calls(self, case: Case) -> list[Request]:
        """Return the calls that are made first about a Case, side by side; those for its profile are answered."""
        from llmrank.types import Response

        shown = self.order.arrange(case).blinded()
        if self.ranker is None:
            return [self.prompt.ask(shown).request]
        steps = self.ranker.rank(shown)
        try:
            batch = next(steps)
            return batch if self.prompt.profile is None else steps.send([Response(self.profile) for _ in batch])
        except StopIteration as stop:
            raise InputError(
                f"{self.ranker.name} asks nothing about a list of {len(shown.candidates)}",
                user=case.user_id,
                hint="show more candidates",
            ) from stop

    def pair(self, user_id: str | None) -> tuple[Case, tuple[Message, ...], tuple[Message, ...] | None, str]:
        """Return the user's Case, its first messages, those that are asked next after them, and whose they are."""
        cases = self.cases.cases
        place = next((place for place, case in enumerate(cases) if user_id in (None, case.user_id)), None)
        if place is None:
            raise InputError(
                f"no user {user_id!r} among the Cases", field="--user", hint="name one of the data's users"
            )
        case, following = cases[place], cases[(place + 1) % len(cases)]
        calls = self.calls(case)
        if len(calls) > 1:
            return case, calls[0].messages, calls[1].messages, "the same user's next call"
        if len(cases) == 1:
            return case, calls[0].messages, None, ""
        return case, calls[0].messages, self.calls(following)[0].messages, f"the prompt of user {following.user_id}"


def _variables() -> Iterator[str]:
    from llmrank.answers import answer_formats
    from llmrank.prompting import DOMAINS
    from llmrank.prompting.front import FrontMatter
    from llmrank.prompting.variables import FIELDS, VARIABLES
    from llmrank.rankers import ranker_names

    yield "variables"
    yield from (f"  {name:<11} {meaning}" for name, meaning in VARIABLES.items())
    for kind, fields in FIELDS.items():
        yield f"fields of {kind}: {', '.join(fields)}" + (
            ", and the declared attributes" if kind in {"event", "item"} else ""
        )
        yield from (f"  {kind}.{name}: {meaning}" for name, meaning in fields.items() if meaning)
    yield "What the data lacks counts as false in {% if %}; printing it is an error. The truth has no name here."
    yield f"rankers: {', '.join(ranker_names())}"
    yield f"answers: {', '.join(answer_formats())}"
    yield f"domains: {', '.join(DOMAINS)}"
    yield "blocks: system (optional), user, shot (one solved example)"
    yield f"front-matter keys: {', '.join(field.alias or name for name, field in FrontMatter.model_fields.items())}"


def _report(context: click.Context, paths: Sequence[Path]) -> None:
    """Print the problems of the templates; leave with exit code 2 if there are any."""
    from llmrank.answers import answer_format
    from llmrank.prompting import check_file

    problems = [problem for path in paths for problem in check_file(path, answer_format)]
    for problem in problems:
        click.echo(problem)
    click.echo(f"{len(paths)} checked, {len(problems)} problems", err=True)
    if problems:
        context.exit(2)


def _token_count(model: str) -> tuple[Callable[[Sequence[Message]], int], str]:
    """Return how to count a prompt's tokens, and who counts: the model's tokenizer if it is here, else an estimate."""
    from importlib.util import find_spec

    from llmrank.backends.models import cached_models
    from llmrank.files import cache_folder

    named = Path(model).expanduser()
    folder = (
        named if named.is_dir() else next((one for one in cached_models(cache_folder()) if one.name == model), None)
    )
    if folder is None or find_spec("transformers") is None:
        return (
            lambda messages: -(-sum(len(message.content) for message in messages) // 4),
            f"an estimate, 4 characters a token: the tokenizer of {model} is not here",
        )
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def count(messages: Sequence[Message]) -> int:
        chat = [{"role": message.role, "content": message.content} for message in messages]
        return len(tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False))

    return count, f"tokenizer and chat template of {model}"
