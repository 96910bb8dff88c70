"""Options that several verbs share. Each is also an environment variable (LLMRANK_…) and a key of --config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from llmrank.errors import InputError, nearest

if TYPE_CHECKING:
    from llmrank.prompting.identifiers import Ids
    from llmrank.prompting.view import DomainName

Command = Callable[..., Any]


def option(*declarations: str, **attributes: Any) -> Callable[[Command], Command]:  # noqa: ANN401 - click checks
    """Return a click option that `LLMRANK_<NAME>` sets too."""
    long = next(text for text in declarations if text.startswith("--")).split("/")[0]
    # LLMRANK_DATA is the folder in which datasets lie, so that a name still chooses among them.
    if long != "--data":
        attributes.setdefault("envvar", "LLMRANK_" + long.removeprefix("--").replace("-", "_").upper())
    return click.option(*declarations, **attributes)


def _read_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path, hint="name a YAML file") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise InputError(
            f"no YAML: {error.problem}", path=path, line=line, hint="write `option: value` lines"
        ) from error
    if not isinstance(values, dict):
        raise InputError("holds no `option: value` lines", path=path, hint="write for example `prompt: palr`")
    names = {
        (declaration.removeprefix("--").split("/")[0]): one.name
        for one in context.command.params
        for declaration in one.opts
        if declaration.startswith("--")
    }
    for key in values:
        if str(key) not in names:
            raise InputError(
                f"unknown option{nearest(str(key), names)}",
                path=path,
                field=str(key),
                hint="see --help for the options",
            )
    context.default_map = {names[str(key)]: value for key, value in values.items()} | dict(context.default_map or {})


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    envvar="LLMRANK_CONFIG",
    help="YAML file with any of these options as keys; the command line wins.",
)


def column_role(text: str) -> tuple[str, str]:
    """Return the role and the name in `ROLE=NAME`, a column of the user's own tables; raises InputError."""
    role, equals, name = text.partition("=")
    if not (role and equals and name):
        raise InputError(f"{text!r} is not ROLE=NAME", field="--column", hint="write for example --column user=uid")
    return role, name


