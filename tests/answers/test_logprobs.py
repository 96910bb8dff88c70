"""The formats that read label log-probabilities."""

import math
from collections.abc import Mapping

import pytest

from llmrank.answers import answer_format
from llmrank.types import Answer, Outcome, Question, Response
from tests.answers.asking import numbered, places

FIVE = Question()


def read(name: str, logprobs: Mapping[str, float] | None, question: Question = FIVE) -> Answer:
    return answer_format(name).read(Response("", label_logprobs=logprobs), question)


def logs(**probabilities: float) -> dict[str, float]:
    return {label: math.log(p) for label, p in probabilities.items()}


def test_candidates_are_ordered_by_the_probability_of_their_label() -> None:
    answer = read("label_logprobs", logs(A=0.2, B=0.1, C=0.6), numbered(3, "letters"))
    assert (places(answer), answer.outcome) == ([3, 1, 2], Outcome.OK)
    assert answer.scores == {"i3": math.log(0.6), "i1": math.log(0.2), "i2": math.log(0.1)}


def test_equal_labels_keep_equal_scores() -> None:
    answer = read("label_logprobs", logs(A=0.2, B=0.5, C=0.2), numbered(3, "letters"))
    assert answer.scores is not None
    assert answer.scores["i1"] == answer.scores["i3"]


def test_a_label_that_was_not_returned_is_not_replaced_by_a_guess() -> None:
    answer = read("label_logprobs", {**logs(A=0.2, C=0.6), "B": math.nan}, numbered(3, "letters"))
    assert (places(answer), answer.repairs) == ([3, 1], {"missing": 1})
    assert read("label_logprobs", {}, numbered(3)).reason == "label_missing"
    assert read("label_logprobs", None, numbered(3)).reason == "label_missing"


def test_a_label_with_and_without_its_space_is_one() -> None:
    given = {"A": math.log(0.3), " A": math.log(0.3), "B": math.log(0.4)}
    answer = read("label_logprobs", given, numbered(2, "letters"))
    assert answer.scores == pytest.approx({"i1": math.log(0.6), "i2": math.log(0.4)})


@pytest.mark.parametrize("name", ["label_logprobs", "expected_rating", "yes_no"])
def test_little_label_mass_is_flagged(name: str) -> None:
    little = {label: math.log(0.01) for label in ("1", "2", "3", "4", "5", "Yes", "No")}
    assert read(name, little, numbered(5)).repairs == {"low_label_mass": 1}


def test_the_expected_rating() -> None:
    answer = read("expected_rating", {"3": math.log(0.2), "4": math.log(0.4), "5": math.log(0.2), "1": -9.0, "2": -9.0})
    assert answer.value == pytest.approx(4.0, abs=1e-3)
    assert answer.outcome is Outcome.OK
    assert read("expected_rating", {"4": math.log(0.9)}).repairs == {"missing": 4}
    assert read("expected_rating", {"5": -0.00390625}).value == 5.0  # and not 5.000000000000001
    assert read("expected_rating", {"word": -0.1, "9": -0.1}).reason == "label_missing"


def test_yes_no_is_the_share_of_yes() -> None:
    answer = read("yes_no", logs(Yes=0.6, No=0.2))
    assert answer.value == pytest.approx(0.75)
    assert answer.scores == pytest.approx({"Yes": 0.6, "No": 0.2})


def test_of_yes_no_one_label_alone_decides_above_one_half() -> None:
    both = read("yes_no", logs(Yes=0.6, No=0.38))
    for given, bound in ((logs(Yes=0.97), 0.97), (logs(No=0.97), 0.03), (logs(Yes=0.6), 0.6)):
        answer = read("yes_no", given)
        assert answer.value == pytest.approx(bound) and answer.repairs == {"missing": 1}
        assert answer.label_mass == pytest.approx(sum(map(math.exp, given.values())))
    assert both.value is not None and both.value < 0.97
    # Below, the other may be as likely.
    for given in (logs(Yes=0.2), logs(No=0.5), {}):
        assert read("yes_no", given).reason == "label_missing"


@pytest.mark.parametrize("given", [{}, logs(Yes=0.2)])
def test_a_verdict_of_the_text_stands_for_no_probability_that_was_asked_for(given: Mapping[str, float]) -> None:
    answer = answer_format("yes_no").read(Response("**Yes**", label_logprobs=given), FIVE)
    assert answer.value is None and answer.reason == "label_missing"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Yes.", 1),
        ("No", 0),
        ("**No**, they dislike it. Yes, it is good", 0),
        ("true", 1),
        ("I'd say no.", 0),
        ("Kyllä 👍 Asiakas etsii juuri tällaista.", 1),
        ("Không, vì họ không thích phim hài.", 0),
        ("Most likely, yes. There's no sign that they dislike it.", 1),
        ("Seen before ..... no\nLikes sequels .. yes\nVERDICT ......... NO", 0),
        ("**Verdict: would they like it? Yes.**\n\nNo other reason speaks against it.", 1),
        ("Yes, I think.\n\nWait, let me read it again.\n\nFinal answer for Heat: No", 0),
    ],
)
def test_yes_no_from_text(text: str, value: float) -> None:
    assert answer_format("yes_no").read(Response(text), Question()).value == value


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("Yes: 0.2, No: 0.8", 0), ('{"no": 0.1, "yes": 0.9}', 1), ("Yes: 35%\nNo: 65%", 0), ("Yes: 50%, no: 50%", None)],
)
def test_of_two_probabilities_in_a_text_the_higher_is_the_verdict(text: str, verdict: int | None) -> None:
    answer = answer_format("yes_no").read(Response(text), Question())
    assert (answer.value, answer.reason == "ambiguous") == (verdict, verdict is None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("Perhaps.", "no_yes_or_no"),
        ("There is no doubt about it", "no_yes_or_no"),
        ("It is a yes, or rather a no", "ambiguous"),
        ("Yes or no? I'm sorry, I cannot tell.", "refusal"),
    ],
)
def test_yes_no_unparsed_says_why(text: str, reason: str) -> None:
    assert answer_format("yes_no").read(Response(text), Question()).reason == reason


def test_requested_labels() -> None:
    assert answer_format("yes_no").labels(Question()) == ("Yes", "No")
    assert answer_format("expected_rating").labels(Question()) == ("1", "2", "3", "4", "5")
    assert answer_format("expected_rating").labels(Question(scale=(0.5, 2.0))) == ("0.5", "1", "1.5", "2")
    assert answer_format("label_logprobs").labels(numbered(3, "letters")) == ("A", "B", "C")
    assert answer_format("titles").labels(numbered(3)) == ()


def test_the_labels_of_an_expected_rating_are_whole_numbers_within_the_scale() -> None:
    """Halves would be several tokens."""
    form, question = answer_format("expected_rating"), Question(scale=(0.5, 5.0))
    assert form.labels(question) == ("1", "2", "3", "4", "5")
    answer = form.read(Response("", label_logprobs={label: math.log(0.2) for label in "12345"}), question)
    assert answer.value == pytest.approx(3.0) and not answer.repairs
    assert form.labels(Question(scale=(0.0, 1.0))) == ("0", "1")
