"""The front matter of a template file: what the prompt is for and how to use it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, JsonValue, TypeAdapter, ValidationError

from llmrank.errors import InputError, from_validation
from llmrank.prompting.identifiers import IDS, Ids
from llmrank.prompting.view import DomainName
from llmrank.types import Sampling, Thinking
from llmrank.yaml_text import read_yaml


class Provenance(BaseModel, extra="forbid", frozen=True):
    """Where the wording comes from."""

    paper: str = ""
    """`arXiv:2305.07622`, with the section or figure."""
    wording: Literal["verbatim", "transcribed", "reconstructed", "own"] = "own"
    """`verbatim`: copied from the source; `transcribed`: from a secondary copy; `reconstructed`: the structure is the
    paper's, the words are ours; `own`: not from a paper."""
    note: str = ""


NAME = r"^[a-z0-9][a-z0-9_.-]*$"


def _thinking(value: object) -> Thinking:
    """Parse the `thinking` setting of a template or option. YAML reads a bare `off` as false and `on` as true."""
    if isinstance(value, Thinking):
        return value
    if isinstance(value, bool) or value in ("on", "off"):
        return Thinking(value is True or value == "on")
    values = cast("dict[str, object]", value) if isinstance(value, dict) else {"budget": value}
    budget = values.get("budget")
    if len(values) > 1 or not isinstance(budget, int) or isinstance(budget, bool) or budget < 1:
        raise ValueError("write off, on, or {budget: N} with the maximum number of reasoning tokens")
    return Thinking(True, budget)


def _number(value: object) -> object:
    """Reject booleans, which would count as 0 or 1, and non-finite numbers."""
    given = cast("dict[str, object]", value) if isinstance(value, dict) else {"": value}
    for key, one in given.items():
        if isinstance(one, bool) or (isinstance(one, float) and not math.isfinite(one)):
            raise ValueError(f"write a number{key and f' for {key!r}'}, not {str(one).lower()}")
    return value


def _answer(value: object) -> object:
    """Reject a map of answer formats that is empty or names an unknown identifier scheme."""
    if isinstance(value, dict):
        if not value:
            raise ValueError("write a format, or one for each identifier scheme")
        if wrong := sorted(map(str, cast("dict[object, object]", value).keys() - {*IDS})):
            raise ValueError(f"unknown identifier scheme {wrong[0]!r}; use {', '.join(IDS)}")
    return value


RESERVED = {"model", "messages", "n", "stream", "logprobs", "top_logprobs", "max_completion_tokens"} | {
    field.name for field in fields(Sampling)
}
"""Fields of a request body that llmrank sets itself."""


SECRET = re.compile(
    r".*(?:(?:api|access|secret|private|subscription)keys?|accesskeyid|authorization|credentials?|passw(?:or)?d"
    r"|passphrase|secret|cookie|(?:access|api|auth|bearer|hf|refresh|security|session|user)tokens?)|tokens?|bearer|key"
)
"""Field names, lower-cased and without punctuation, that hold a secret; the body is stored and may be shared."""


def _secret_in(value: JsonValue) -> str | None:
    """Return the name of a field that holds a secret, at any depth."""
    if isinstance(value, dict):
        own = next((name for name in value if SECRET.fullmatch("".join(filter(str.isalnum, name)).lower())), None)
        return own or next(filter(None, map(_secret_in, value.values())), None)
    return next(filter(None, map(_secret_in, value)), None) if isinstance(value, list) else None


