"""What an answer format from another package may and may not do."""

from __future__ import annotations

import pytest

from llmrank.answers import answer_format
from llmrank.errors import InputError
from llmrank.types import AnswerFormat, Outcome, Response
from tests.answers.asking import numbered
from tests.plugins import install

HEAD = "from llmrank.answers import TextFormat, answered\nfrom llmrank.types import Answer, Outcome\n"


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """Return a function that installs a format, its `read` as given, and loads it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def load(read: str, base: str = "TextFormat") -> AnswerFormat:
        package = f"formats_{tmp_path.name}"
        body = (
            f"{HEAD}class Made{f'({base})' if base else ''}:\n    def read(self, response, question):\n        {read}\n"
        )
        install(tmp_path, package, body, f"answers:outside={package}:Made")
        return answer_format("outside")

    return load


def test_it_has_the_name_of_its_entry_point_and_reads(outside):
    form = outside("return answered(response, {}, ranked=tuple(item.item_id for item in question.items))")
    question = numbered(2)
    assert form.name == "outside" and form.labels(question) == () and form.structured(question) is None
    answer = form.read(Response("whatever"), question)
    assert answer.outcome is Outcome.OK and answer.ranked == tuple(item.item_id for item in question.items)


@pytest.mark.parametrize(
    ("read", "says"),
    [
        ("return float(response.text)", ["ValueError", "line 5", "raised on the answer 'no number'", "unparsed"]),
        ("return None", ["made no Answer of the answer 'no number', but None"]),
        ("return answered(response, {}, ranked=('nowhere',))", ["ranks 'nowhere', which was not shown"]),
        ("return answered(response, {}, ranked=(question.items[0].item_id,) * 2)", ["ranks an item twice"]),
        ("return answered(response, {}, value=float('nan'))", ["gives the value nan"]),
    ],
)
def test_a_broken_reading_is_an_error_that_names_the_package(outside, read, says):
    form = outside(read)
    with pytest.raises(InputError) as caught:
        form.read(Response("no number"), numbered(2))
    for part in [*says, "the answer format 'outside' of formats_"]:
        assert part in str(caught.value)


def test_an_invalid_format_is_refused_with_a_hint(outside):
    with pytest.raises(InputError, match="has no `labels` and no `structured`") as caught:
        outside("return None", base="object")
    assert "llmrank.answers.TextFormat" in caught.value.hint
