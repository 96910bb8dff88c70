"""The answer format `yes_no`: refusals, the labels alone, and a question about two items."""

import pytest

from llmrank.types import Question
from tests.answers.asking import items, read

ONE = Question(items("Heat (1995)"))


@pytest.mark.parametrize(
    "text",
    [
        "No, I'm sorry, but I can't help with that.",
        "No, sorry, I am unable to answer that.",
        "No. I'm sorry, I can't help with this request.",
        "No, I cannot answer this question.",
        "No, I'm really not able to answer.",
        "No, I can't provide recommendations.",
        "No, I can't discuss that.",
        "Yes, but I'm sorry, I can't answer that.",
        "No, I don't have enough information.",
        "Nein, tut mir leid, das kann ich nicht beantworten.",
        "Non, désolé, je ne peux pas répondre.",
        "いいえ、申し訳ありませんが、お答えできません。",
    ],
)
def test_a_refusal_that_begins_with_a_verdict_is_none(text: str) -> None:
    assert read("yes_no", text, ONE).reason in ("refusal", "no_yes_or_no")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("No, sorry.", 0),
        ("No, I'm afraid not.", 0),
        ("No, I'm sorry, they would not like it.", 0),
        ("No. I'm sorry, but the user dislikes crime films.", 0),
        ("No, I can't recommend it.", 0),
        ("No, I can't see them enjoying it.", 0),
        ("No, I can't give it to them.", 0),
        ("No. De Niro can't help this film.", 0),
        ("No, I can't help feeling they would be bored.", 0),
        ("No, I can't answer that for sure, but they would not like it.", 0),
        ("Final answer: No. I can't help with more.", 0),
        ("Yes. I cannot answer for the ending.", 1),
        ("Yeah, no doubt.", 1),
    ],
)
def test_a_verdict_that_is_sorry_stays_one(text: str, verdict: float) -> None:
    assert read("yes_no", text, ONE).value == verdict


@pytest.mark.parametrize(
    "text",
    ["Yes/No", "Yes / No", "**Yes/No**", "[Yes/No]", "Yes or no?", "True/False", "No/Yes", "No, yeah.", "Yeah, no."],
)
def test_both_labels_alone_are_ambiguous(text: str) -> None:
    assert read("yes_no", text, ONE).reason == "ambiguous"


@pytest.mark.parametrize(("text", "verdict"), [("Yes/No: No", 0), ("(Yes/No) Yes", 1), ("👍", 1), ("👎", 0)])
def test_a_verdict_beside_the_labels_is_read(text: str, verdict: float) -> None:
    assert read("yes_no", text, ONE).value == verdict


@pytest.mark.parametrize("titles", [("Heat (1995)", "Fargo (1996)"), ("Toy Story (1995)", "Toy Story 2 (1999)")])
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("The user would prefer {b} over {a}.", 0),
        ("The user would prefer {a} over {b}.", 1),
        ("They'd rather watch {b}.", 0),
        ("They'd rather watch {a} than {b}.", 1),
        ("I think they would choose {b}.", 0),
        ("{b} would be the better choice.", 0),
        ("Given their taste for comedy, the user would prefer {b}.", 0),
        ("The user would probably enjoy {b} more than {a}.", 0),
        ("Yes, the user would prefer {a}.", 1),
        ("No, {b} fits their taste better.", 0),
        ("No. While {a} is good, {b} is better.", 0),
        ("Yes, although most would prefer {b}.", 1),
        ("Yes. They have seen {b}.", 1),
        ("No, {a} is too long.", 0),
        ("Does the user prefer {a} over {b}? No.", 0),
        ("Would they prefer {a}? No, {b}.", 0),
        ("The user would prefer {a} over {b}, so yes.", 1),
        ("Yes.", 1),
        ("No.", 0),
        ("Yes, the user would prefer {b}.", None),
        ("No, the user would prefer {a}.", None),
        ("Yes. {b} is the better match.", None),
        ("No. {a}.", None),
        ("The user would prefer {a} over {b}. No.", None),
        ("They might prefer {b}.", None),
        ("If they want comedy, they would prefer {b}.", None),
        ("The user would prefer neither {a} nor {b}.", None),
        ("They would like both {a} and {b}.", None),
        ("The user would not prefer {b}.", None),
        ("I can't tell whether they would prefer {a} or {b}.", None),
    ],
)
def test_of_two_items_yes_prefers_the_first(text: str, verdict: float | None, titles: tuple[str, str]) -> None:
    a, b = (title.partition(" (")[0] for title in titles)
    assert read("yes_no", text.format(a=a, b=b), Question(items(*titles))).value == verdict
