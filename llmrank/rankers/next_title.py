"""Next title: one call ranks all candidates by the probability that their title comes next in the user's history."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmrank.rankers.ranking import rank_by_score, trivial_ranking
from llmrank.types import (
    BaseRanker,
    Case,
    Event,
    Failure,
    Item,
    Message,
    Needs,
    Outcome,
    Ranking,
    RankingSteps,
    Request,
    Sampling,
)

_ARTICLE = re.compile(r"(?P<rest>.+), (?P<article>The|A|An)(?P<year> \(\d{4}\))?")


def item_text(item: Item) -> str:
    """Return the text line of an item: its title, with the article moved to the front, and its genres if known.

    `Usual Suspects, The (1995)` becomes `The Usual Suspects (1995): Crime, Thriller`.
    """
    title = " ".join(item.title.split())
    if found := _ARTICLE.fullmatch(title):
        title = f"{found['article']} {found['rest']}{found['year'] or ''}"
    genres = " ".join(item.attributes.get("genres", "").split())
    return f"{title}: {genres}" if genres else title


def history_message(history: Sequence[Event]) -> Message:
    """Return the history as a message with one line per event, oldest first."""
    return Message("user", "\n".join(item_text(event.item) for event in history))


@dataclass(frozen=True, slots=True)
class NextTitle(BaseRanker):
    """One call with the candidates' lines as labels. Scores are natural-log probabilities among the candidates.

    Needs a backend with labels of several tokens: a model trained to continue sequences of titles.
    """

    name: str = "next_title"

    def needs(self, n: int) -> Needs:
        """Return the needs of a list of `n`: one call, with a label per candidate."""
        return Needs(int(n > 1), labels=n if n > 1 else 0, long_labels=True)

    def rank(self, case: Case) -> RankingSteps:
        """Rank by the scores of one call; candidates with the same line are tied."""
        if ranking := trivial_ranking(case):
            return ranking
        texts = {item.item_id: item_text(item) for item in case.candidates}
        labels = tuple(dict.fromkeys(texts.values()))
        [reply] = yield [Request((history_message(case.history),), Sampling(max_tokens=1), labels=labels)]
        if isinstance(reply, Failure):
            return Ranking(tuple(texts), named=0, outcome=Outcome.ERROR, reason=reply.reason)
        found = reply.label_logprobs or {}
        if any(label not in found for label in labels):
            return Ranking(tuple(texts), named=0, outcome=Outcome.UNPARSED, reason="label_missing")
        return rank_by_score({item_id: found[text] for item_id, text in texts.items()})
