"""Properties of every answer format."""

from __future__ import annotations

import json
import math
import random
import re
import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrank.answers import answer_format, answer_formats
from llmrank.answers.items.matching import title_index
from llmrank.answers.items.title import parse_title
from llmrank.errors import InputError
from llmrank.types import Answer, Item, Outcome, Question, Response
from tests.answers.asking import items, numbered
from tests.benchmarks.hostile_answers import SHARDS as SHARDS_OF_HOSTILE
from tests.benchmarks.hostile_answers import hostile, seconds

FORMATS = (
    *("titles", "permutation", "json", "choice", "yes_no", "rating", "expected_rating", "label_logprobs", "one_title"),
)
FILMS = items(
    "Toy Story (1995)",
    "Toy Story 2 (1999)",
    "Matrix, The (1999)",
    "Good, the Bad and the Ugly, The (Buono, il brutto, il cattivo, Il) (1966)",
    "Emma (1996)",
    "Emma (1996)",
    "300",
    "I",
)
QUESTIONS = (
    Question(FILMS),
    Question(FILMS, tuple("12345678"), top=3),
    Question(FILMS, tuple("ABCDEFGH")),
    Question(FILMS, tuple(f"B00{number}XY" for number in range(8))),
    Question(FILMS[:1], scale=(0.5, 5.0)),
    Question(),
    Question(
        tuple(replace(film, attributes={"genres": "Drama|War", "price": "9.99", "by": film.title}) for film in FILMS)
    ),
)

SHARDS = st.sampled_from(
    (
        *(
            "Toy Story",
            "Toy Story 2 (1999)",
            "The Matrix",
            "Emma",
            "300",
            "[1]",
            "[9]",
            "3",
            "0",
            "B",
            "I",
            " > ",
            ", ",
        ),
        *("\n", "1. ", "- ", '"', "'", "(", ")", "[", "]", "{", "}", ":", "**", "<think>", "</think>", "```json\n"),
        *("Rating: ", "4/5", "I'm sorry", "★", "½", "yes", "no", "(1995)", "(a.k.a. ", "|", "\x00", "\u0301", "ﷺ", "7"),
        *(".5", "-1", " or "),
    )
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(SHARDS, max_size=40).map("".join))
FINISH = st.sampled_from(("stop", "length", "refusal"))
LOGPROBS = st.none() | st.dictionaries(st.sampled_from((*"ABC12345", "Yes", " No", "x")), st.floats(), max_size=6)


def test_there_are_nine_formats_and_each_has_its_name() -> None:
    assert answer_formats()[:9] == tuple(answer_format(name).name for name in answer_formats()[:9])
    assert set(FORMATS) <= set(answer_formats())


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'titles'") as caught:
        answer_format("title")
    assert "permutation" in caught.value.hint


ANY_TEXT = {"text": TEXTS, "question": st.sampled_from(QUESTIONS), "finish": FINISH, "logs": LOGPROBS}


def check_any_text(name: str, text: str, question: Question, finish: str, logs: dict[str, float] | None) -> Answer:
    """Return the Answer for a text, after checking the properties that every Answer has."""
    answer = answer_format(name).read(Response(text, finish, label_logprobs=logs), question)
    ids = [item.item_id for item in question.items]
    assert len(set(answer.ranked)) == len(answer.ranked)
    assert set(answer.ranked) <= set(ids)
    assert all(count > 0 for count in answer.repairs.values())
    if answer.outcome is Outcome.UNPARSED:
        assert answer.reason
        assert answer == Answer(Outcome.UNPARSED, answer.reason, answer.repairs)
    else:
        assert not answer.reason
        assert answer.ranked or answer.value is not None
        assert (answer.outcome is Outcome.REPAIRED) == bool(answer.repairs)
    if answer.value is not None and name != "yes_no":
        assert question.scale[0] <= answer.value <= question.scale[1]
    if name == "titles":
        assert sum(answer.matches.values()) == len(answer.ranked)
    return answer


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=150, deadline=None)
@given(**ANY_TEXT)
def test_any_text_has_one_outcome_and_raises_nothing(
    name: str, text: str, question: Question, finish: str, logs: dict[str, float] | None
) -> None:
    check_any_text(name, text, question, finish, logs)


@pytest.mark.parametrize("text", ('**[":A', '**[":A\nthe matrix', '- "', "1. **\n2. **", "ß:a", "[x] " * 1200))
def test_unusual_characters_are_read_like_any_text(text: str) -> None:
    for question in QUESTIONS:
        for name in FORMATS:
            assert answer_format(name).read(Response(text), question).outcome in Outcome


