from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmrank.engine.driver import distinct_share
from llmrank.types import Message, Request


def asked(*texts: str) -> list[Request]:
    return [Request((Message("system", "s"), Message("user", text))) for text in texts]


@given(st.integers(1, 30), st.integers(0, 200), st.integers(1, 40))
def test_it_is_the_bound_of_prompts_with_one_common_prefix(prompts: int, prefix: int, suffix: int) -> None:
    # The system message and the break after it belong to the prefix; each suffix begins with a character of its own.
    texts = ["p" * prefix + chr(0x4E00 + number) * suffix for number in range(prompts)]
    shared = prefix + 2
    expected = (shared + prompts * suffix) / (prompts * (shared + suffix))
    assert abs(distinct_share(asked(*texts)) - expected) < 1e-12


@given(st.lists(st.text(max_size=6), min_size=1, max_size=12), st.randoms())
def test_it_is_the_size_of_the_trie_whatever_the_order(texts: list[str], random) -> None:
    whole = ["s\0" + text for text in texts]
    trie = {text[:end] for text in whole for end in range(1, len(text) + 1)}
    random.shuffle(texts)
    assert distinct_share(asked(*texts)) == len(trie) / sum(map(len, whole))


def test_nothing_asked_saves_nothing() -> None:
    assert distinct_share([]) == 1.0
