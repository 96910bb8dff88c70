"""The settings of an evaluation, as frozen dataclasses.

These records, and the ones nested in them (`View`, `RankerOptions`), are the only place for defaults, choices, ranges
and help texts. Command-line options, environment variables, `--config` keys and their help are derived from the fields
(see `settings_of`). The Python functions accept the records, or the same names as keyword arguments (`gather`).
"""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic_core import to_json

from llmrank.backends import DEFAULT_MODEL
from llmrank.errors import InputError, nearest
from llmrank.prompting import View
from llmrank.prompting.identifiers import Ids
from llmrank.rankers.options import RankerOptions

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")

DEFAULT_DATA = "ml-100k"
DEFAULT_USERS = 40
DEFAULT_CANDIDATES = 50


def role_texts(columns: object) -> object:
    """Return a mapping of roles to column names as texts `ROLE=NAME`; anything else unchanged."""
    if not isinstance(columns, Mapping):
        return columns
    names = cast("Mapping[object, object]", columns)
    return tuple(f"{role}={'' if name is None else name}" for role, name in names.items())


@dataclass(frozen=True, slots=True)
class CaseSettings:
    """Where the Cases come from."""

    data: str | Path = DEFAULT_DATA
    """Dataset name, folder, hf:owner/name, or candidate file."""
    recall: str = "ease"
    """Recall model that proposes the candidates: ease, itemknn, popularity, random, sentences; trained: ials, sasrec,
    hstu, …"""
    k: Annotated[int, Ge(1)] | None = None
    """Candidates per user.  [default: 50; all for a candidate file]"""
    split: str = "leave-last-out"
    """How to hold out test events: leave-last-out, time:YYYY-MM-DD, or user-ratio:0.9."""
    users: Annotated[int, Ge(0)] | None = None
    """Number of users to sample with the seed; 0: all.  [default: 40; all for a candidate file]"""
    seed: int = 0
    """Seed for everything random: users, shuffles, shots, sampling."""
    force_target: bool = False
    """Add a relevant item to each candidate list that has none. The results then say so."""
    k_core: Annotated[int, Ge(0)] = 0
    """Keep only users and items with at least this many events."""
    columns: Annotated[tuple[str, ...], BeforeValidator(role_texts)] = ()
    """Name of a column in your own tables, as ROLE=NAME: --column user=member_id. Roles: user, item, title, rating,
    timestamp, position."""
    file_order: bool = False
    """Order events as they appear in the file, for data without timestamps."""
    skip_bad_rows: bool = False
    """Skip invalid rows of a candidate file, and count them."""


def names(value: object) -> object:
    """Return the names in comma-separated lists; anything that is no list unchanged."""
    if not isinstance(value, Sequence):
        return value
    text = value if isinstance(value, str) else ",".join(map(str, cast("Sequence[object]", value)))
    return [name.strip() for name in text.split(",") if name.strip()]


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """Baselines in addition to random, popularity, recall order and the ceiling."""

    baselines: Annotated[tuple[str, ...], BeforeValidator(names)] = ()
    """Recommenders to train on the training data and compare on the same candidates: sasrec,bst,hstu."""


