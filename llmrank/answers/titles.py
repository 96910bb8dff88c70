"""The answer format `titles`: the model names the items by their titles."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from llmrank.answers.matching import Match, TitleIndex, title_index
from llmrank.answers.mention import Mention, mentions
from llmrank.answers.outcome import answered, missing, unparsed
from llmrank.answers.reasoning import without_reasoning
from llmrank.answers.text_format import TextFormat
from llmrank.types import Answer, Question, Response

_FUZZY_TEXTS = 1000
"""Distinct unknown texts that are compared with all titles; more of them are no list of titles."""


@dataclass(frozen=True, slots=True)
class Titles(TextFormat):
    """Reads a list of titles in any dressing; see `mention` for the dressings and `matching` for the stages.

    Repairs counted: `missing`, `duplicate`, `not_a_candidate` (a title that is none of the items, as often as it
    stands in the raw answer), `ambiguous` (it could be several of them), `truncated`. Items whose titles are the same
    are taken in the order shown, one for each time the title is named.
    """

    name: str = "titles"

    def read(self, response: Response, question: Question) -> Answer:
        """Return the named items in `ranked`; unparsed (`empty`, `truncated`, `refusal`, `no_candidate_named`)."""
        text = without_reasoning(response.text)
        if not text or not text.strip():
            return unparsed(response, text, "empty")
        index = title_index(question.items)
        found = mentions(text, index)
        cut_off = bool(found) and _is_cut_off(found[-1], text, index, response.finish_reason == "length")
        return answered_titles(found[:-1] if cut_off else found, response, question, text, cut_off=cut_off)


def answered_titles(
    found: list[Mention], response: Response, question: Question, text: str, *, cut_off: bool = False
) -> Answer:
    """Return the Answer that these Mentions, in this order, give."""
    named, repairs = resolve_mentions(found, title_index(question.items))
    repairs["truncated"] = int(cut_off)
    if not named:
        return unparsed(response, text, "no_candidate_named", repairs)
    repairs["missing"] = missing(len(named), len(question.items), question.top)
    ranked = tuple(question.items[at].item_id for at in named)
    return answered(response, repairs, ranked=ranked, matches=Counter(named.values()))


def resolve_mentions(found: list[Mention], index: TitleIndex) -> tuple[dict[int, str], Counter[str]]:
    """Return the position of each named item with the stage of its match, in the order named, and the repairs.

    Exact and normalised matches claim their items first: a text that is only near such an item repeats it.
    """
    near: dict[str, Match | None] = {}
    for mention in found:
        if mention.match is None and len(near) < _FUZZY_TEXTS and mention.text not in near:
            near[mention.text] = index.nearest(mention.text)
    claimed = {at for mention in found if mention.match for at in mention.match.positions}
    named: dict[int, str] = {}
    repairs: Counter[str] = Counter()
    for mention in found:
        match = mention.match or near.get(mention.text)
        if match is None:
            repairs["not_a_candidate"] += 1
        elif not match.positions:
            repairs["ambiguous"] += 1
        else:
            free = [at for at in match.positions if at not in named and (mention.match or at not in claimed)]
            if free:
                named[free[0]] = match.stage
            else:
                repairs["duplicate"] += 1
    return named, repairs


def _is_cut_off(last: Mention, text: str, index: TitleIndex, truncated: bool) -> bool:
    """Return whether the last title may have gone on where the answer ends.

    A recorded answer may not say that it was truncated: then only an open parenthesis or the beginning of a candidate
    tells it.
    """
    if not text.endswith(last.text) or last.text.endswith((")", "]")):
        return False
    if truncated:
        return last.match is None or index.begins_longer(last.text)
    return last.match is None and (last.text.count("(") > last.text.count(")") or index.begins_longer(last.text))
