from __future__ import annotations

from dataclasses import dataclass

import pytest

from llmrank.errors import InputError
from llmrank.rankers import check_capabilities
from llmrank.rankers.setwise import Setwise
from llmrank.types import Capabilities, Outcome, Response

from .oracle import OracleBackend, case, drive, prompt

PROMPT = prompt("setwise")


@pytest.mark.parametrize("sort", ["heap", "bubble", "insertion"])
@pytest.mark.parametrize("group", [3, 4, 10])
def test_no_group_is_larger_than_said(sort, group):
    _, batches = drive(Setwise(PROMPT, sort, group), case(40), OracleBackend())
    shown = [request.messages[-1].content.count("Film ") for batch in batches for request in batch]
    assert max(shown) == group and min(shown) >= 2


def test_an_unreadable_group_stays_as_it_is_and_is_counted():
    ranking, _ = drive(Setwise(PROMPT, sort_top=3), case(30), OracleBackend(unreadable=0.3))
    assert ranking.outcome is Outcome.REPAIRED and ranking.repairs["unread"] > 0 and ranking.named == 3


@pytest.mark.parametrize("sort", ["heap", "bubble", "insertion"])
def test_a_group_that_cannot_be_read_favours_nobody(sort):
    one = case(12)
    last = one.candidates[-1].title

    @dataclass(frozen=True)
    class SilentOn(OracleBackend):
        def reply(self, request):
            return Response("") if last in request.messages[-1].content else Response("A")

    ranking, _ = drive(Setwise(PROMPT, sort, 4, 12), one, SilentOn())
    assert ranking.order == tuple(item.item_id for item in one.candidates), "as it came: the first of each group stays"
    assert ranking.repairs["unread"] > 0


@pytest.mark.parametrize("sort", ["heap", "bubble", "insertion"])
def test_no_question_is_asked_twice(sort):
    _, batches = drive(Setwise(PROMPT, sort, 3, 20), case(20), OracleBackend())
    requests = [request for batch in batches for request in batch]
    assert len(set(requests)) == len(requests)


def test_log_probabilities_are_needed_only_where_they_are_read():
    assert Setwise(PROMPT).needs(50).labels == 0
    needs = Setwise(prompt("setwise", "label_logprobs"), group=8).needs(50)
    assert needs.labels == 8
    check_capabilities(needs, Capabilities(label_logprobs=8))
    with pytest.raises(InputError, match="8 labels, but the backend returns 5"):
        check_capabilities(needs, Capabilities(label_logprobs=5))


@pytest.mark.parametrize(("sort", "group"), [("heap", 2), ("bubble", 1), ("quick", 4)])
def test_settings_out_of_range_are_refused(sort, group):
    with pytest.raises(InputError):
        Setwise(PROMPT, sort, group)
