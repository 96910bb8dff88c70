"""The options of each audit that asks the model; the command line derives its own from these fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from annotated_types import Ge
from pydantic import BeforeValidator, InstanceOf

from llmrank.prompting import PromptTemplate


@dataclass(frozen=True, slots=True)
class NoOptions:
    """An audit that takes the options of an evaluation alone."""


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """What `history` asks besides."""

    last: int | None = None
    """Also ask with the last N events of each history alone."""


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
    """What `memorisation` asks."""

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
    """What `paraphrase` compares with the prompt."""

    wording: Wordings = (SHIPPED,)
    """Another wording of the prompt, a template's name or path, in the place of those that come with llmrank; `shipped`
    adds these; may be repeated.  [default: shipped]"""


@dataclass(frozen=True, slots=True)
class ThinkingOptions:
    """What `thinking` asks besides on and off."""

    budget: Annotated[tuple[Annotated[int, Ge(1)], ...], BeforeValidator(_several)] = ()
    """Also ask with so many tokens of reasoning at the most; may be repeated."""


@dataclass(frozen=True, slots=True)
class VarianceOptions:
    """How often `variance` asks, and with what."""

    orders: Annotated[int, Ge(1)] = 4
    """In how many orders the candidates are shown."""
    draws: Annotated[int, Ge(1)] | None = None
    """How often each question is asked.  [default: 2 at a temperature above 0, else 1]"""
    wording: Wordings = ()
    """Another wording of the prompt, a template's name or path, or `shipped` for all those that come with llmrank; may
    be repeated."""
