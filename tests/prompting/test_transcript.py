from hypothesis import given
from hypothesis import strategies as st

from llmrank.prompting import difference, shared_prefix, transcript
from llmrank.types import Message


def user(text: str) -> list[Message]:
    return [Message("user", text)]


@given(st.text(), st.text(), st.text())
def test_the_shared_prefix_is_the_longest(start: str, one: str, other: str):
    shared = shared_prefix(user(start + one), user(start + other))
    texts = [transcript(user(start + end)) for end in (one, other)]
    assert all(text.startswith(shared) for text in texts) and len(shared) >= len("[user]\n" + start)
    assert len(shared) == min(map(len, texts)) or len({text[len(shared)] for text in texts}) == 2


def test_only_what_changed_is_in_the_difference():
    assert list(difference(user("a"), user("a"), ("old", "new"))) == []
    assert list(difference(user("a\nb"), user("a\nc"), ("old", "new")))[-2:] == ["-b", "+c"]
