"""Rankings in further words and notations, each class with near misses that stay unread."""

from __future__ import annotations

import pytest

from llmrank.types import Question
from tests.answers.asking import items, places, read

TITLES = ("Heat (1995)", "Fargo (1996)", "Alien (1979)", "Casino (1995)", "Gattaca (1997)")
FILMS = items(*TITLES)
IDENTIFIERS = {"titles": (), "numbers": tuple("12345"), "letters": tuple("ABCDE"), "json": ()}


def order(way: str, text: str) -> str:
    """Return the places of the ranked items, or the reason why nothing is read. `way`: how the items are named."""
    name = {"titles": "titles", "json": "json"}.get(way, "permutation")
    answer = read(name, text, Question(FILMS, IDENTIFIERS[way]))
    return "".join(map(str, places(answer))) or answer.reason


BULLETS = "\n\n- Fargo\n- Casino\n- Heat\n- Gattaca\n- Alien"


@pytest.mark.parametrize(
    "words",
    [
        "Starting with the one I would recommend least and working my way up:",
        "I'll start with the film I'd recommend the least and work up to my favourite:",
        "Starting at the bottom and working my way up:",
        "I begin with what suits you least and end with what suits you most:",
        "Kicking off with the weakest candidate, finishing with the strongest:",
        "Opening with the one they would enjoy least:",
        "Building up to the best one:",
        "Leaving the best until the end:",
        "The first one is the one I'd recommend least:",
        "My favourite is the last one in the list:",
        "From last place to first place:",
        "From fifth place up to first place:",
        "It gets better as you go down:",
        "Each one is better than the one before:",
        "Ending with my top recommendation:",
        "The strongest pick closes the list:",
        "Je commence par celui que je recommanderais le moins :",
        "Empiezo por la que menos recomendaría:",
        "Comincio da quello che consiglierei di meno:",
        "Начну с того, что рекомендовал бы меньше всего:",
        "最後が一番おすすめです:",
        "最后一个是最推荐的：",
    ],
)
def test_words_that_put_the_worst_first_reverse_a_list(words: str) -> None:
    assert order("titles", words + BULLETS) == "35142"
    assert order("numbers", f"{words}\n2 > 4 > 1 > 5 > 3") == "35142"


@pytest.mark.parametrize(
    "words",
    [
        "Starting with the one I would recommend most and working my way down:",
        "Starting with my favourite and working down to the one I'd recommend least:",
        "Starting with the best and ending with the least suitable:",
        "Starting with a least-known gem, here is my ranking:",
        "Saving the worst for last:",
        "Beginning with what suits you best:",
        "My favourite is the last film I saw, so:",
        "They get better with age; here is my ranking:",
    ],
)
def test_words_that_put_the_best_first_do_not(words: str) -> None:
    assert order("titles", words + BULLETS) == "24153"


def test_advice_after_a_list_does_not_reverse_it() -> None:
    for advice in ("Start with the one you know least about!", "You may begin with the least violent of them."):
        assert order("titles", f"{BULLETS}\n\n{advice}") in ("24153", "ambiguous")
