"""BM25 on titles: the history's titles as the query, the candidates' titles as the documents; no model calls."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmrank.rankers.baselines import ByScore
from llmrank.types import Case

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class BM25(ByScore):
    """Scores candidates by the words of their titles alone (Robertson and Zaragoza 2009, with Lucene's idf).

    The documents are the Case's own candidates, so a word that many of them share, such as "the", counts for little. A
    word counts as often as it occurs in the history. Candidates that share no word with the history are tied at 0.
    """

    k1: float = 1.5
    b: float = 0.75
    name: str = "bm25"

    def scores(self, case: Case) -> Sequence[float]:
        """Return the scores; all 0 if titles and history share no word."""
        import bm25s

        titles = [words(item.title) for item in case.candidates]
        known = {word for title in titles for word in title}
        query = [word for event in case.history for word in words(event.item.title) if word in known]
        if not query:
            return [0.0] * len(titles)
        index = bm25s.BM25(k1=self.k1, b=self.b, dtype="float64")
        index.index(titles, show_progress=False)
        # The order of a sum decides its last digits. Sorted and rounded, equal scores stay equal in any order.
        return index.get_scores(sorted(query)).astype("float32").tolist()


def words(title: str) -> list[str]:
    """Return the words of a title in lower case, with repetitions."""
    return _WORD.findall(title.lower())
