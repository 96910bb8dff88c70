"""Each stage of reading by itself, using the examples in the code's tables."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

import pytest
from hypothesis import given
from hypothesis import strategies as st

import llmrank.answers
from llmrank.answers.items.matching import TitleIndex
from llmrank.answers.rankings.entry_forms import ENTRY_FORMS, EntryForm
from llmrank.answers.rankings.ranks import by_number, counts
from llmrank.answers.text.blocks import split
from llmrank.answers.text.envelope import without_reasoning
from llmrank.answers.text.lines import NOTATIONS, Notation, marker
from llmrank.answers.text.normalise import SIGNS, Caseless, caseless, normalise
from llmrank.answers.text.phrases import BEST_FIRST, DIRECTIONS, PHRASES, Direction, Phrase, meaning, says_worst_first
from tests.answers.asking import items, numbered, read
from tests.answers.notations import PAGE, page

FILMS = TitleIndex(items("Alien (1979)", "Heat (1995)", "Fargo (1996)"))


def test_the_page_has_the_tables_of_the_code() -> None:
    assert PAGE.read_text("utf-8") == page()


@pytest.mark.parametrize(("name", "text", "plain"), SIGNS)
def test_signs_are_normalised_to_one_form(name: str, text: str, plain: str) -> None:
    assert "".join(normalise(text).split()) == "".join(plain.split())


@pytest.mark.parametrize("notation", NOTATIONS, ids=lambda one: one.name)
def test_list_markers_are_recognised(notation: Notation) -> None:
    text = normalise(notation.example)
    kind, _, end = marker(text)
    assert (kind, text[end:]) == (notation.kind, "Heat")


@pytest.mark.parametrize("form", ENTRY_FORMS, ids=lambda one: one.name)
def test_an_entry_form_names_its_films(form: EntryForm) -> None:
    found = form.read(form.example, FILMS)
    assert found is not None
    matches = [match.positions for mention in found if (match := mention.match)]
    assert matches == [(at,) for at, film in enumerate(("Alien", "Heat", "Fargo")) if film in form.example]


@pytest.mark.parametrize(("phrase", "text"), [(phrase, text) for phrase in PHRASES for text in phrase.examples])
def test_words_give_the_meaning_of_a_list(phrase: Phrase, text: str) -> None:
    assert meaning(text) == phrase.meaning


@pytest.mark.parametrize("direction", DIRECTIONS, ids=lambda one: one.language)
def test_each_language_says_that_the_worst_comes_first(direction: Direction) -> None:
    said = f"{direction.example}:\n"
    assert says_worst_first(said)
    assert read("permutation", f"{said}3, 1, 2", numbered(3)).ranked == ("i2", "i1", "i3")
    assert BEST_FIRST.search(said) is None


@pytest.mark.parametrize(
    "text",
    (
        *(
            "Från bäst till sämst",
            "Od najlepszego do najgorszego",
            "En iyiden en kötüye",
            "De cel mai bun la cel mai slab",
        ),
        *("A legjobbtól a legrosszabbig", "Dari yang terbaik hingga yang terburuk", "من الأفضل إلى الأسوأ"),
    ),
)
def test_and_that_the_best_comes_first(text: str) -> None:
    assert not says_worst_first(text)
    assert BEST_FIRST.search(text)


def test_blocks_are_distinguished() -> None:
    text = 'Sure.\n1. Heat\n   - crime\n2. Fargo\n\n| Rank | Film |\n|--|--|\n| 1 | Alien |\n\nSo {"ranking": [1, 2]}.'
    assert [block.kind for block in split(text)] == ["text", "list", "table", "text", "json", "text"]


def test_numbers_are_ranks_if_they_count_and_scores_otherwise() -> None:
    assert by_number(("2", "3", "1"), "") == [2, 0, 1]
    assert by_number(("0.2", "0.9", "0.4"), "") == [1, 2, 0]
    assert by_number(("2", "3", "1"), "score") == [1, 0, 2]
    assert by_number(("1", "1"), "rank") is None
    assert by_number(("1", "x"), "rank") is None
    assert by_number(("2", "3", "1"), "item") == [1, 0, 2], "a column that is called no rank orders by size"
    assert counts(("1", "2", "3"))
    assert not counts(("2", "1"))


@pytest.mark.parametrize("text", ["from worst to best", "least to most relevant", "du pire au meilleur", "升序"])
def test_a_text_says_that_the_worst_comes_first(text: str) -> None:
    assert says_worst_first(text)
    assert not says_worst_first("from best to worst")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>a</think>b", "b"),
        ("a</think>b", "b"),
        ("<think>a", None),
        ("[THINK]a[/THINK]b", "b"),
        ("<answer></answer><answer>b</answer>", "b"),
        ("<|channel|>final<|message|>b", "b"),
        ("<|channel|>analysis<|message|>a", None),
        ("analysisWe rank a.assistantfinalb", "b"),
        ("analysis of a", "analysis of a"),
        ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>", "b"),
        ("<|START_THINKING|>a", None),
        ("<|channel>thought\na<channel|>b", "b"),
        ("<|channel>thought\n<channel|>b", "b"),
        ("<|channel>thought\na", None),
        ("<s>[INST] Rank these. [/INST] b", " b"),
        ("b\n[INST] And these? [/INST] c", "b"),
    ],
)
def test_reasoning_is_dropped(text: str, answer: str | None) -> None:
    assert without_reasoning(text) == answer


def test_a_caseless_pattern_is_compiled_when_it_is_used() -> None:
    """Compiling all of them takes a third of a second."""
    code = (
        "import gc, llmrank.answers.formats.ranking\n"
        "from llmrank.answers.text.normalise import Caseless\n"
        "print(sum('_compiled' in vars(one) for one in gc.get_objects() if isinstance(one, Caseless)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) == 0


def test_all_caseless_patterns_can_be_compiled() -> None:
    """A mistake in one would otherwise be found by the first answer that needs it."""
    for room in iter_modules(llmrank.answers.__path__, "llmrank.answers."):
        if room.ispkg:
            for module in iter_modules(import_module(room.name).__path__, f"{room.name}."):
                import_module(module.name)
    patterns = [one for one in gc.get_objects() if isinstance(one, Caseless)]
    assert len(patterns) > 100
    for one in patterns:
        one.search("")


@given(st.text("aAbB, \n"), st.integers(0, 9), st.integers(0, 9))
def test_a_caseless_pattern_finds_what_a_compiled_one_finds(text: str, start: int, end: int) -> None:
    lazy, compiled = caseless("ab", r"b+,"), re.compile(r"ab|b+,", re.IGNORECASE)
    assert lazy.findall(text) == compiled.findall(text)
    assert lazy.split(text, 1) == compiled.split(text, 1)
    assert lazy.sub("x", text, 1) == compiled.sub("x", text, 1)
    for one, other in (
        (lazy.search, compiled.search),
        (lazy.match, compiled.match),
        (lazy.fullmatch, compiled.fullmatch),
    ):
        assert str(one(text, start, end)) == str(other(text, start, end))
    assert [*map(str, lazy.finditer(text, start))] == [*map(str, compiled.finditer(text, start))]
