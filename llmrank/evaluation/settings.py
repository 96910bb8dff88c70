"""The settings of an evaluation, as frozen records.

Every default, choice, range and help text is written here, or in the records that these hold (`View`, `RankerOptions`),
and nowhere else. Command-line options, environment variables, `--config` keys and their help are derived from the
fields (see `settings_of`); the Python functions take the records, or the same names as keyword arguments (`gather`).
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
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BeforeValidator, TypeAdapter, ValidationError

from llmrank.backends import DEFAULT_MODEL
from llmrank.errors import InputError, nearest
from llmrank.prompting import View
from llmrank.prompting.identifiers import Ids
from llmrank.rankers.registry import RankerOptions

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")

DEFAULT_DATA = "ml-100k"
DEFAULT_USERS = 40
DEFAULT_CANDIDATES = 50


@dataclass(frozen=True, slots=True)
class CaseSettings:
    """Where the Cases come from."""

    data: str | Path = DEFAULT_DATA
    """Dataset name, folder, hf:owner/name, or candidate file."""
    recall: str = "ease"
    """Recall model that proposes the candidates: ease, itemknn, popularity, random; trained: ials, sasrec, hstu, …"""
    k: Annotated[int, Ge(1)] | None = None
    """Candidates per user.  [default: 50; for a candidate file all]"""
    split: str = "leave-last-out"
    """leave-last-out, time:YYYY-MM-DD, or user-ratio:0.9."""
    users: Annotated[int, Ge(0)] | None = None
    """Users drawn by the seed; 0: all.  [default: 40; for a candidate file all]"""
    seed: int = 0
    """Seed of everything that is drawn: users, shuffles, shots, sampling."""
    force_target: bool = False
    """Put an item that the user took next into each list that has none (printed with the numbers)."""
    k_core: Annotated[int, Ge(0)] = 0
    """Keep users and items with at least this many events."""
    columns: tuple[str, ...] = ()
    """Column of your own tables, as ROLE=NAME: --column user=member_id. Roles: user, item, title, rating, timestamp,
    position."""
    file_order: bool = False
    """Take the order of the file as the order of events, for data without timestamps."""
    skip_bad_rows: bool = False
    """Leave out rows of a candidate file that are wrong, and count them."""


def names(value: str | Sequence[str]) -> list[str]:
    """Return the names in comma-separated lists."""
    lists = [value] if isinstance(value, str) else value
    return [name.strip() for text in lists for name in text.split(",") if name.strip()]


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """What the method is compared with, besides random, popularity, recall order and the ceiling."""

    baselines: Annotated[tuple[str, ...], BeforeValidator(names)] = ()
    """Recommenders that are trained on the training side and score the same candidates: sasrec,bst,hstu."""


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """What is asked, how it is shown, and by which method."""

    prompt: str | Path | None = None
    """Template name or path (see `llmrank prompts list`).  [default: palr, or the usual one of --ranker]"""
    ranker: str | None = None
    """Method, if not the template's own; next_title asks an --adapter without a template. These make no model calls:
    random, popularity, recall_order, bm25, oracle; global_mean, item_mean, user_mean."""
    answer: str | None = None
    """Answer format, if not the template's own."""
    shots: Annotated[int, Ge(0)] | None = None
    """Solved examples shown, from training data only, if not as many as the template says (usually none)."""
    top: Annotated[int, Ge(1)] | None = None
    """How many items the model is asked for, if not as many as the template says (usually all)."""
    order: str = "shuffled"
    """Order in which candidates are shown: shuffled, shuffled-N (the Nth shuffle), recall, reversed, target-at-P."""
    draw: Annotated[int, Ge(1)] = 1
    """Which drawing of the answers it is, for a temperature above 0: another number asks everything anew."""
    no_profile: bool = False
    """Leave out the first call, which asks for a profile of the user."""
    temperature: Annotated[float, Ge(0), Lt(math.inf)] | None = None
    """Sampling temperature, if not the template's own (usually 0)."""
    max_tokens: Annotated[int, Ge(1)] | None = None
    """Longest answer in tokens, if not the template's own."""
    thinking: str | None = None
    """Reasoning of the model: off, on, or a budget in tokens, if not the template's own (usually off)."""
    extra_body: str | None = None
    """JSON object with further fields of each call's body, for what an endpoint knows and llmrank does not."""
    first: str | None = None
    """A cheap ranker preselects for an expensive one: the method ranks only the top of this one."""
    first_prompt: str | Path | None = None
    """Template of --first, where it needs one.  [default: its usual one]"""
    view: View = field(default_factory=View)
    options: RankerOptions = field(default_factory=RankerOptions)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which backend answers, and with which model."""

    model: str = DEFAULT_MODEL
    """Model folder, hub name, or the name that an endpoint serves."""
    backend: str | None = None
    """vllm, openai, titles, or replay:STORE_OR_RUN.  [default: titles for next_title, openai if --base-url is given,
    else vllm]"""
    base_url: str | None = None
    """OpenAI-compatible endpoint; its key: OPENAI_API_KEY. With --backend openai, OPENAI_BASE_URL names it too."""
    revision: str | None = None
    """Revision of a hub model."""
    adapter: Path | None = None
    """LoRA adapter folder; for next_title one that `llmrank finetune` wrote.  [default: none; for next_title ml-100k,
    which comes with llmrank]"""
    concurrency: Annotated[int, Ge(1)] | None = None
    """Maximum concurrent calls.  [default: 64 for vLLM in process; adapts automatically for endpoints]"""
    store: Path | None = None
    """File that keeps every answer ever received.  [default: one for all runs, in the cache folder]"""
    timeout: Annotated[float, Gt(0)] = 600.0
    """Seconds after which a call to an endpoint is given up, and sent again."""
    batch: bool = False
    """Ask through the endpoint's Batch API: cheaper, within a day; --concurrency is the most in one batch."""
    verbose: bool = False
    """Show vLLM's own log."""
    prices: Path | None = None
    """YAML file: date, currency, and models: {NAME: {input, cached_input, output, batch}}, per million tokens."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may cost, and how many of its Cases may fail."""

    max_requests: Annotated[int, Ge(0)] | None = None
    """Stop before more than this many calls are sent (exit code 5; the same command continues). Calls that are refused
    count too; those of the first question, which show what an endpoint does not take, are sent all the same."""
    max_total_tokens: Annotated[int, Ge(0)] | None = None
    """Stop before prompts and answers take more tokens together."""
    max_cost: Annotated[float, Ge(0)] | None = None
    """Stop before the calls cost more, in the currency of --prices."""
    yes: bool = False
    """Begin a plan of more than a million calls without a bound."""
    max_error_rate: Annotated[float, Ge(0), Le(1)] = 0.0
    """Share of failed Cases up to which the exit code is 0."""

    @property
    def is_bounded(self) -> bool:
        """Whether a plan of very many calls may begin: something bounds it, or the user has confirmed it."""
        bounds = (self.max_requests, self.max_total_tokens, self.max_cost)
        return self.yes or any(bound is not None for bound in bounds)


