from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest

from llmrank.errors import InputError
from llmrank.rankers.pairwise import Pairwise
from llmrank.rankers.ranking import tie_groups
from llmrank.types import Outcome, Response

from .oracle import OracleBackend, case, drive, prompt, truth

PROMPT = prompt("pairwise")
YES_NO = prompt("recranker-pairwise")


@dataclass(frozen=True)
class Says(OracleBackend):
    """Always the same, whatever is asked."""

    text: str = "A"

    def reply(self, request):
        return Response(self.text)


def test_a_model_that_always_says_a_prefers_nothing():
    ranking, batches = drive(Pairwise(PROMPT), case(6), Says())
    assert ranking.repairs == {"disagreement": 15} and ranking.outcome is Outcome.REPAIRED
    assert len(tie_groups(ranking)) == 1
    assert sum(map(len, batches)) == 30


@dataclass(frozen=True)
class Speaks(OracleBackend):
    """An endpoint without log-probabilities."""

    def reply(self, request):
        return super().reply(replace(request, labels=()))


@pytest.mark.parametrize("sort", ["all", "heap", "bubble", "insertion"])
def test_yes_and_no_are_read_from_the_text_where_there_are_no_log_probabilities(sort):
    one = case(12)
    ranking, _ = drive(Pairwise(YES_NO, sort, 12), one, Speaks())
    assert ranking.order == truth(one) and ranking.outcome is Outcome.OK


@pytest.mark.parametrize("text", ["Yes.", "No."])
def test_a_model_that_says_yes_or_no_to_both_orders_prefers_nothing(text):
    ranking, _ = drive(Pairwise(YES_NO), case(4), Says(text=text))
    assert ranking.repairs == {"disagreement": 6} and len(tie_groups(ranking)) == 1


def test_as_much_yes_as_no_prefers_nothing():
    @dataclass(frozen=True)
    class Undecided(OracleBackend):
        def reply(self, request):
            return Response("", label_logprobs={"Yes": math.log(0.4), "No": math.log(0.4)})

    ranking, _ = drive(Pairwise(YES_NO), case(3), Undecided())
    assert ranking.repairs["disagreement"] == 3 and len(tie_groups(ranking)) == 1


@pytest.mark.parametrize("sort", ["heap", "bubble", "insertion"])
def test_ties_leave_a_sort_as_it_is(sort):
    one = case(12)
    ranking, _ = drive(Pairwise(PROMPT, sort, 6), one, Says())
    assert ranking.repairs["disagreement"] and ranking.named == 6
    assert ranking.order == tuple(item.item_id for item in one.candidates)


def test_an_unreadable_comparison_is_half_a_win_for_each():
    @dataclass(frozen=True)
    class SilentOn(OracleBackend):
        def reply(self, request):
            text = request.messages[-1].content
            return Response("") if "Film 000" in text else super().reply(request)

    ranking, _ = drive(Pairwise(PROMPT), case(5), SilentOn())
    wins = dict(zip(ranking.order, ranking.scores, strict=True))
    assert wins == {"i001": 3.5, "i002": 2.5, "i000": 2.0, "i003": 1.5, "i004": 0.5}
    assert ranking.repairs == {"unread": 8}


def test_both_orders_of_a_pair_are_asked_side_by_side():
    _, batches = drive(Pairwise(PROMPT, "heap", 2), case(7), OracleBackend())
    for batch in batches:
        # While the heap is built, the pairs of all parents of a level are in one batch.
        texts = [request.messages[-1].content for request in batch]
        films = [[line.split('"')[1] for line in text.splitlines() if line.startswith("Movie ")] for text in texts]
        assert films[::2] == [pair[::-1] for pair in films[1::2]]


@pytest.mark.parametrize("sort", ["heap", "bubble", "insertion"])
def test_no_question_is_asked_twice(sort):
    _, batches = drive(Pairwise(PROMPT, sort, 5), case(20), OracleBackend(noise=0.3))
    requests = [request for batch in batches for request in batch]
    assert len(set(requests)) == len(requests)


def test_a_sort_says_what_it_placed():
    ranking, _ = drive(Pairwise(PROMPT, "bubble", 3), case(9), OracleBackend())
    assert ranking.named == 3 and ranking.scores is None


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match="did you mean 'bubble'"):
        Pairwise(PROMPT, "buble")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="field 'sort_top'"):
        Pairwise(PROMPT, "heap", 0)
