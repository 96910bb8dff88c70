"""The answer format `permutation`: the model orders the labels of the items (`[2] > [3] > [1]`, `B, C, A`)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from llmrank.answers.expression import Word, expression
from llmrank.answers.label import Labels
from llmrank.answers.matching import title_index
from llmrank.answers.mention import mentions
from llmrank.answers.outcome import answered, missing, unparsed
from llmrank.answers.reasoning import without_reasoning
from llmrank.answers.text_format import TextFormat
from llmrank.answers.titles import place
from llmrank.types import Answer, Question, Response, Structured


@dataclass(frozen=True, slots=True)
class Permutation(TextFormat):
    """Reads an order of labels; the question's labels, or the numbers from 1.

    Only the ranking expression counts: the longest unbroken run of labels, or the first label of each line or part,
    whichever names more. Numbers of a list are no labels, and once labels stand in square brackets only those count.
    An answer that counts from 0 is read so only if it names every item and so leaves no doubt (repair `zero_based`);
    else it is unparsed for that reason. Where the answer names titles in place of labels, they are read (repair
    `title_for_label`). Further repairs: `missing`, `duplicate`, `not_a_candidate`, `truncated`.
    """

    name: str = "permutation"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the items in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `zero_based`,
        `no_candidate_named`)."""
        text = without_reasoning(response.text)
        if not text or not text.strip():
            return unparsed(response, text, "empty")
        labels = Labels.of(question)
        words = expression(text, labels)
        if not words and labels.are_letters and not re.search(r"\w\w", text):
            words = expression(text.upper(), labels)  # `c > a > b`
        cut_off = response.finish_reason == "length" and bool(words) and _is_cut_off(words[-1], text, labels)
        positions = [(word.text, word.position) for word in (words[:-1] if cut_off else words)]
        return ordered(positions, response, question, text)

    def structured(self, question: Question) -> Structured | None:
        """Return `[2] > [3] > [1]` as a regular expression: as many labels as asked for, none but the question's."""
        labels = Labels.of(question).labels
        if not labels:
            return None
        one = rf"\[(?:{'|'.join(map(re.escape, labels))})\]"
        return Structured("regex", rf"{one}(?: > {one}){{{missing(0, len(labels), question.top) - 1}}}")


def ordered(labels: list[tuple[str, int | None]], response: Response, question: Question, text: str) -> Answer:
    """Return the Answer that these labels give, each with the position of its item, or None if no item has it."""
    repairs: Counter[str] = Counter()
    if any(label == "0" and position is None for label, position in labels):
        numbers = [int(label) for label, _ in labels if label.isdigit() and len(label) < 10]
        count = len(question.items)
        if set(numbers) == set(range(count)):
            labels = [(str(number), number) for number in numbers]
            repairs["zero_based"] = 1
        elif count not in numbers:
            return unparsed(response, text, "zero_based")
    named: dict[int, str] = {}
    for _, position in labels:
        if position is None:
            repairs["not_a_candidate"] += 1
        elif position in named:
            repairs["duplicate"] += 1
        else:
            named[position] = "label"
    matches: Counter[str] = Counter()
    if len(named) <= 1:
        index = title_index(question.items)
        by_title, title_repairs = place(mentions(text, index), index)
        if len(by_title) > len(named):
            named, repairs, matches = by_title, title_repairs, Counter(by_title.values())
            repairs["title_for_label"] = len(named)
    if not named:
        return unparsed(response, text, "no_candidate_named", repairs)
    repairs["missing"] = missing(len(named), len(question.items), question.top)
    ranked = tuple(question.items[at].item_id for at in named)
    return answered(response, repairs, ranked=ranked, matches=matches)


def _is_cut_off(last: Word, text: str, labels: Labels) -> bool:
    """Return whether the last label may be the beginning of a longer one, cut off with the answer."""
    longer = any(label.startswith(last.text) and label != last.text for label in labels.labels)
    return text.endswith(last.text) and (last.position is None or longer)
