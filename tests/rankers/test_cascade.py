from __future__ import annotations

import pytest

from llmrank.engine import estimate
from llmrank.errors import InputError
from llmrank.rankers.baselines import Popularity
from llmrank.rankers.cascade import Cascade
from llmrank.rankers.first_token import FirstToken
from llmrank.rankers.listwise import Listwise
from llmrank.rankers.ranking import tie_groups
from llmrank.rankers.repeated import Repeated
from llmrank.types import Outcome, Ranking

from .oracle import OracleBackend, case, drive, prompt

RANKGPT = Listwise(prompt("rankgpt"))
BACKWARDS = Popularity({f"i{place:03}": place for place in range(100)})


def test_the_dear_one_ranks_the_top_of_the_cheap_one_in_the_order_shown():
    one = case(10)
    ranking, [batch] = drive(Cascade(BACKWARDS, RANKGPT, 4), one, OracleBackend())
    assert ranking.order == ("i006", "i007", "i008", "i009", "i005", "i004", "i003", "i002", "i001", "i000")
    assert len(tie_groups(ranking)) == 10, "what was not sent on keeps the places that the cheap one gave it"
    lines = [line.split('"')[1] for line in batch[0].messages[-1].content.splitlines() if '"Film ' in line]
    assert lines == [item.title for item in one.candidates if item.item_id in ranking.order[:4]]


def test_ties_of_either_stay_ties():
    tied = Popularity({"i000": 5, "i001": 5, "i002": 5})
    ranking, _ = drive(Cascade(tied, RANKGPT, 3), case(6), OracleBackend())
    assert tie_groups(ranking)[:3] == [("i000",), ("i001",), ("i002",)] and len(tie_groups(ranking)[3]) == 3


def test_a_short_list_is_left_to_the_dear_one():
    ranker = Cascade(FirstToken(prompt("first-token")), RANKGPT, 8)
    assert ranker.needs(8).calls == 1 and ranker.needs(9).calls == 2 and ranker.needs(9).labels == 9
    ranking, batches = drive(ranker, case(8), OracleBackend())
    assert len(batches) == 1 and not batches[0][0].labels and ranking.order[0] == "i000"


def test_when_the_dear_one_says_nothing_the_cheap_order_stays_and_the_outcome_tells():
    ranking, _ = drive(Cascade(BACKWARDS, RANKGPT, 4), case(10), OracleBackend(unreadable=1.0))
    assert ranking.outcome is Outcome.UNPARSED and ranking.named == 0
    assert ranking.order == tuple(f"i{place:03}" for place in range(9, -1, -1))


def test_when_the_cheap_one_says_nothing_the_dear_one_is_not_asked():
    ranker = Cascade(FirstToken(prompt("first-token")), RANKGPT, 4)
    ranking, batches = drive(ranker, case(10), OracleBackend(failures=1.0))
    assert ranking.outcome is Outcome.ERROR and len(batches) == 1
    assert isinstance(ranking, Ranking)


def test_a_dry_run_counts_the_dear_one_whatever_the_cheap_one_answers():
    ranker = Repeated(Cascade(FirstToken(prompt("first-token")), RANKGPT, 4), 2)
    asked = estimate([case(10)], ranker, arrange=lambda one: one, count_tokens=lambda messages: len(str(messages)))
    assert asked.most.requests == 4 and asked.most.completion_tokens == 4 * RANKGPT.prompt.sampling.max_tokens


def test_a_top_of_one_is_refused():
    with pytest.raises(InputError, match="field 'first_top'"):
        Cascade(BACKWARDS, RANKGPT, 1)
