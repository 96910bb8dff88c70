from __future__ import annotations

import pytest

from llmrank.rankers.ranking import merge_outcomes
from llmrank.types import Answer, Outcome, Ranking

OK, MENDED = Answer(Outcome.OK), Answer(Outcome.REPAIRED, repairs={"missing": 2}, matches={"exact": 3})
UNREAD, FAILED = Answer(Outcome.UNPARSED, "empty", {"not_a_candidate": 1}), Answer(Outcome.ERROR, "503")


@pytest.mark.parametrize(
    ("parts", "outcome", "reason", "repairs"),
    [
        ([], "ok", "", {}),
        ([OK, OK], "ok", "", {}),
        ([OK, MENDED, MENDED], "repaired", "", {"missing": 4}),
        ([OK, UNREAD, FAILED], "repaired", "empty", {"unread": 1, "failed": 1, "not_a_candidate": 1}),
        ([FAILED, OK], "repaired", "503", {"failed": 1}),
        ([UNREAD], "unparsed", "empty", {"not_a_candidate": 1}),
        ([FAILED, UNREAD], "unparsed", "503", {"not_a_candidate": 1}),
        ([FAILED, FAILED], "error", "503", {}),
    ],
)
def test_parts_amount_to_one_outcome(parts, outcome, reason, repairs):
    ranking = merge_outcomes(Ranking(("a", "b"), (2.0, 1.0)), parts)
    assert (ranking.outcome, ranking.reason, dict(ranking.repairs)) == (outcome, reason, repairs)
    assert (ranking.named, ranking.scores) == ((0, None) if outcome in ("unparsed", "error") else (None, (2.0, 1.0)))


def test_what_the_method_itself_mends_is_a_repair():
    ranking = merge_outcomes(Ranking(("a",)), [OK], {"disagreement": 1})
    assert ranking.outcome is Outcome.REPAIRED and ranking.repairs == {"disagreement": 1}
    assert merge_outcomes(Ranking(("a",)), [MENDED, MENDED]).matches == {"exact": 6}
