import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from llmrank.answers import answer_format
from llmrank.errors import InputError
from llmrank.prompting import View, check, find_labels, load_template, parse_thinking
from llmrank.prompting.identifiers import label_pool
from llmrank.types import Thinking

from .cases import FRONT, listed, template


def token(text: str) -> int | None:
    """A tokenizer in which no text with a Q in it, and no two-letter code from M on, is one token."""
    return None if "Q" in text or (len(text) == 2 and text > "M") else hash(text)


def labels(token: Callable[[str], int | None] = token) -> tuple[str, ...]:
    async def tokens(texts: Sequence[str]) -> Mapping[str, int]:
        return {text: number for text in texts if (number := token(text)) is not None}

    return asyncio.run(find_labels(tokens))


def test_labels_are_single_tokens_of_the_model_letters_first():
    found = labels()
    assert len(set(found)) == len(found) == 128
    assert found[:16] == tuple("ABCDEFGHIJKLMNOP") and found[16:27] == (*"RSTUVWXYZ", "AA", "AB")
    assert all(token(label) is not None for label in found)
    assert labels(token=lambda text: 7) == ("A",)
    assert len(set(label_pool())) > 3000


def test_an_endpoint_is_asked_for_no_more_than_is_needed():
    asked: list[int] = []

    async def tokens(texts: Sequence[str]) -> Mapping[str, int]:
        asked.append(len(texts))
        return {text: number for text in texts if (number := token(text)) is not None}

    async def nothing(texts: Sequence[str]) -> None:
        return None

    assert asyncio.run(find_labels(tokens)) == labels()
    assert sum(asked) <= 512
    assert asyncio.run(find_labels(nothing)) == ()


def test_the_labels_are_what_a_first_token_prompt_shows():
    made, view = load_template("llamarec"), View(labels=labels())
    case = listed(candidates=50)
    assert made.question(case, view).identifiers == view.labels[:50]
    assert made.question(case, View(labels=view.labels, ids="numbers")).identifiers[-1] == "50"
    assert load_template("palr").question(case, View(labels=view.labels, ids="letters")).identifiers[26] == "AA"
    with pytest.raises(InputError, match="sliding_window"):
        made.question(listed(candidates=129), view)


def test_the_answer_format_follows_the_identifiers():
    palr = load_template("palr")
    assert (palr.answer_for(), palr.answer_for("numbers")) == ("titles", "permutation")
    assert check(palr, answer_format) == []
    one = template(palr.text.split("---\n", 2)[2], palr.text.split("---\n", 2)[1].replace("name: palr", "name: mine"))
    # An obedient answer names the numbers that it was shown, and `titles` reads those too; and titles remain titles
    # though words in them stand for items.
    for ids in ("numbers", "words"):
        assert check(one.override(answer="titles"), answer_format, View(ids=ids)) == []
    # What the prompt asks for is no JSON.
    [problem] = check(one.override(answer="json"), answer_format, View(ids="numbers"))
    assert problem.field == "answer" and "does not read in full" in str(problem)


def test_a_wrong_option_is_blamed_and_not_the_template():
    [problem, *_] = check(load_template("palr").override(ranker="listwse"))
    assert str(problem).startswith("field 'ranker': unknown ranker 'listwse'; did you mean 'listwise'?")


@pytest.mark.parametrize(
    ("text", "thinking"),
    [("off", Thinking()), ("on", Thinking(True)), ("{budget: 1024}", Thinking(True, 1024))],
)
def test_thinking_in_the_front_matter(text: str, thinking: Thinking):
    assert template("x", FRONT + f"thinking: {text}\n").front.thinking == thinking
    assert template("x", FRONT).front.thinking == Thinking()


def test_thinking_as_an_option():
    assert (parse_thinking("off"), parse_thinking("1024")) == (Thinking(), Thinking(True, 1024))
    for wrong in ("maybe", "0"):
        with pytest.raises(InputError, match="field 'thinking': expected off, on"):
            parse_thinking(wrong)
