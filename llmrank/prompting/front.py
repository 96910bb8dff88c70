"""The front matter of a template file: what the prompt is for, and what a run needs to know to use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmrank.errors import InputError, nearest
from llmrank.prompting.domain import DomainName
from llmrank.prompting.identifiers import Ids
from llmrank.types import Sampling


class Provenance(BaseModel):
    """Where the wording comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paper: str = ""
    """`arXiv:2305.07622`, with the section or figure."""
    wording: Literal["verbatim", "transcribed", "reconstructed", "own"] = "own"
    """`verbatim`: read in a copy of the source; `transcribed`: in somebody's copy of it; `reconstructed`: the parts are
    the paper's, the words ours; `own`: no paper's."""
    note: str = ""


class SamplingKeys(BaseModel):
    """How the model draws its answer: the fields of `llmrank.types.Sampling`, checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(0.0, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    max_tokens: int = Field(400, ge=1)
    seed: int = 0
    stop: tuple[str, ...] = ()
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)


class FrontMatter(BaseModel):
    """The keys of the front matter; any other key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    """The file's name without `.jinja`."""
    description: str = ""
    """One line for `prompts list`."""
    task: Literal["ranking", "rating", "profile"]
    ranker: str | None = None
    """The method that asks with it: `listwise`, `pointwise`, …; none for a profile."""
    answer: str | None = None
    """The answer format that reads the response; none for a profile, whose answer is shown as it comes."""
    history: int | None = Field(None, ge=0)
    """How many of the newest events are shown; none given: all."""
    top: int | None = Field(None, ge=1)
    """How many items the model is asked to return; none given: all that are shown."""
    ids: Ids = "titles"
    """How items are named."""
    scale: tuple[float, float] | None = None
    """The lowest and the highest number that a ranking prompt asks for; none given: the ratings' of the data, as a
    rating prompt always has it."""
    candidates: Literal["list", "catalogue"] = "list"
    """`catalogue`: no list is shown, and the model names freely."""
    attributes: tuple[str, ...] = ()
    """The item attributes that the template shows (genres, brand, …); an item without one must be allowed for."""
    profile: str | None = None
    """The template that asks for the user's profile first."""
    shots: int = Field(0, ge=0)
    """How many solved examples, unless `--shots` says otherwise."""
    constrain: bool = False
    """Whether a backend that can is to enforce the form of the answer."""
    domain: DomainName = "items"
    """Whose words are used, unless `--domain` says otherwise."""
    provenance: Provenance = Provenance()
    sampling_keys: SamplingKeys = Field(alias="sampling", default_factory=lambda: SamplingKeys.model_validate({}))

    @property
    def about_one_item(self) -> bool:
        """Whether one item is asked about at a time: its `target`."""
        return self.task == "rating" or self.ranker == "pointwise"

    @property
    def needs_identifiers(self) -> bool:
        """Whether the answer names items by their identifiers, so that titles alone will not do."""
        return self.answer in {"permutation", "choice", "label_logprobs"}

    @property
    def sampling(self) -> Sampling:
        """How the model draws its answer, every field explicit."""
        return Sampling(**self.sampling_keys.model_dump())


def split_front(text: str, path: Path) -> tuple[str, int]:
    """Return the YAML of the front matter and the number of the line on which the Jinja part begins."""
    lines = text.split("\n")
    if lines[0].rstrip() == "---":
        for number, line in enumerate(lines[1:], start=2):
            if line.rstrip() == "---":
                return "\n".join(lines[1 : number - 1]), number + 1
    raise InputError(
        "no front matter" if lines[0].rstrip() != "---" else "the front matter is not closed",
        path=path,
        line=1,
        hint="begin the file with a line '---', the keys (name, task, …), and another line '---'",
    )


def read_front(source: str, path: Path) -> FrontMatter:
    """Return the front matter; raises InputError with file, line and key."""
    try:
        root = yaml.compose(source, Loader=yaml.SafeLoader)
        values = cast(object, yaml.safe_load(source))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = None if mark is None else mark.line + 2
        raise InputError(
            f"not YAML: {error.problem}", path=path, line=line, hint="write one 'key: value' a line, texts in quotes"
        ) from error
    except yaml.YAMLError as error:
        raise InputError(f"not YAML: {error}", path=path, hint="write one 'key: value' a line") from error
    if not isinstance(root, yaml.MappingNode) or not isinstance(values, dict):
        raise InputError(
            "the front matter holds no keys",
            path=path,
            line=2,
            hint="write one 'key: value' a line, at least name and task",
        )
    lines = dict(_lines(root, path))
    try:
        return FrontMatter.model_validate(values)
    except ValidationError as error:
        raise _explained(error, lines, path) from error


def _lines(node: yaml.MappingNode, path: Path, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the line of every key in the file (the YAML begins on line 2); a key given twice is an error."""
    seen: set[str] = set()
    for key, value in cast("Sequence[tuple[yaml.Node, yaml.Node]]", node.value):
        name, line = str(cast(object, key.value)), key.start_mark.line + 2
        if name in seen:
            raise InputError("given twice", path=path, line=line, field=name, hint="keep one of them")
        seen.add(name)
        yield (*above, name), line
        if isinstance(value, yaml.MappingNode):
            yield from _lines(value, path, (*above, name))


def _explained(error: ValidationError, lines: Mapping[tuple[str, ...], int], path: Path) -> InputError:
    """Return the first fault as an InputError: where it stands, and what would be right."""
    fault: Any = error.errors(include_url=False)[0]
    place = tuple(str(part) for part in fault["loc"])
    key, keys = str(fault["loc"][-1]), place
    while keys and keys not in lines:
        keys = keys[:-1]
    hint = "see the keys in `llmrank prompts show --variables`"
    problem = str(fault["msg"])
    if fault["type"] == "extra_forbidden":
        parts: dict[str, type[BaseModel]] = {"provenance": Provenance, "sampling": SamplingKeys}
        known = (parts[place[0]] if len(place) > 1 else FrontMatter).model_fields
        names = [field.alias or name for name, field in known.items()]
        problem = f"unknown key{nearest(key, names)}"
        hint = f"use one of {', '.join(names)}"
    elif fault["type"] == "missing":
        hint = f"add the key {key!r}"
    elif fault["type"] == "literal_error":
        hint = f"use {fault['ctx']['expected']}"
    return InputError(problem, path=path, line=lines.get(keys, 1), field=".".join(place), hint=hint)
