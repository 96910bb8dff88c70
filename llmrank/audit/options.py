"""The options of each audit that calls the model; the command line derives its own from these records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from annotated_types import Ge
from pydantic import BeforeValidator, InstanceOf

from llmrank.prompting import PromptTemplate

AuditName = Literal[
    "position",
    "consistency",
    "history",
    "injection",
    "prior",
    "identifiers",
    "memorisation",
    "paraphrase",
    "thinking",
    "variance",
]


@dataclass(frozen=True, slots=True)
class PositionOptions:
    """Does the position in the prompt affect the ranking?

    Reads a finished RUN of shuffled candidates. Without RUN, the model ranks each Case in several orders, which show
    each candidate once in each part of the list.
    """

    slots: Annotated[int, Ge(2)] = 5
    """Number of parts of the list, and of orders in which the model ranks each Case."""


@dataclass(frozen=True, slots=True)
class ConsistencyOptions:
    """Does the method give the same ranking when asked again?

    Reads finished RUNs of the same Cases, which differ in --seed, order or prompt. Without RUNs, the model ranks each
    Case in several orders.
    """

    orders: Annotated[int, Ge(2)] = 4
    """Number of orders in which the model ranks each Case."""


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """What is the user's history worth, and does its order matter?

    The model ranks each Case with its history, with the history shuffled, with another user's history, and with none.
    """

    last: int | None = None
    """Also test histories of only the last N events."""


@dataclass(frozen=True, slots=True)
class InjectionOptions:
    """Does a title that asks to be ranked first succeed?

    In each Case, the title of one candidate that is not relevant is changed: it contains an instruction, a system turn,
    an answer, or praise.
    """


@dataclass(frozen=True, slots=True)
class PriorOptions:
    """Do identifier and position alone affect the ranking?

    All candidates are shown with the same placeholder instead of their text.
    """


@dataclass(frozen=True, slots=True)
class IdentifiersOptions:
    """Does the identifier scheme affect the ranking?

    The model ranks each Case with every identifier scheme (titles, numbers, letters, …) that the prompt supports.
    """


def _several(value: object) -> object:
    """Return what is given alone as one of several."""
    return (value,) if isinstance(value, str | int | Path | PromptTemplate) else value


Wordings = Annotated[tuple[str | Path | InstanceOf[PromptTemplate], ...], BeforeValidator(_several)]
SHIPPED = "shipped"
"""Among wordings, this stands for all those of the prompt that come with llmrank."""


Part = Literal["titles", "ids", "next", "anonymous"]
"""The parts of `memorisation`."""
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, slots=True)
class MemorisationOptions:
    """Has the model memorised the dataset?

    The model is asked to complete titles, to give the title of an id, to name a user's next event, and to rank
    candidates whose titles are replaced by neutral names.
    """

    part: Annotated[tuple[Part, ...], BeforeValidator(_several)] = ()
    """Run only this part: titles, ids, next (a user's next event) or anonymous (ranking without titles); repeatable.
    [default: all four]"""
    items: Annotated[int, Ge(2)] = 100
    """Number of items, sampled with the seed, whose titles are asked for."""
    known_as: str | None = None
    """Public name of the dataset, such as "MovieLens 100K".  [default: its name in llmrank]"""
    before: str | None = None
    """Also compare the Cases before this date with the later ones: 2023-10-01, 2023-10 or 2023."""


@dataclass(frozen=True, slots=True)
class ParaphraseOptions:
    """Does the wording of the prompt affect the ranking?

    The model ranks each Case with --prompt and with each --wording, a template that differs only in its text.
    first-token, palr, rankgpt and setwise each come with four other wordings: terse, polite, a form, and one that
    addresses an expert.
    """

    wording: Wordings = (SHIPPED,)
    """Another wording of the prompt: a template name or path, or `shipped` for the wordings that come with llmrank;
    repeatable.  [default: shipped]"""


@dataclass(frozen=True, slots=True)
class ThinkingOptions:
    """Does reasoning improve the ranking, and at what cost?

    The model ranks each Case with thinking off, with thinking on, and with each --budget.
    """

    budget: Annotated[tuple[Annotated[int, Ge(1)], ...], BeforeValidator(_several)] = ()
    """Also test this maximum number of reasoning tokens; repeatable."""


@dataclass(frozen=True, slots=True)
class VarianceOptions:
    """How much would the result vary if it were measured again?

    Reads finished RUNs of the same Cases that differ in one thing, such as the seed with which --adapter was trained.
    Without RUNs, the model ranks each Case in several orders, with each --wording, and, at a temperature above 0,
    several times.
    """

    orders: Annotated[int, Ge(1)] = 4
    """Number of orders in which the candidates are shown."""
    draws: Annotated[int, Ge(1)] | None = None
    """Number of times each prompt is sent.  [default: 2 at a temperature above 0, else 1]"""
    wording: Wordings = ()
    """Another wording of the prompt: a template name or path, or `shipped` for the wordings that come with llmrank;
    repeatable."""


OPTIONS: Mapping[AuditName, type] = {
    "position": PositionOptions,
    "consistency": ConsistencyOptions,
    "history": HistoryOptions,
    "injection": InjectionOptions,
    "prior": PriorOptions,
    "identifiers": IdentifiersOptions,
    "memorisation": MemorisationOptions,
    "paraphrase": ParaphraseOptions,
    "thinking": ThinkingOptions,
    "variance": VarianceOptions,
}