def _extra_body(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if own := sorted(RESERVED & value.keys()):
        raise ValueError(f"{own[0]!r} is set by llmrank itself; write it under `sampling`, or leave it out")
    if secret := _secret_in(value):
        raise ValueError(f"{secret!r} would be stored with every answer and in the Run; set OPENAI_API_KEY instead")
    json.dumps(value, allow_nan=False)  # raises ValueError for NaN and infinity
    return value


ExtraBody = Annotated[dict[str, JsonValue], AfterValidator(_extra_body)]
_EXTRA: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(ExtraBody)


class FrontMatter(BaseModel, extra="forbid", frozen=True):
    """The keys of the front matter; any other key is an error."""

    name: str = Field(pattern=NAME)
    """The file's name without `.jinja`."""
    description: str = ""
    """One line for `prompts list`."""
    task: Literal["ranking", "rating", "profile"]
    ranker: str | None = None
    """The ranking method that uses the prompt: `listwise`, `pointwise`, …; none for a profile."""
    answer: Annotated[str | Mapping[Ids, str] | None, BeforeValidator(_answer)] = None
    """The answer format that reads the response, or one per identifier scheme (see `answer_for`); none for a profile,
    whose answer is used unchanged."""
    history: Annotated[int | None, BeforeValidator(_number)] = Field(None, ge=0)
    """The number of newest events to show; default: all."""
    top: Annotated[int | None, BeforeValidator(_number)] = Field(None, ge=1)
    """The number of items the model is asked to return; default: all that are shown."""
    ids: Ids = "titles"
    """How items are named."""
    scale: tuple[float, float] | None = None
    """The lowest and highest number that a ranking prompt asks for; default: the rating scale of the data, which a
    rating prompt always uses."""
    candidates: Literal["list", "catalogue"] = "list"
    """`catalogue`: no list is shown, and the model names items freely."""
    attributes: tuple[str, ...] = ()
    """The item attributes that the template shows (genres, brand, …); it must handle items that lack one."""
    profile: str | None = None
    """The template that asks for the user's profile first."""
    shots: Annotated[int, BeforeValidator(_number)] = Field(0, ge=0)
    """The number of solved examples; `--shots` overrides it."""
    constrain: bool = False
    """Whether to constrain the form of the answer on backends that can."""
    thinking: Annotated[Thinking, BeforeValidator(_thinking)] = Thinking()
    """Whether the model reasons before it answers: `off` (default), `on`, or `{budget: N}`. `max_tokens` limits the
    answer, and a budget is added to it; with `on`, `max_tokens` limits reasoning and answer together."""
    extra_body: ExtraBody = Field(default_factory=dict[str, JsonValue])
    """Extra fields of each request body, for endpoint features unknown to llmrank."""
    domain: DomainName = "items"
    """The domain whose words are used, unless the data or `--domain` sets another."""
    provenance: Provenance = Provenance()
    sampling: Annotated[Sampling, BeforeValidator(_number)] = Sampling()
    """How the answer is sampled."""

    @property
    def about_one_item(self) -> bool:
        """Whether the prompt asks about one item at a time: its `target`."""
        return self.task == "rating" or self.ranker == "pointwise"

    def answer_for(self, ids: Ids | None = None) -> str | None:
        """Return the answer format for an identifier scheme (None: the template's own), or None if it has none."""
        return self.answer if self.answer is None or isinstance(self.answer, str) else self.answer.get(ids or self.ids)

    def needs_identifiers(self, ids: Ids | None = None) -> bool:
        """Return whether the answer refers to items by identifier, so that titles alone are not enough."""
        return self.answer_for(ids) in {"permutation", "choice", "label_logprobs"}

    @property
    def extra_body_text(self) -> str:
        """The extra body as stored in a Request: JSON with sorted keys, or an empty string."""
        return json.dumps(self.extra_body, sort_keys=True, separators=(",", ":")) if self.extra_body else ""


def split_front(text: str, path: Path) -> tuple[str, int]:
    """Return the YAML of the front matter and the line on which the Jinja part begins; raises InputError."""
    lines = text.split("\n")
    if lines[0].rstrip() == "---":
        for number, line in enumerate(lines[1:], start=2):
            if line.rstrip() == "---":
                return "\n".join(lines[1 : number - 1]), number + 1
    problem = "no front matter" if lines[0].rstrip() != "---" else "the front matter is not closed"
    hint = "start the file with a line '---', the keys (name, task, …), and another line '---'"
    raise InputError(problem, path=path, line=1, hint=hint)


def read_front(source: str, path: Path) -> FrontMatter:
    """Parse the front matter, which starts on line 2; raises InputError with file, line and key."""
    values, lines = read_yaml(source, path, first_line=2)
    try:
        return FrontMatter.model_validate(values)
    except ValidationError as error:
        hint = "see the keys in `llmrank prompts show --variables`"
        raise from_validation(error, FrontMatter, path=path, lines=lines, hint=hint) from error


def parse_thinking(text: str) -> Thinking:
    """Parse `--thinking`: `off`, `on`, or the maximum number of reasoning tokens; raises InputError."""
    try:
        return _thinking(int(text) if text.isdecimal() else text)
    except ValueError as error:
        hint = "for example --thinking off, or --thinking 1024"
        problem = f"expected off, on, or a maximum number of reasoning tokens, got {text!r}"
        raise InputError(problem, field="thinking", hint=hint) from error


def parse_extra_body(text: str) -> dict[str, JsonValue]:
    """Parse `--extra-body`, a JSON object; raises InputError."""
    hint = """for example --extra-body '{"min_p": 0.1}'"""
    try:
        json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        pass  # pydantic reports it below
    except ValueError as error:
        if str(error).endswith("given twice"):
            raise InputError(str(error), field="extra_body", hint="leave one out") from error
    try:
        return _EXTRA.validate_json(text)
    except ValidationError as error:
        problem = str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
        raise InputError(problem, field="extra_body", hint=hint) from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{twice!r} is given twice")
    return dict(pairs)