def _grouped(name: str, kind: type, *options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return a decorator that adds the options and hands them over as one frozen value."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def gathered(**values: Any) -> Any:  # noqa: ANN401 - whatever the command takes
            group = kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            return command(**values, **{name: group})

        result: Command = gathered
        for one in reversed(options):
            result = one(result)
        return result

    return decorate


@dataclass(frozen=True, slots=True)
class CaseOptions:
    """Where the Cases come from."""

    data: str = "ml-100k"
    recall: str = "ease"
    k: int | None = None
    split: str = "leave-last-out"
    users: int = 40
    seed: int = 0
    force_target: bool = False
    k_core: int = 0
    columns: tuple[str, ...] = ()
    allow_empty_history: bool = False


case_options = _grouped(
    "case_options",
    CaseOptions,
    option(
        "--data", default="ml-100k", show_default=True, help="Dataset name, folder, hf:owner/name, or candidate file."
    ),
    option("--recall", default="ease", show_default=True, help="Recall model: ease, itemknn, popularity, random."),
    option(
        "-k", "--candidates", "k", type=click.IntRange(1), help="Candidates per user.  [default: 50; of a file: all]"
    ),
    option(
        "--split",
        default="leave-last-out",
        show_default=True,
        help="leave-last-out, time:YYYY-MM-DD, or user-ratio:0.9.",
    ),
    option("--users", default=40, show_default=True, type=click.IntRange(0), help="Users drawn by --seed; 0: all."),
    option("--seed", default=0, show_default=True, help="For the users drawn, shuffles, shots and sampling."),
    option(
        "--force-target", is_flag=True, help="Put what the user did next into every list (printed with the numbers)."
    ),
    option(
        "--k-core", default=0, show_default=True, type=click.IntRange(0), help="Keep users and items with k events."
    ),
    option("--column", "columns", multiple=True, help="Your tables' column names, e.g. --column user=member_id."),
    option("--allow-empty-history", is_flag=True, help="Accept rows of a candidate file that have no history."),
)


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """What is asked, and how it is shown."""

    prompt: str | None = None
    ranker: str | None = None
    answer: str | None = None
    shots: int | None = None
    history: int | None = None
    top: int | None = None
    ids: Ids | None = None
    order: str = "shuffled"
    history_order: Literal["oldest-first", "newest-first", "shuffled"] = "oldest-first"
    show_scores: bool = False
    no_history: bool = False
    no_profile: bool = False
    domain: DomainName | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    window: int = 20
    step: int = 10
    sort: str | None = None
    sort_top: int = 10
    group: int | None = None
    rounds: int = 2
    repeats: int = 1
    combine: Literal["borda", "reciprocal_rank", "kemeny"] = "borda"
    first: str | None = None
    first_prompt: str | None = None
    first_top: int = 20


prompt_options = _grouped(
    "prompt_options",
    PromptOptions,
    option(
        "--prompt",
        default=None,
        help="Template name or path (see `llmrank prompts list`).  [default: palr, or the usual one of --ranker]",
    ),
    option(
        "--ranker",
        default=None,
        help="Method; the template's own unless given. One that asks nobody: random, popularity, recall_order, bm25, "
        "oracle; global_mean, item_mean, user_mean.",
    ),
    option("--answer", default=None, help="Answer format; the template's own unless given."),
    option("--shots", default=None, type=click.IntRange(0), help="Solved examples shown, from training data only."),
    option("--history", default=None, type=click.IntRange(0), help="Newest events shown."),
    option("--top", default=None, type=click.IntRange(1), help="How many items the model is asked for."),
    option(
        "--ids",
        default=None,
        type=click.Choice(["titles", "numbers", "letters", "item_id", "words"]),
        help="How candidates are named.",
    ),
    option(
        "--order",
        default="shuffled",
        show_default=True,
        help="Order in which candidates are shown: shuffled, recall, reversed, target-at-P.",
    ),
    option(
        "--history-order",
        default="oldest-first",
        show_default=True,
        type=click.Choice(["oldest-first", "newest-first", "shuffled"]),
        help="Order in which the history is shown.",
    ),
    option("--show-scores", is_flag=True, help="Show the recall scores to the model."),
    option("--no-history", is_flag=True, help="Show no history."),
    option("--no-profile", is_flag=True, help="Leave out the first call that asks for a profile."),
    option(
        "--domain",
        default=None,
        type=click.Choice(["movies", "books", "games", "music", "news", "beauty", "products", "items"]),
        help="Whose words are used, where the template leaves it open.",
    ),
    option(
        "--temperature", default=None, type=click.FloatRange(0), help="The template's own (usually 0) unless given."
    ),
    option(
        "--max-tokens", default=None, type=click.IntRange(1), help="Longest answer; the template's own unless given."
    ),
    option("--window", default=20, show_default=True, type=click.IntRange(2), help="sliding_window: items at a time."),
    option(
        "--step", default=10, show_default=True, type=click.IntRange(1), help="sliding_window: step between windows."
    ),
    option("--sort", default=None, help="pairwise: all, heap, bubble; setwise: heap, bubble."),
    option("--sort-top", default=10, show_default=True, type=click.IntRange(1), help="Places that a sort fills."),
    option("--group", default=None, type=click.IntRange(2), help="setwise, tournament: items at a time."),
    option("--rounds", default=2, show_default=True, type=click.IntRange(1), help="tournament: rounds played."),
    option(
        "--repeats", default=1, show_default=True, type=click.IntRange(1), help="Ask in so many orders and combine."
    ),
    option(
        "--combine",
        default="borda",
        show_default=True,
        type=click.Choice(["borda", "reciprocal_rank", "kemeny"]),
        help="How repeats are combined.",
    ),
    option("--first", default=None, help="A cheap ranker for the whole list; the method ranks its top alone."),
    option("--first-prompt", default=None, help="Template of --first, where it asks.  [default: its usual one]"),
    option("--first-top", default=20, show_default=True, type=click.IntRange(2), help="How many --first leaves over."),
)


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """Who is asked, and what it may cost."""

    backend: str | None = None
    model: str = "smollm2-135m-instruct"
    base_url: str | None = None
    revision: str | None = None
    adapter: str | None = None
    concurrency: int | None = None
    store: Path | None = None
    max_error_rate: float = 0.0
    batch: bool = False
    prices: Path | None = None
    max_requests: int | None = None
    max_total_tokens: int | None = None
    max_cost: float | None = None


backend_options = _grouped(
    "backend_options",
    BackendOptions,
    option(
        "--backend",
        default=None,
        help="vllm, openai, or replay:STORE_OR_RUN; openai when --base-url is given, else vllm.",
    ),
    option(
        "--model", default="smollm2-135m-instruct", show_default=True, help="Model folder, hub name, or served name."
    ),
    option(
        "--base-url", default=None, help="OpenAI-compatible endpoint (or OPENAI_BASE_URL); its key: OPENAI_API_KEY."
    ),
    option("--revision", default=None, help="Revision of a hub model."),
    option("--adapter", default=None, help="LoRA adapter folder."),
    option(
        "--concurrency",
        default=None,
        type=click.IntRange(1),
        help="Calls under way at once.  [default: 64 in process; of an endpoint it is found out]",
    ),
    option(
        "--store", default=None, type=click.Path(path_type=Path), help="File that keeps every answer ever received."
    ),
    option(
        "--max-error-rate",
        default=0.0,
        show_default=True,
        type=click.FloatRange(0, 1),
        help="Share of failed Cases up to which the exit code is 0.",
    ),
    option(
        "--batch",
        is_flag=True,
        help="openai: ask through the Batch API, cheaper and within a day; --concurrency is the most in one batch.",
    ),
    option(
        "--prices",
        default=None,
        type=click.Path(path_type=Path, dir_okay=False),
        help="YAML: date, currency, and models: {NAME: {input, cached_input, output, batch}}, per million tokens.",
    ),
    option(
        "--max-requests",
        default=None,
        type=click.IntRange(0),
        help="Stop before this command sends more calls (exit code 5; the same command goes on).",
    ),
    option(
        "--max-total-tokens",
        default=None,
        type=click.IntRange(0),
        help="Stop before its prompts and answers take more tokens together.",
    ),
    option(
        "--max-cost",
        default=None,
        type=click.FloatRange(0),
        help="Stop before it costs more, in the currency of --prices.",
    ),
)


@dataclass(frozen=True, slots=True)
class ScaleOptions:
    """How a large job is divided."""

    engine: Literal["local", "ray"] = "local"
    shard: str | None = None
    actors: int | None = None
    gpus_per_actor: float | None = None


scale_options = _grouped(
    "scale_options",
    ScaleOptions,
    option(
        "--engine",
        default="local",
        show_default=True,
        type=click.Choice(["local", "ray"]),
        help="This process, or Ray actors (extra `ray`), which share the files of a folder.",
    ),
    option("--shard", default=None, help="i/n: do the i-th of n parts only, e.g. 2/4; of a folder, every n-th file."),
    option(
        "--actors",
        default=None,
        type=click.IntRange(1),
        help="ray: processes, each with a model or --concurrency calls of its own.  [default: one a GPU, or a CPU]",
    ),
    option("--gpus-per-actor", default=None, type=click.FloatRange(0), help="ray.  [default: 1 where there are GPUs]"),
)

json_option = option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
dry_run_option = option(
    "--dry-run",
    is_flag=True,
    help="Count requests and tokens (money with --prices), and what the store has of them; ask nobody.",
)
