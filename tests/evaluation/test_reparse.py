"""Reading again asks exactly what was asked, also where the history had been cut to fit the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from llmrank.run.reparse import Answers, NotAnsweredError, with_fitted_history

from llmrank.prompting import View
from llmrank.run import CaseRecord
from llmrank.types import Event, Item, Message, Ranking, Request, Response, Usage
from tests.rankers import oracle


def count(messages: Sequence[Message]) -> int:
    return sum(len(message.content.split()) for message in messages)


@pytest.mark.parametrize("history", [None, 0, 7, 30])
@pytest.mark.parametrize("order", ["oldest-first", "newest-first", "shuffled"])
@pytest.mark.parametrize("room", [150, 170, 200, 10_000])
def test_a_history_that_was_cut_is_cut_alike(history: int | None, order: str, room: int) -> None:
    events = tuple(Event(Item(f"h{number}", f"Seen before {number}")) for number in range(40))
    case = replace(oracle.case(10), history=events)
    roomy = replace(oracle.prompt("rankgpt"), view=View(history=history, history_order=order))  # type: ignore[arg-type]
    tight = replace(roomy, count_tokens=count, context_length=room + roomy.sampling.max_tokens)
    asked = tight.ask(case)
    shown = roomy.template.front.history if history is None else history
    assert roomy.ask(with_fitted_history(case, shown, asked.history_dropped)).request == asked.request
    if room == 150 and history in (None, 30):
        assert asked.history_dropped > 0


def test_without_the_store_texts_serve_and_log_probabilities_do_not() -> None:
    request = Request((Message("user", "rank"),))
    record = CaseRecord(
        *("u", "u", ("1", "2"), Ranking(("1", "2")), {}),
        requests=("k",),
        responses=("[2] > [1]",),
        usage=Usage(),
        finish_reasons=("length",),
    )
    answers = Answers(record, lambda request: "k", lambda key: None)
    assert answers(request).reply == Response("[2] > [1]", "length")
    with pytest.raises(NotAnsweredError, match="no log-probabilities"):
        answers(replace(request, labels=("A", "B")))
    with pytest.raises(NotAnsweredError, match="other requests"):
        replace(answers, key_of=lambda request: "other")(request)
    stored = Response("", label_logprobs={"A": -0.1})
    assert replace(answers, stored=lambda key: stored)(replace(request, labels=("A",))).reply == stored
