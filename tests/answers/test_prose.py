"""Rankings told in sentences."""

import pytest

from llmrank.answers import answer_format
from llmrank.answers.items.identifiers import Identifiers
from llmrank.answers.items.matching import title_index
from llmrank.answers.rankings.prose import read_sentences
from llmrank.types import Outcome, Question, Response
from tests.answers.asking import items

TITLES = ("Heat (1995)", "Fargo (1996)", "Alien (1979)", "Up (2009)", "Toy Story 2 (1999)")
LETTERS = ("A", "B", "C", "D", "E")


def order(text: str, names: tuple[str, ...] = ()) -> str | None:
    """Return the places of the items that sentences rank, best first."""
    shown = items(*TITLES)
    found = read_sentences(text, title_index(shown), Identifiers.of(Question(shown, names)))
    return found and " ".join(str(at + 1) for at in found.named)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("I'd start with Heat, then Fargo, and finally Alien.", "1 2 3"),
        ("My top pick is Fargo. Heat comes second, while Alien is in third place.", "2 1 3"),
        ("Third place goes to Heat, second place to Fargo, and the winner is Alien.", "3 2 1"),
        ('I would lead with "Heat", follow it with "Alien", and the comedy piece ("Fargo") goes last.', "1 3 2"),
        ("I would open with Heat, then Fargo, and close with Alien.", "1 2 3"),
        ("Definitely Fargo first. Heat would be my second choice, and I would put Alien at the bottom.", "2 1 3"),
        ("I recommend **Alien (1979)**, because it is tense. After that, Heat (1995) keeps the mood.", "3 1"),
        ("Begin with Heat, followed by Alien and Up. I would leave Fargo for last.", "1 3 4 2"),
        ("Alien is the best match, since you liked Aliens and Heat-like films. Heat is the runner-up.", "3 1"),
        ("Heat first, Fargo second.", "1 2"),
        ("Watch Toy Story 2 first, then Up.", "5 4"),
        ("Premièrement, « Heat » ; deuxièmement, « Fargo » ; puis « Alien ».", "1 2 3"),
    ],
)
def test_sentences_give_an_order(text: str, places: str) -> None:
    assert order(text) == places


@pytest.mark.parametrize(
    "text",
    [
        "I recommend Heat, Fargo and Alien.",  # no order
        "You watched Heat, then Fargo.",
        "Start with Heat, then Fargo. Actually, Fargo is the best match.",
        "Heat first, Fargo last, Alien in between.",
        "Fargo is the weakest of these, Heat is in the middle, Alien is the best.",
        "Start with Heat or Fargo, then Alien.",
        "If you want action, start with Heat. If you want comedy, then Fargo.",
        "I would start with Heat, then Heat again, then Fargo.",
        "I'd start with Heat, but Fargo comes before it.",
        "I would not start with Heat. Then Fargo.",
        "Start with Heat Wave, then Fargo.",  # another film
        "Start with Heat (1986), then Fargo.",
        "Start with Alien: Covenant, then Fargo.",
        "Start with Toy Story, then Fargo.",
        "Second is Heat, third is Fargo.",  # the first is missing
        "Start with Heat, then Fargo; both are equally good.",
        "Up next is Heat, then Fargo, the worst of them.",
    ],
)
def test_sentences_with_two_possible_orders_are_not_read(text: str) -> None:
    assert order(text) is None


def test_a_pronoun_at_the_beginning_of_a_sentence_is_not_a_title() -> None:
    assert order("I'd start with Heat. Up next, Fargo.") is None
    assert order("I'd start with Heat, then Up.") == "1 4"


@pytest.mark.parametrize(
    ("text", "names", "places"),
    [
        ("I'd go with D first, then B. A is next, then C.", LETTERS, "4 2 1 3"),
        ("Movie 2 is the best match. Movie 4 would be my second choice, followed by Movie 3.", (), "2 4 3"),
        ("Fargo (2) is the best match, followed by Alien [3].", (), "2 3"),
        ("A good place to begin with is B, then C.", LETTERS, None),
        ("Fargo (1) is the best match, followed by Alien [3].", (), None),
    ],
)
def test_identifiers_are_read_in_sentences_too(text: str, names: tuple[str, ...], places: str | None) -> None:
    assert order(text, names) == places


def test_an_order_told_in_sentences_is_repaired() -> None:
    answer = answer_format("titles").read(
        Response("My top pick is Heat. Fargo comes second. I'd leave Alien for last."), Question(items(*TITLES))
    )
    assert (answer.outcome, answer.repairs.get("in_sentences")) == (Outcome.REPAIRED, 1)
    assert [TITLES[int(one[1:]) - 1] for one in answer.ranked] == [TITLES[0], TITLES[1], TITLES[2]]


def test_a_list_is_read_as_a_list() -> None:
    answer = answer_format("titles").read(
        Response("I'd start with Heat, then Fargo.\n\n1. Fargo\n2. Heat"), Question(items(*TITLES))
    )
    assert "in_sentences" not in answer.repairs