@dataclass(frozen=True, slots=True)
class ScaleSettings:
    """How a large rerank job is divided."""

    engine: Literal["local", "ray"] = "local"
    """This process, or Ray actors (extra `ray`), which share the files of a folder."""
    shard: str | None = None
    """Do only the I-th of N parts, e.g. 2/4; of a folder, every N-th file."""
    actors: Annotated[int, Ge(1)] | None = None
    """ray: processes, each with a model or --concurrency calls of its own.  [default: one per GPU, or per CPU]"""
    gpus_per_actor: Annotated[float, Ge(0)] | None = None
    """ray: GPUs of an actor.  [default: 1 where there are GPUs]"""


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """How recorded answers are read."""

    answer: str = "titles"
    """How they answer: titles, permutation, json, rating, yes_no, …"""
    ids: Ids = "numbers"
    """How the answers name candidates; numbers and letters count by their position in the row."""
    top: Annotated[int, Ge(1)] | None = None
    """How many items were asked for.  [default: all]"""
    scale: tuple[float, float] = (1.0, 5.0)
    """Lowest and highest rating.  [default: 1 5]"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a settings record, as the command line and `gather` see it."""

    name: str
    kind: Any
    """Its type, with `Annotated` bounds."""
    default: Any
    help: str
    inside: str | None = None
    """The field of the record that holds it, for a record within a record."""


