"""The answer format `permutation`: the model orders the identifiers of the items (`[2] > [3] > [1]`, `B, C, A`)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from llmrank.answers.expression import Word, expression
from llmrank.answers.identifiers import Identifiers
from llmrank.answers.matching import title_index
from llmrank.answers.mention import mentions
from llmrank.answers.outcome import answered, missing, unparsed
from llmrank.answers.reasoning import without_reasoning
from llmrank.answers.text_format import TextFormat
from llmrank.answers.titles import resolve_mentions
from llmrank.types import Answer, Question, Response, Structured


@dataclass(frozen=True, slots=True)
class Permutation(TextFormat):
    """Reads an order of identifiers; the question's identifiers, or the numbers from 1.

    Only the ranking expression counts: the longest unbroken run of identifiers, or the first one of each line or part,
    whichever names more. List numbers do not count; once identifiers stand in square brackets, only those count.
    An answer that counts from 0 is read so only if it names every item and so leaves no doubt (repair `zero_based`);
    else it is unparsed for that reason. Where the answer names titles in place of identifiers, they are read (repair
    `title_for_identifier`). Further repairs: `missing`, `duplicate`, `not_a_candidate`, `truncated`.
    """

    name: str = "permutation"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the items in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `zero_based`,
        `no_candidate_named`)."""
        text = without_reasoning(response.text)
        if not text or not text.strip():
            return unparsed(response, text, "empty")
        identifiers = Identifiers.of(question)
        words = expression(text, identifiers)
        if not words and identifiers.are_letters and not re.search(r"\w\w", text):
            words = expression(text.upper(), identifiers)  # `c > a > b`
        cut_off = response.finish_reason == "length" and bool(words) and _is_cut_off(words[-1], text, identifiers)
        positions = [(word.text, word.position) for word in (words[:-1] if cut_off else words)]
        return ordered(positions, response, question, text)

    def structured(self, question: Question) -> Structured | None:
        """Return `[2] > [3] > [1]` as a regular expression: as many as asked for, none but the question's."""
        identifiers = Identifiers.of(question).texts
        if not identifiers:
            return None
        one = rf"\[(?:{'|'.join(map(re.escape, identifiers))})\]"
        return Structured("regex", rf"{one}(?: > {one}){{{missing(0, len(identifiers), question.top) - 1}}}")


def ordered(identifiers: list[tuple[str, int | None]], response: Response, question: Question, text: str) -> Answer:
    """Return the Answer that these identifiers give, each with the position of its item, or None if no item has it."""
    repairs: Counter[str] = Counter()
    if any(identifier == "0" and position is None for identifier, position in identifiers):
        numbers = [int(identifier) for identifier, _ in identifiers if identifier.isdigit() and len(identifier) < 10]
        count = len(question.items)
        if set(numbers) == set(range(count)):
            identifiers = [(str(number), number) for number in numbers]
            repairs["zero_based"] = 1
        elif count not in numbers:
            return unparsed(response, text, "zero_based")
    named: dict[int, str] = {}
    for _, position in identifiers:
        if position is None:
            repairs["not_a_candidate"] += 1
        elif position in named:
            repairs["duplicate"] += 1
        else:
            named[position] = "identifier"
    matches: Counter[str] = Counter()
    if len(named) <= 1:
        index = title_index(question.items)
        by_title, title_repairs = resolve_mentions(mentions(text, index), index)
        if len(by_title) > len(named):
            named, repairs, matches = by_title, title_repairs, Counter(by_title.values())
            repairs["title_for_identifier"] = len(named)
    if not named:
        return unparsed(response, text, "no_candidate_named", repairs)
    repairs["missing"] = missing(len(named), len(question.items), question.top)
    ranked = tuple(question.items[at].item_id for at in named)
    return answered(response, repairs, ranked=ranked, matches=matches)


def _is_cut_off(last: Word, text: str, identifiers: Identifiers) -> bool:
    """Return whether the last identifier may be the beginning of a longer one, cut off with the answer."""
    longer = any(identifier.startswith(last.text) and identifier != last.text for identifier in identifiers.texts)
    return text.endswith(last.text) and (last.position is None or longer)
