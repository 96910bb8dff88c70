from __future__ import annotations

import pytest

from llmrank.errors import InputError
from llmrank.rankers.baselines import Random
from llmrank.rankers.listwise import Listwise
from llmrank.rankers.needs import Needs, needs_of
from llmrank.rankers.pointwise import Pointwise
from llmrank.types import Capabilities

from .oracle import prompt


def test_needs_add_up():
    assert Needs(3, True, 5) + Needs(4, False, 2, frozenset({"regex"})) == Needs(7, False, 5, frozenset({"regex"}))
    assert Needs(3, True, 5) * 4 == Needs(12, True, 5)


def test_a_ranker_that_says_nothing_asks_nobody():
    assert needs_of(Random(), 50) == Needs()


def test_yes_and_no_can_be_read_from_the_text_and_expectations_cannot():
    assert Pointwise(prompt("pointwise-yes-no")).needs(20).labels == 0
    assert Pointwise(prompt("pointwise-rating", "expected_rating")).needs(20).labels == 5


def test_a_constraint_is_stated_and_never_refused():
    import dataclasses

    plain = prompt("setwise")
    front = plain.template.front.model_copy(update={"constrain": True})
    constrained = dataclasses.replace(plain, template=dataclasses.replace(plain.template, front=front))
    assert Listwise(plain).needs(4).structured == frozenset()
    needs = Listwise(constrained).needs(4)
    assert needs.structured == {"choice"}
    needs.check(Capabilities())


def test_too_few_log_probabilities_are_refused_before_a_call():
    Needs(1, labels=20).check(Capabilities(label_logprobs=20))
    with pytest.raises(InputError, match="21 labels are needed, and the backend returns 20"):
        Needs(1, labels=21).check(Capabilities(label_logprobs=20))
    with pytest.raises(InputError, match="returns none"):
        Needs(1, labels=2).check(Capabilities())
