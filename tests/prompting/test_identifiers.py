import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank.errors import InputError
from llmrank.prompting.identifiers import IDS, WORDS, identifiers
from llmrank.types import Item


def items(count: int) -> list[Item]:
    return [Item(f"id{n}", "same title") for n in range(count)]


@given(st.sampled_from(IDS), st.integers(0, len(WORDS)))
def test_every_item_has_one_label_of_its_own(scheme: str, count: int):
    made = identifiers(scheme, items(count))
    assert len(set(made)) == len(made) == (0 if scheme == "titles" else count)


def test_the_schemes():
    assert identifiers("numbers", items(3)) == ("1", "2", "3")
    assert identifiers("letters", items(28))[24:] == ("Y", "Z", "AA", "AB")
    assert identifiers("letters", items(703))[-1] == "AAA"
    assert identifiers("item_id", items(2)) == ("id0", "id1")
    assert identifiers("words", items(2)) == ("apple", "river")


def test_words_are_distinct_and_say_when_there_are_too_few():
    assert len(set(WORDS)) == len(WORDS) == 128
    with pytest.raises(InputError, match="ids='numbers'"):
        identifiers("words", items(len(WORDS) + 1))