def thinking_text(value: object) -> object:
    """Return true and false as `on` and `off`, and a budget as text; anything else unchanged."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if isinstance(value, int) else value


def json_text(value: object) -> object:
    """Return a mapping as JSON; anything else unchanged."""
    return to_json(value).decode() if isinstance(value, Mapping) else value


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """The prompt, how it is rendered, and the ranking method."""

    prompt: str | Path | None = None
    """Template name or path (see `llmrank prompts list`).  [default: palr, or the default template of --ranker]"""
    ranker: str | None = None
    """Ranking method. next_title needs an --adapter and no template. These make no model calls: random, popularity,
    recall_order, bm25, oracle; global_mean, item_mean, user_mean.  [default: the template's]"""
    answer: str | None = None
    """Answer format.  [default: the template's]"""
    shots: Annotated[int, Ge(0)] | None = None
    """Number of solved examples in the prompt, taken from training data only.  [default: the template's, usually 0]"""
    top: Annotated[int, Ge(1)] | None = None
    """Number of items the model is asked to return.  [default: the template's, usually all]"""
    order: str = "shuffled"
    """Order of the candidates in the prompt: shuffled, shuffled-N (the Nth shuffle), recall, reversed, target-at-P."""
    draw: Annotated[int, Ge(1)] = 1
    """Sample number, for a temperature above 0. A new number samples every answer again."""
    no_profile: bool = False
    """Skip the first call, which asks for a profile of the user."""
    temperature: Annotated[float, Ge(0), Lt(math.inf)] | None = None
    """Sampling temperature.  [default: the template's, usually 0]"""
    max_tokens: Annotated[int, Ge(1)] | None = None
    """Maximum answer length in tokens.  [default: the template's]"""
    thinking: Annotated[str, BeforeValidator(thinking_text)] | None = None
    """The model's reasoning: off, on, or a budget in tokens.  [default: the template's, usually off]"""
    extra_body: Annotated[str, BeforeValidator(json_text)] | None = None
    """JSON object of extra fields for the body of each call, for endpoint features that llmrank does not know."""
    first: str | None = None
    """A cheap ranker to run first. The method then ranks only its top items."""
    first_prompt: str | Path | None = None
    """Template for --first, if it needs one.  [default: the ranker's default template]"""
    view: View = field(default_factory=View)
    options: RankerOptions = field(default_factory=RankerOptions)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The backend and the model."""

    model: str = DEFAULT_MODEL
    """Model folder, hub name, or the name under which an endpoint serves it."""
    backend: str | None = None
    """vllm, openai, titles, or replay:STORE_OR_RUN.  [default: titles for next_title, openai if --base-url is given,
    else vllm]"""
    base_url: str | None = None
    """URL of an OpenAI-compatible endpoint; set its key in OPENAI_API_KEY. With --backend openai, OPENAI_BASE_URL works
    too."""
    revision: str | None = None
    """Revision of a hub model."""
    adapter: Path | None = None
    """LoRA adapter folder; for next_title, one that `llmrank finetune` wrote.  [default: none; for next_title, the
    ml-100k adapter shipped with llmrank]"""
    concurrency: Annotated[int, Ge(1)] | None = None
    """Maximum concurrent calls.  [default: 64 for vLLM in process; adaptive for endpoints]"""
    store: Path | None = None
    """File that keeps every answer ever received.  [default: one shared by all runs, in the cache folder]"""
    timeout: Annotated[float, Gt(0)] = 600.0
    """Seconds before a call to an endpoint times out and is retried."""
    batch: bool = False
    """Use the endpoint's Batch API: cheaper, with answers within a day. --concurrency sets the maximum batch size."""
    verbose: bool = False
    """Show vLLM's own log."""
    prices: Path | None = None
    """YAML file: date, currency, and models: {NAME: {input, cached_input, output, batch}}, per million tokens."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may cost, and how many of its Cases may fail."""

    max_requests: Annotated[int, Ge(0)] | None = None
    """Stop before sending more than this many calls (exit code 5; run the same command to continue). Refused calls
    count. The first calls, which probe what an endpoint supports, are always sent."""
    max_total_tokens: Annotated[int, Ge(0)] | None = None
    """Stop before prompts and answers together exceed this many tokens."""
    max_cost: Annotated[float, Ge(0)] | None = None
    """Stop before the calls cost more than this, in the currency of --prices."""
    yes: bool = False
    """Start a run of more than a million calls even without a limit."""
    max_error_rate: Annotated[float, Ge(0), Le(1)] = 0.0
    """Highest share of Cases with a failed call for which the exit code is still 0. Unreadable answers do not count."""

    @property
    def is_bounded(self) -> bool:
        """Whether a very large run may start: it has a limit, or the user has confirmed it."""
        bounds = (self.max_requests, self.max_total_tokens, self.max_cost)
        return self.yes or any(bound is not None for bound in bounds)


@dataclass(frozen=True, slots=True)
class ScaleSettings:
    """How a large rerank job is divided."""

    engine: Literal["local", "ray"] = "local"
    """Run in this process, or divide the files of a folder among Ray actors (needs the `ray` extra)."""
    shard: str | None = None
    """Process only part I of N, e.g. 2/4; for a folder, every Nth file."""
    actors: Annotated[int, Ge(1)] | None = None
    """ray: number of actors, each with its own model or its own --concurrency.  [default: one per GPU, or per CPU]"""
    gpus_per_actor: Annotated[float, Ge(0)] | None = None
    """ray: GPUs per actor.  [default: 1 if there are GPUs]"""


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """How recorded answers are parsed."""

    answer: str = "titles"
    """Answer format: titles, permutation, json, rating, yes_no, …"""
    ids: Ids | None = None
    """How the answers name candidates. Numbers and letters refer to the position in the row.  [default: numbers, if the
    answers do not seem to name item ids]"""
    top: Annotated[int, Ge(1)] | None = None
    """Number of items that the model was asked to return.  [default: all]"""
    scale: tuple[float, float] | None = None
    """Lowest and highest rating.  [default: 1 5, widened to hold the true ratings; 0 1 if they are 0 and 1]"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a settings record, as the command line and `gather` see it."""

    name: str
    kind: Any
    """Its type, with `Annotated` bounds."""
    default: Any
    help: str
    inside: str | None = None
    """For a setting of a nested record, the outer field that holds that record."""


ELSEWHERE = frozenset({"seed", "first", "labels"})
"""Fields of nested records that are not settings: there is one seed for everything, and `first` is built by name."""


@cache
def settings_of(record: type, inside: str | None = None) -> tuple[Setting, ...]:
    """Return the settings of a record, including those of its nested records."""
    hints, texts = get_type_hints(record, include_extras=True), field_docs(record)
    found: list[Setting] = []
    for one in fields(record):
        kind = hints[one.name]
        if is_dataclass(kind) and isinstance(kind, type):
            found += settings_of(kind, one.name)
        elif inside is None or one.name not in ELSEWHERE:
            found.append(Setting(one.name, kind, one.default, texts.get(one.name, ""), inside))
    return tuple(found)


def field_docs(record: type) -> dict[str, str]:
    """Return the docstring under each field of a dataclass and its bases, joined into one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for base in record.__bases__:
        if is_dataclass(base):
            found |= field_docs(base)
    for pair in pairwise(body.body):
        match pair:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                # Strip each line only: the two spaces before a bracketed default must stay.
                found[name] = " ".join(line.strip() for line in text.splitlines())
            case _:
                pass
    return found


def gather(
    record: type[Record] | Record, values: Mapping[str, Any], *, field_name: Callable[[str], str] = str
) -> Record:
    """Return a copy of the record with these values; a value of None keeps the record's own.

    If `record` is a type, start from its defaults. `field_name` turns a setting into the name that errors use, such as
    its command-line option.

    Raises InputError for an unknown setting, and for a value of the wrong type or out of range.
    """
    made = record() if isinstance(record, type) else record
    known = {setting.name: setting for setting in settings_of(type(made))}
    checked: dict[str | None, dict[str, Any]] = {}
    for name, value in values.items():
        if name not in known:
            raise _unknown(name, known, field_name(name))
        if value is not None:
            setting = known[name]
            checked.setdefault(setting.inside, {})[name] = _checked(setting, value, field_name(name))
    own = checked.pop(None, {})
    held = {name: replace(attrgetter(name)(made), **inner) for name, inner in checked.items() if name is not None}
    return replace(made, **own, **held)


def split_settings(
    values: Mapping[str, Any],
    *records: Any,  # records, or their types
    beside: Sequence[str] = (),
) -> list[Any]:
    """Return a copy of each record with the values that belong to it (see `gather`).

    Raises InputError for a name that is a setting of none of them. Its hint lists the settings and the names in
    `beside`, which the caller handles itself.
    """
    types: list[type] = [record if isinstance(record, type) else type(record) for record in records]
    names = [{setting.name for setting in settings_of(kind)} for kind in types]
    known = sorted(set().union(*names))
    for name in values:
        if name not in known:
            raise _unknown(name, sorted({*known, *beside}), name)
    return [
        gather(record, {name: value for name, value in values.items() if name in own})
        for record, own in zip(records, names, strict=True)
    ]


def _unknown(name: str, known: Iterable[str], field_name: str) -> InputError:
    return InputError(f"unknown setting{nearest(name, known)}", field=field_name, hint=f"use one of {', '.join(known)}")


def flat(record: object) -> dict[str, Any]:
    """Return the settings of a record by name, as JSON-compatible values."""
    found: dict[str, Any] = {}
    for setting in settings_of(type(record)):
        holder = record if setting.inside is None else attrgetter(setting.inside)(record)
        value = attrgetter(setting.name)(holder)
        found[setting.name] = str(value) if isinstance(value, Path) or value == math.inf else value
    return found


def changed(record: object) -> dict[str, Any]:
    """Return the settings of a record that differ from the defaults, as `flat` does."""
    usual = flat(type(record)())
    return {name: value for name, value in flat(record).items() if value != usual[name]}


def _checked(setting: Setting, value: object, name: str) -> Any:  # noqa: ANN401 - of the setting's type
    if value == "" and _expected(setting.kind) == "a path":  # as of an unset variable: it would name the current folder
        raise InputError("the path is empty", field=name, hint="name a file or a folder")
    try:
        return _adapter(setting.kind).validate_python(value)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        expected = None if fault["loc"] else _expected(setting.kind)  # a part of the value is at fault, not its type
        if fault["type"] == "finite_number" and expected is not None:
            expected = expected.replace("a number", "a finite number")
        problem = f"{value!r}: {fault['msg']}" if expected is None else f"expected {expected}, got {value!r}"
        word, *others = setting.help.split()
        meaning = " ".join((word.lower() if word.istitle() else word, *others))
        raise InputError(problem, field=name, hint=f"correct it, or omit it: {meaning}") from error


def _expected(kind: Any) -> str | None:  # noqa: ANN401 - any type
    """Describe the values of a simple type; None for other types."""
    kinds = (
        [one for one in get_args(kind) if one is not type(None)] if get_origin(kind) in (Union, UnionType) else [kind]
    )
    bare, *bounds = get_args(kinds[0]) if get_origin(kinds[0]) is Annotated else kinds[:1]
    words = {bool: "true or false", int: "an integer", float: "a number", str: "text", Path: "a path", tuple: "a list"}
    word = words.get(get_origin(bare) or bare)
    if word is None or len(kinds) > 1:
        return None
    texts = [f"of at least {one.ge}" for one in bounds if isinstance(one, Ge)]
    texts += [f"above {one.gt}" for one in bounds if isinstance(one, Gt)]
    texts += [f"of at most {one.le}" for one in bounds if isinstance(one, Le)]
    return f"{word} {' and '.join(texts)}".rstrip()


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - any type
    return TypeAdapter(kind)


RERANK_HELP: Mapping[str, str] = {
    "ranker": "Ranking method. next_title needs an --adapter and no template. These make no model calls: random, "
    "popularity, recall_order, bm25; global_mean, item_mean, user_mean.  [default: the template's]",
    "order": "Order of the candidates in the prompt: shuffled, shuffled-N (the Nth shuffle), recall, reversed.",
    "shots": "Number of solved examples in the prompt, taken from the histories in the file.  [default: the "
    "template's, usually 0]",
    "fuse": "Add the recall score, times this weight, to the scores of `first_token`, `pointwise` or `next_title`. "
    "`llmrank eval --fuse validation` finds a weight to use here.",
    "fuse_users": "Only for eval --fuse validation.",
}
"""Help texts for settings that accept fewer values when reranking files."""
EVAL_ONLY = frozenset(
    {
        *("draw", "temperature", "extra_body", "first", "first_prompt", "first_top", "fuse_users", "calibrate"),
        *("repeats", "combine", "step", "sort", "group", "sort_top", "tolerance", "most_calls", "rounds"),
    }
)
"""Settings of `PromptSettings` without an effect on a training, which learns the correct answer of a single call."""
TRAINING_HELP: Mapping[str, str] = {
    "ranker": "Ranking method whose prompt is learned, such as first_token or pointwise.  [default: the template's]",
}
"""Help texts for settings that accept fewer values when writing or learning solved prompts."""
RECALL_HELP: Mapping[str, str] = {
    "data": "Dataset name, folder, or hf:owner/name.",
    "k": f"Candidates per user.  [default: {DEFAULT_CANDIDATES}]",
    "seed": "Seed for sampling users, and for recall models that use randomness.",
}
"""Help texts for settings that accept fewer values when proposing candidates."""
