"""What each audit that asks the model asks, and its options; the command line derives its own from these records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from annotated_types import Ge
from pydantic import BeforeValidator, InstanceOf

from llmrank.prompting import PromptTemplate

AuditName = Literal[
    "history", "injection", "prior", "identifiers", "memorisation", "paraphrase", "thinking", "variance"
]


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """What is the user's history worth, and does its order matter?

    Each Case is asked with its history, with the history shuffled, with that of another user, and with none.
    """

    last: int | None = None
    """Also ask with the last N events of each history alone."""


@dataclass(frozen=True, slots=True)
class InjectionOptions:
    """What does a title gain that asks to be first?

    In each Case one candidate is attacked, never a relevant one: by an instruction, a system turn, an answer, praise.
    """


@dataclass(frozen=True, slots=True)
class PriorOptions:
    """Do identifier and place alone decide?

    Every candidate is shown with the same placeholder for its text.
    """


@dataclass(frozen=True, slots=True)
class IdentifiersOptions:
    """Does what an item is called in the prompt decide?

    Each Case is asked with its items named by every scheme that the prompt can be combined with.
    """


def _several(value: object) -> object:
    """Return what is given alone as one of several."""
    return (value,) if isinstance(value, str | int | Path | PromptTemplate) else value


Wordings = Annotated[tuple[str | Path | InstanceOf[PromptTemplate], ...], BeforeValidator(_several)]
SHIPPED = "shipped"
"""Stands among wordings for all those of the prompt that come with llmrank."""


Part = Literal["titles", "ids", "next", "anonymous"]
"""The parts of `memorisation`."""
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, slots=True)
class MemorisationOptions:
    """Does the model know the data set by heart?

    It is asked to complete titles, for the titles of ids, and for the next events of users; and to rank candidates
    whose titles are replaced by neutral names.
    """

    part: Annotated[tuple[Part, ...], BeforeValidator(_several)] = ()
    """Ask only for titles, ids, next (event of a user) or anonymous (ranking without titles); may be repeated.
    [default: all four]"""
    items: Annotated[int, Ge(2)] = 100
    """Of how many items, drawn by the seed, the title is asked."""
    known_as: str | None = None
    """What the data set is called in public, such as "MovieLens 100K".  [default: its name here]"""
    before: str | None = None
    """Also compare the Cases before this day with those from it: 2023-10-01, 2023-10 or 2023."""


@dataclass(frozen=True, slots=True)
class ParaphraseOptions:
    """Does the wording decide?

    Each Case is asked in the words of --prompt, and in those of each --wording, a template that differs in its text
    alone. first-token, palr, rankgpt and setwise come with four other wordings each: few words, a polite request, a
    form, and one that addresses an expert.
    """

    wording: Wordings = (SHIPPED,)
    """Another wording of the prompt, a template's name or path, in the place of those that come with llmrank; `shipped`
    adds these; may be repeated.  [default: shipped]"""


@dataclass(frozen=True, slots=True)
class ThinkingOptions:
    """Does it rank better when it reasons, and at what cost?

    Each Case is asked with thinking off, on, and with each --budget.
    """

    budget: Annotated[tuple[Annotated[int, Ge(1)], ...], BeforeValidator(_several)] = ()
    """Also ask with so many tokens of reasoning at the most; may be repeated."""


@dataclass(frozen=True, slots=True)
class VarianceOptions:
    """How far would the number move if it were measured again?

    Each Case is asked in several orders, at a temperature above 0 several times, and in each --wording.
    """

    orders: Annotated[int, Ge(1)] = 4
    """In how many orders the candidates are shown."""
    draws: Annotated[int, Ge(1)] | None = None
    """How often each question is asked.  [default: 2 at a temperature above 0, else 1]"""
    wording: Wordings = ()
    """Another wording of the prompt, a template's name or path, or `shipped` for all those that come with llmrank; may
    be repeated."""


OPTIONS: Mapping[AuditName, type] = {
    "history": HistoryOptions,
    "injection": InjectionOptions,
    "prior": PriorOptions,
    "identifiers": IdentifiersOptions,
    "memorisation": MemorisationOptions,
    "paraphrase": ParaphraseOptions,
    "thinking": ThinkingOptions,
    "variance": VarianceOptions,
}
