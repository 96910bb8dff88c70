"""Methods whose calls do not depend on each other: listwise, first token, pointwise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest

from llmrank.errors import InputError
from llmrank.rankers.first_token import FirstToken
from llmrank.rankers.listwise import Listwise, from_answer
from llmrank.rankers.pointwise import Pointwise, from_values
from llmrank.types import Answer, Case, Item, Outcome, Response, Thinking

from .oracle import OracleBackend, case, drive, prompt


def test_a_profile_is_asked_for_first_and_shown():
    palr = prompt("palr", profile=prompt("palr-profile", "titles"))
    ranker = Listwise(palr)

    @dataclass(frozen=True)
    class Profiles(OracleBackend):
        def reply(self, request):
            return Response("noir, heists") if "itemized list" in request.messages[-1].content else Response("Film 001")

    ranking, batches = drive(ranker, case(4), Profiles())
    assert [len(batch) for batch in batches] == [1, 1] and ranker.needs(4).calls == 2
    assert "noir, heists" in batches[1][0].messages[-1].content
    assert ranking.order[0] == "i001" and ranking.named == 1
    failed, batches = drive(ranker, case(4), OracleBackend(failures=1.0))
    assert failed.outcome is Outcome.ERROR and failed.reason.startswith("profile: ") and len(batches) == 1


def test_a_new_user_is_not_asked_about_for_a_profile():
    ranker = Listwise(prompt("palr", profile=prompt("palr-profile", "titles")))
    [[request]] = drive(ranker, replace(case(4), history=()), OracleBackend())[1]
    assert "Nothing is known" in request.messages[-1].content and "keywords" not in request.messages[-1].content


def test_the_reasoning_before_a_profile_is_not_shown_and_its_shortened_history_is_counted():
    profile = prompt(
        "palr-profile", "titles", count_tokens=lambda messages: len(messages[0].content), context_length=700
    )
    ranker = Listwise(prompt("palr", profile=profile))
    one = case(4)
    one = replace(one, history=tuple(replace(event, item=Item("h", "Seen " * 30)) for event in one.history))

    @dataclass(frozen=True)
    class Reasons(OracleBackend):
        text: str = ""

        def reply(self, request):
            return Response(self.text if "itemized list" in request.messages[-1].content else "Film 001")

    ranking, batches = drive(ranker, one, Reasons(text="<think>Film 003?</think>noir"))
    assert "keywords: noir\n" in batches[1][0].messages[-1].content
    assert ranking.history_dropped > 0
    endless, batches = drive(ranker, one, Reasons(text="<think>Film 003"))
    assert endless.outcome is Outcome.UNPARSED and "reasoning" in endless.reason and len(batches) == 1


def test_a_label_takes_one_token_of_the_context_whatever_the_template_allows():
    roomy, one = prompt("first-token", count_tokens=lambda messages: sum(len(m.content) for m in messages)), case(4)
    roomy = replace(roomy, sampling=replace(roomy.sampling, max_tokens=400))
    whole = roomy.ask(one)
    room = sum(len(message.content) for message in whole.request.messages)
    asked = replace(roomy, context_length=room + 1).ask(one)
    assert asked.request == whole.request and asked.request.sampling.max_tokens == 1
    assert replace(roomy, context_length=room).ask(one).history_dropped == 1


def test_an_answer_alone_becomes_the_same_ranking():
    one = case(3)
    named = Answer(Outcome.REPAIRED, repairs={"missing": 2}, ranked=("i001",), matches={"exact": 1})
    ranking = from_answer(one, named)
    assert (ranking.order[0], ranking.named) == ("i001", 1)
    assert (ranking.outcome, ranking.repairs, ranking.matches) == (Outcome.REPAIRED, {"missing": 2}, {"exact": 1})


def test_first_token_refuses_more_than_128_and_says_what_ranks_them():
    ranker = FirstToken(prompt("first-token"))
    assert ranker.needs(128).labels == 128
    for refused in (lambda: ranker.needs(129), lambda: drive(ranker, case(129), OracleBackend())):
        with pytest.raises(InputError, match="sliding_window"):
            refused()


def test_first_token_leaves_a_missing_label_unscored():
    @dataclass(frozen=True)
    class Partial(OracleBackend):
        def reply(self, request):
            return Response("", label_logprobs={"A": math.log(0.2), "B": math.log(0.7)})

    one = case(4)
    ranking, _ = drive(FirstToken(prompt("first-token")), one, Partial())
    first, second = one.candidates[1].item_id, one.candidates[0].item_id
    assert ranking.order[:2] == (first, second) and ranking.named == 2
    assert ranking.scores is not None and ranking.scores[2:] == (-math.inf, -math.inf)
    assert ranking.outcome is Outcome.REPAIRED and ranking.repairs["missing"] == 2


def test_a_low_label_mass_flags_the_case():
    @dataclass(frozen=True)
    class Elsewhere(OracleBackend):
        def reply(self, request):
            return Response("", label_logprobs=dict.fromkeys(request.labels, math.log(0.01)))

    for ranker in (FirstToken(prompt("first-token")), Pointwise(prompt("pointwise-yes-no"))):
        ranking, batches = drive(ranker, case(3), Elsewhere())
        assert ranking.repairs["low_label_mass"] == len(batches[0]) and ranking.outcome is Outcome.REPAIRED


def test_a_yes_in_words_among_probabilities_flags_the_case():
    @dataclass(frozen=True)
    class Sometimes(OracleBackend):
        def reply(self, request):
            return Response("Yes") if "Film 001" in request.messages[-1].content else super().reply(request)

    ranker = Pointwise(prompt("pointwise-yes-no"))
    mixed, _ = drive(ranker, case(3), Sometimes())
    assert mixed.outcome is Outcome.REPAIRED and mixed.repairs == {"no_probability": 1}
    assert mixed.scores is not None and 0.75 in mixed.scores, "it is not above whatever has a probability"
    assert drive(ranker, case(3), OracleBackend())[0].outcome is Outcome.OK


def test_pointwise_asks_for_all_at_once_behind_one_prefix():
    _, [batch] = drive(Pointwise(prompt("pointwise-yes-no")), case(8), OracleBackend())
    texts = [request.messages[-1].content for request in batch]
    head = texts[0][: texts[0].index("Will the user like")]
    assert len(batch) == 8 and all(text.startswith(head) for text in texts) and "Seen 0" in head


def test_pointwise_rates_a_target():
    target = Item("t", "Film 250")
    one = replace(case(0), target=target)
    ranking, batches = drive(Pointwise(prompt("pointwise-rating")), one, OracleBackend())
    assert ranking.order == ("t",) and ranking.scores == (pytest.approx(3.999, abs=0.001),) and len(batches) == 1
    failed, _ = drive(Pointwise(prompt("pointwise-rating")), one, OracleBackend(failures=1.0))
    assert (failed.order, failed.scores, failed.outcome) == (("t",), None, Outcome.ERROR)


@pytest.mark.parametrize(
    ("name", "answer", "tokens"),
    [("setwise", "label_logprobs", 1), ("pointwise-rating", "expected_rating", 1), ("pointwise-yes-no", None, 4)],
)
def test_one_token_is_asked_for_where_the_text_is_not_read(name, answer, tokens):
    one = replace(case(1), target=Item("i000", "Film 000")) if name.startswith("pointwise") else case(3)
    request = prompt(name, answer).ask(one).request
    assert request.labels and request.sampling.max_tokens == tokens


def test_a_format_that_reads_the_first_token_rules_out_reasoning():
    reasons = Thinking(on=True)
    for name, answer in (("setwise", "label_logprobs"), ("pointwise-rating", "expected_rating")):
        asked = prompt(name, answer)
        with pytest.raises(InputError, match="reads the first token, which rules out reasoning"):
            replace(asked, template=asked.template.override(thinking=reasons))
    asked = prompt("pointwise-yes-no")  # its text can be read instead
    one = replace(case(1), target=Item("i000", "Film 000"))
    assert not replace(asked, template=asked.template.override(thinking=reasons)).ask(one).request.labels


def test_a_relevance_is_read_on_the_prompts_scale_whatever_the_datas_is():
    @dataclass(frozen=True)
    class Rates(OracleBackend):
        def reply(self, request):
            return Response("9" if "Film 001" in request.messages[-1].content else "**7/10**")

    ranking, _ = drive(Pointwise(prompt("recranker-pointwise", scale=(0.5, 5.0))), case(2), Rates())
    assert ranking.order == ("i001", "i000") and ranking.scores == (9.0, 7.0)


def test_values_stay_with_their_items_when_one_cannot_be_read():
    items = [Item(name, name) for name in "abc"]
    read, lost = Answer(Outcome.OK, value=2.0), Answer(Outcome.UNPARSED, reason="ambiguous")
    ranking = from_values(items, [read, lost, replace(read, value=3.0)])
    assert ranking.order == ("c", "a", "b") and ranking.scores == (3.0, 2.0, -math.inf)
    assert (ranking.named, ranking.outcome, ranking.reason) == (2, Outcome.REPAIRED, "ambiguous")
    assert ranking.repairs == {"unread": 1}


def test_an_answer_that_decides_nothing_is_unparsed():
    [item] = items = (Item("a", "A"),)
    ranking = from_values(items, [Answer(Outcome.OK, ranked=("a",))])
    assert ranking.outcome is Outcome.UNPARSED and ranking.reason == "no_decision"
    assert isinstance(Case("u", (), (item,)), Case)