SHORT = 8_000
RATIO = 3.2
"""A text of twice the length may take this many times as long; quadratic time would be four times."""


@pytest.mark.parametrize("name", ("titles", "permutation", "json", "choice", "rating", "yes_no", "one_title"))
@pytest.mark.parametrize("shard", SHARDS_OF_HOSTILE)
def test_twice_the_length_takes_twice_the_time(name: str, shard: str) -> None:
    check_time(name, shard, SHORT, QUESTIONS[1])


@pytest.mark.parametrize("name", ("titles", "permutation"))
@pytest.mark.parametrize(
    ("shard", "question"),
    (
        ("BADCE\n", QUESTIONS[2]),
        ("[3]>[1]>[2]>[5]>[4]\n", QUESTIONS[1]),
        ("\n".join(", ".join(film.title for film in FILMS[at:]) for at in (0, 1, 2)) + "\n", QUESTIONS[0]),
        ("From worst to best:\n[3]>[1]>[2]\n\n", QUESTIONS[1]),
    ),
)
def test_many_lists_of_the_same_items_take_twice_the_time_at_twice_the_length(
    name: str, shard: str, question: Question
) -> None:
    check_time(name, shard, 4 * SHORT, question)


@pytest.mark.parametrize("shard", ("> ", "[1] > ", "[1] = "))
def test_a_chain_of_twice_the_length_takes_twice_the_time(shard: str) -> None:
    """In one line: a pattern that looks for the end of the line from each sign takes as long as all others there."""
    check_time("permutation", shard, 12 * SHORT, QUESTIONS[1], head="1. ")


def check_time(name: str, shard: str, length: int, question: Question, head: str = "Sure") -> None:
    """Compare the best of several runs each, because single timings vary."""
    text, longer = hostile(shard, head, length), hostile(shard, head, 2 * length)
    floor = 0.002  # below this, the clock and the machine decide
    one = two = math.inf
    for _ in range(6):
        one, two = min(one, seconds(name, text, question)), min(two, seconds(name, longer, question))
        if two <= RATIO * max(one, floor):
            return
    pytest.fail(f"{one:.4f} s, then {two:.4f} s for twice the length")


def test_a_line_of_tabs_takes_no_time() -> None:
    assert seconds("titles", "D\n" + "\t" * 100_000, QUESTIONS[1]) < 4  # 15 s if every start is tried


NASTY = (
    'Crouching "Tiger", Hidden Dragon',
    "Good, the Bad and the Ugly, The (1966)",
    "Star Wars: Episode IV - A New Hope (1977)",
    "2001: A Space Odyssey",
    "12 Angry Men (1957)",
    "300",
    "8 1/2 (8½) (1963)",
    "Sex, Lies, and Videotape (1989)",
    "M*A*S*H (a.k.a. MASH) (1970)",
    "Who's Afraid of Virginia Woolf?",
    "…And Justice for All",
    "Dr. Strangelove or: How I Learned to Stop Worrying (1963)",
    "50/50",
    "A.I.",
    "Yes Man",
    "I, Robot",
    "Top Gun",
    "(500) Days of Summer",
    "Halo 3 - Xbox 360",
    "七人の侍",
    "Амели",
    "WALL·E",
    "Beauty and the Beast (1991)",
    "Beauty and the Beast (2017)",
    "#Horror",
    "[REC]",
    "Thing, The",
    "Opi Nail Lacquer, Not So Bora Pink, 0.5 Fluid Ounce (Pack of 2)",
    "Birds & Bees; or: Love | Life",
    "Here Are the Top 10 Lists: A Ranking",
)
NAMES = ("Love", "Star", "Wars", "Part", "Night", "élan", "Ж", "侍")
WORDS = st.sampled_from(
    ("The", "A", "of", "2", "IV", "&", "-", ":", ",", "'", '"', "(", ")", "!", "?", "7", "/", ".", "*", *NAMES)
)
TITLES = (
    st.tuples(WORDS.filter(str.isalnum), st.lists(WORDS, min_size=1, max_size=6))
    .map(lambda words: " ".join((words[0], *words[1])))
    .filter(lambda title: not {*NAMES}.isdisjoint(title.split()))  # `The The` and `2 - The` may be one title
)
SHOWN = st.lists(st.sampled_from(NASTY) | TITLES, min_size=1, max_size=12, unique_by=lambda one: parse_title(one).name)


