from __future__ import annotations

import pytest

from llmrank.rankers import CaseCalls, with_candidates
from llmrank.rankers.calls import side_by_side
from llmrank.types import Message, Request, Response

from .oracle import case, prompt


def asks(*sizes: int, name: str):
    """Ask batches of these sizes; return the texts of the replies."""
    heard: list[str] = []
    for turn, size in enumerate(sizes):
        requests = [Request((Message("user", f"{name}{turn}{at}"),)) for at in range(size)]
        replies = yield requests
        assert len(replies) == size
        heard += [reply.text for reply in replies]
    return heard


def test_open_batches_are_one_and_each_generator_hears_its_own_replies():
    steps = side_by_side([asks(2, 1, name="a"), asks(name="b"), asks(1, name="c"), asks(1, 2, 1, name="d")])
    sizes = []
    try:
        batch = next(steps)
        while True:
            sizes.append(len(batch))
            batch = steps.send([Response(request.messages[0].content.upper()) for request in batch])
    except StopIteration as stop:
        results = stop.value
    assert sizes == [4, 3, 1]
    assert results == [["A00", "A01", "A10"], [], ["C00"], ["D00", "D10", "D11", "D20"]]


def test_nothing_side_by_side_is_nothing():
    for generators in ([], [asks(name="a")]):
        with pytest.raises(StopIteration) as ended:
            next(side_by_side(generators))
        assert ended.value.value == [[] for _ in generators]


class Counted(tuple):
    """Candidates that count how often the whole list is gone through."""

    passes = 0

    def __iter__(self):
        Counted.passes += 1
        return super().__iter__()


@pytest.mark.parametrize("views", [10, 20])
def test_views_of_a_long_list_do_not_go_through_it_each_time(views):
    whole = case(200, scores=True)
    object.__setattr__(whole, "candidates", Counted(whole.candidates))
    calls, Counted.passes = CaseCalls(prompt("rankgpt"), whole), 0
    shown = [calls.view(tuple.__getitem__(whole.candidates, slice(at, at + 5))) for at in range(views)]
    assert Counted.passes == 0
    assert shown[3] == with_candidates(whole, shown[3].candidates)
