from __future__ import annotations

from random import Random

from llmrank.rankers.bm25 import BM25, words
from llmrank.types import Case, Event, Item

from .oracle import OracleBackend, drive


def ranked(history: list[str], candidates: list[str]) -> dict[str, float]:
    events = tuple(Event(Item(f"h{at}", title)) for at, title in enumerate(history))
    one = Case("u", events, tuple(Item(title, title) for title in candidates))
    ranking, batches = drive(BM25(), one, OracleBackend())
    assert not batches
    assert sorted(ranking.order) == sorted(candidates) and ranking.scores is not None
    assert list(ranking.scores) == sorted(ranking.scores, reverse=True)
    return dict(zip(ranking.order, ranking.scores, strict=True))


def test_a_rare_shared_word_counts_for_more_than_a_common_one():
    scores = ranked(["The Star Wars Trilogy", "The Wall"], ["Star Trek", "The Sting", "The Birds", "The Fog", "Alien"])
    assert next(iter(scores)) == "Star Trek"
    assert scores["The Sting"] > scores["Alien"] == 0


def test_a_word_counts_as_often_as_the_history_has_it():
    once, twice = (ranked(["Toy Story"] * times, ["Toy Story 2", "Heat"])["Toy Story 2"] for times in (1, 2))
    assert twice == 2 * once > 0


def test_what_shares_no_word_is_tied_at_nothing():
    for history in ([], ["Solaris"], ["!!!"]):
        assert set(ranked(history, ["Heat", "M", "…"]).values()) == {0.0}
    assert ranked(["Solaris"], []) == {}


def test_words_of_any_script_and_length():
    assert words("M (1931): Eine Stadt—sucht Ä") == ["m", "1931", "eine", "stadt", "sucht", "ä"]
    assert words("千と千尋の神隠し") == ["千と千尋の神隠し"]


def test_the_order_of_the_history_changes_nothing() -> None:
    """Float32 sums in the order of the history told equal candidates apart, in half of these Cases."""
    vocabulary = [f"word{number}" for number in range(30)]
    for seed in range(20):
        draw = Random(seed)
        titles = [" ".join(draw.sample(vocabulary, 6)) for _ in range(40)]
        history = [" ".join(draw.sample(vocabulary, 6)) for _ in range(25)]
        orders = (history, history[::-1], draw.sample(history, len(history)))
        first, *others = (ranked(order, titles) for order in orders)
        assert all(list(other.items()) == list(first.items()) for other in others)