@settings(max_examples=200, deadline=None)
@given(SHOWN, st.randoms(use_true_random=False), st.sampled_from(("lines", "numbers", "json", "bold")))
def test_titles_as_rendered_are_read_back(titles: list[str], shuffle: random.Random, dressing: str) -> None:
    shown = Question(tuple(Item(f"x{at}", title) for at, title in enumerate(titles)))
    order = list(shown.items)
    shuffle.shuffle(order)
    text = {
        "lines": "\n".join(item.title for item in order),
        "numbers": "\n".join(f"{at}. {item.title}" for at, item in enumerate(order, 1)),
        "json": json.dumps({"ranking": [item.title for item in order]}),
        "bold": "\n".join(f"- **{item.title}**" for item in order),
    }[dressing]
    answer = answer_format("json" if dressing == "json" else "titles").read(Response(text), shown)
    assert answer.ranked == tuple(item.item_id for item in order), text
    assert answer.outcome is Outcome.OK


@pytest.mark.parametrize(
    "titles", [("Love :", "Star *"), ("Star *", "Love :"), ("Love ? . *",), ("Love ? . *", "Star")]
)
def test_an_asterisk_that_ends_a_title_is_no_rating(titles: tuple[str, ...]) -> None:
    shown = Question(tuple(Item(title, title) for title in titles))
    answer = answer_format("titles").read(Response("\n".join(titles)), shown)
    assert (answer.ranked, answer.outcome) == (titles, Outcome.OK)


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(len(NASTY))))
def test_nasty_titles_in_quotes_are_read_back(order: list[int]) -> None:
    shown = Question(tuple(Item(f"x{at}", title) for at, title in enumerate(NASTY)))
    text = ", ".join(f'"{NASTY[at]}"' for at in order)
    assert answer_format("titles").read(Response(text), shown).ranked == tuple(f"x{at}" for at in order)


SCHEMES = {
    "numbers": [str(number) for number in range(1, 27)],
    "letters": list(string.ascii_uppercase),
    "item_id": [f"B00{number:03}XYZ" for number in range(26)],
    "words": [
        *("apple", "brick", "cloud", "delta", "ember", "flint", "grape", "heron", "ivory", "jewel", "kiosk", "lemon"),
        *("mango", "north", "olive", "pearl", "quilt", "river", "stone", "tiger", "umber", "velvet", "wheat", "xenon"),
        *("yacht", "zebra"),
    ],
}


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_orders_of_labels_are_read_back(scheme: str, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 26))
    labels = tuple(SCHEMES[scheme][:count])
    order = data.draw(st.permutations(range(count)))
    names = [labels[at] for at in order]
    dressing = data.draw(st.sampled_from((" > ", ", ", "\n", "[", "json", "list", "structured")))
    text = {
        "[": " > ".join(f"[{name}]" for name in names),
        "structured": " > ".join(f"[{name}]" for name in names),
        "json": json.dumps({"ranking": names}),
        "list": "\n".join(f"{at}. {name}" for at, name in enumerate(names, 1)),
    }.get(dressing) or dressing.join(names)
    question = Question(numbered(count).items, labels)
    answer = answer_format("json" if dressing == "json" else "permutation").read(Response(text), question)
    assert answer.ranked == tuple(f"i{at + 1}" for at in order), text
    assert answer.outcome is Outcome.OK
    if dressing == "structured":
        constraint = answer_format("permutation").structured(question)
        assert constraint is not None
        assert re.fullmatch(constraint.spec, text)


@given(st.integers(2, 10), st.sampled_from(("0.5", "1")))
def test_ratings_of_the_scale_are_read_back(high: int, low: str) -> None:
    question = Question(scale=(float(low), float(high)))
    choices = answer_format("rating").structured(question)
    assert choices is not None
    for label in choices.spec.splitlines():
        assert answer_format("rating").read(Response(label), question).value == float(label)


def test_choices_are_read_back() -> None:
    for labels in SCHEMES.values():
        question = Question(numbered(26).items, tuple(labels))
        choices = answer_format("choice").structured(question)
        assert choices is not None
        chosen = [answer_format("choice").read(Response(label), question).ranked for label in choices.spec.splitlines()]
        assert chosen == [(f"i{number}",) for number in range(1, 27)]


def test_the_json_schema_describes_what_was_asked_for() -> None:
    structured = answer_format("json").structured(Question(FILMS[:3], top=2))
    assert structured is not None
    ranking = json.loads(structured.spec)["properties"]["ranking"]
    assert (ranking["items"]["enum"], ranking["maxItems"]) == ([item.title for item in FILMS[:3]], 2)


def test_reading_does_not_depend_on_earlier_answers() -> None:
    response, question = Response("1. Emma (1996)\n2. Toy Story"), QUESTIONS[0]
    before = answer_format("titles").read(response, question)
    title_index(FILMS[:2])
    answer_format("titles").read(Response("Emma"), Question(FILMS[:5]))
    assert answer_format("titles").read(response, question) == before
