from __future__ import annotations

from dataclasses import dataclass

import pytest

from llmrank.errors import InputError
from llmrank.rankers.sliding_window import SlidingWindow
from llmrank.types import Outcome, Response

from .oracle import OracleBackend, case, drive, prompt

PROMPT = prompt("rankgpt")


@pytest.mark.parametrize(
    ("n", "starts"),
    [
        (0, []),
        (1, []),
        (2, [0]),
        (5, [0]),
        (9, [0]),
        (10, [0]),
        (11, [0]),
        (19, [0]),
        (20, [0]),
        (21, [1, 0]),
        (25, [5, 0]),
        (30, [10, 0]),
        (31, [11, 1, 0]),
        (100, [80, 70, 60, 50, 40, 30, 20, 10, 0]),
    ],
)
def test_every_list_is_ranked_and_the_last_window_reaches_the_top(n, starts):
    ranker = SlidingWindow(PROMPT)
    assert ranker.windows(n) == starts
    ranking, batches = drive(ranker, case(n), OracleBackend())
    assert len(batches) == len(starts) and len(ranking.order) == n
    shown = [batch[0].messages[-1].content.count('"Film ') for batch in batches]
    assert shown == [min(n, 20)] * len(starts)


@pytest.mark.parametrize(("window", "step"), [(20, 0), (20, 20), (20, 21), (20, -1), (1, 1)])
def test_a_step_that_carries_nothing_is_refused(window, step):
    with pytest.raises(InputError, match=r"field '(step|window)'"):
        SlidingWindow(PROMPT, window, step)


def test_what_a_window_leaves_out_stays_behind_and_what_none_names_is_tied_last():
    @dataclass(frozen=True)
    class NamesThree(OracleBackend):
        def words(self, text, request, best_first, labels):
            return " > ".join(f"[{labels[title]}]" for title in best_first[:3])

    ranking, _ = drive(SlidingWindow(PROMPT, 6, 3), case(12), NamesThree())
    assert ranking.order[:3] == ("i000", "i001", "i002")
    assert ranking.named is not None and 3 <= ranking.named <= 9
    assert ranking.outcome is Outcome.REPAIRED and ranking.repairs == {"missing": 9}


def test_recall_scores_go_with_their_items():
    one = case(25, scores=True)
    _, batches = drive(SlidingWindow(prompt("rankgpt", show_scores=True), 6, 3), one, OracleBackend())
    score = {item.title: f"{value:.4g}" for item, value in zip(one.candidates, one.recall_scores or (), strict=True)}
    for title, shown in score.items():
        lines = [
            line for batch in batches for line in batch[0].messages[-1].content.splitlines() if f'"{title}"' in line
        ]
        assert lines and all(line.endswith(f"(score {shown})") for line in lines)


def test_a_lost_window_does_not_lose_the_case():
    one = case(25)
    last = one.candidates[-1]

    @dataclass(frozen=True)
    class Forgets(OracleBackend):
        def reply(self, request):
            return Response("") if last.title in request.messages[-1].content else super().reply(request)

    ranking, _ = drive(SlidingWindow(PROMPT), one, Forgets())
    assert ranking.outcome is Outcome.REPAIRED and ranking.repairs == {"unread": 1}
    assert ranking.named == 20 and last.item_id in ranking.order[20:], "it was only in the window that was lost"
    assert list(ranking.order[:20]) == sorted(item.item_id for item in one.candidates[:20])