ELSEWHERE = frozenset({"seed", "first", "labels"})
"""Fields of the inner records that are no settings of their own: one seed serves all, and `first` is built by name."""


@cache
def settings_of(record: type, inside: str | None = None) -> tuple[Setting, ...]:
    """Return the settings of a record, those of the records that it holds among them."""
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
    """Return the docstring under each field of a dataclass, and of those that it inherits from, on one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for base in record.__bases__:
        if is_dataclass(base):
            found |= field_docs(base)
    for pair in pairwise(body.body):
        match pair:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                # Two spaces before a bracketed default are kept.
                found[name] = " ".join(line.strip() for line in text.splitlines())
            case _:
                pass
    return found


def gather(
    record: type[Record] | Record, values: Mapping[str, Any], *, field_name: Callable[[str], str] = str
) -> Record:
    """Return the record with these values in the place of its own; a value of None leaves it as it is.

    `record` may be a type, whose defaults are then taken. `field_name` says how an error names a setting: on the
    command line it is an option.

    Raises InputError for a name that is no setting of the record, and for a value out of range or of the wrong type.
    """
    made = record() if isinstance(record, type) else record
    known = {setting.name: setting for setting in settings_of(type(made))}
    changed: dict[str | None, dict[str, Any]] = {}
    for name, value in values.items():
        if name not in known:
            raise _unknown(name, known, field_name(name))
        if value is not None:
            setting = known[name]
            changed.setdefault(setting.inside, {})[name] = _checked(setting, value, field_name(name))
    own = changed.pop(None, {})
    held = {name: replace(attrgetter(name)(made), **inner) for name, inner in changed.items() if name is not None}
    return replace(made, **own, **held)


def split_settings(
    values: Mapping[str, Any],
    *records: Any,  # noqa: ANN401 - records, or their types
    beside: Sequence[str] = (),
) -> list[Any]:
    """Return each record with those of the values that are its settings (`gather`).

    Raises InputError for a name that is a setting of none of them; `beside` are further names that would be right.
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
    """Return the settings of a record by name, as plain values that JSON can hold."""
    found: dict[str, Any] = {}
    for setting in settings_of(type(record)):
        holder = record if setting.inside is None else attrgetter(setting.inside)(record)
        value = attrgetter(setting.name)(holder)
        found[setting.name] = str(value) if isinstance(value, Path) or value == math.inf else value
    return found


def _checked(setting: Setting, value: object, name: str) -> Any:  # noqa: ANN401 - of the setting's type
    try:
        return _adapter(setting.kind).validate_python(value)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        hint = f"correct it, or leave it out; it is: {setting.help}"
        raise InputError(f"{value!r}: {fault['msg']}", field=name, hint=hint) from error


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - any type
    return TypeAdapter(kind)


RERANK_HELP: Mapping[str, str] = {
    "ranker": "Method, if not the template's own; next_title asks an --adapter without a template. These make no "
    "model calls: random, popularity, recall_order, bm25; global_mean, item_mean, user_mean.",
    "order": "Order in which candidates are shown: shuffled, shuffled-N (the Nth shuffle), recall, reversed.",
    "shots": "Solved examples shown, from the histories of the file, if not as many as the template says (usually "
    "none).",
    "fuse": "Add the recall stage's opinion, times this weight, to the scores of `first_token`, `pointwise` or "
    "`next_title`; `validation` is for eval, which says the weight to give here.",
    "fuse_users": "For eval --fuse validation.",
}
"""The help of settings that mean less where files are reranked."""
RECALL_HELP: Mapping[str, str] = {
    "data": "Dataset name, folder, or hf:owner/name.",
    "k": f"Candidates per user.  [default: {DEFAULT_CANDIDATES}]",
    "seed": "Seed of the users that are drawn, and of models that draw.",
}
"""The help of settings that mean less where candidates are proposed."""
