"""Every method against the oracle: the true order, the calls it said, and one Outcome whatever comes back."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmrank.rankers.acurank import AcuRank
from llmrank.rankers.baselines import Popularity
from llmrank.rankers.cascade import Cascade
from llmrank.rankers.first_token import FirstToken
from llmrank.rankers.listwise import Listwise
from llmrank.rankers.pairwise import Pairwise
from llmrank.rankers.pointwise import Pointwise
from llmrank.rankers.ranking import tie_groups
from llmrank.rankers.repeated import Repeated
from llmrank.rankers.setwise import Setwise
from llmrank.rankers.sliding_window import SlidingWindow
from llmrank.rankers.tournament import Tournament
from llmrank.types import Failure, Outcome, Ranker, Request, Response

from .oracle import UNREADABLE, OracleBackend, case, drive, prompt, truth

LENGTHS = (0, 1, 2, 5, 9, 10, 11, 19, 20, 21, 25, 30, 50, 100)
RANKGPT, SETWISE, PAIRWISE, TOURRANK = map(prompt, ("rankgpt", "setwise", "pairwise", "tourrank"))
LETTERS, YES_NO, RATING = map(prompt, ("first-token", "pointwise-yes-no", "pointwise-rating"))
RELEVANCE, PREFER = map(prompt, ("recranker-pointwise", "recranker-pairwise"))
POPULAR = Popularity({f"i{place:03}": 1000 - place for place in range(200)})

ALL = 1000
RANKERS: dict[str, tuple[Ranker, int]] = {
    # name: the ranker, and how many of the head are in the true order when the answers are true
    "listwise": (Listwise(RANKGPT), ALL),
    "sliding_window": (SlidingWindow(RANKGPT), 10),
    "sliding_window 4/1": (SlidingWindow(RANKGPT, 4, 1), 3),
    "sliding_window logprobs": (SlidingWindow(LETTERS, 10, 3), 7),
    "first_token": (FirstToken(LETTERS), ALL),
    "first_token llamarec": (FirstToken(prompt("llamarec", ids="words")), ALL),
    "pointwise yes_no": (Pointwise(YES_NO), ALL),
    "pointwise rating": (Pointwise(RATING), ALL),
    "pointwise on its own scale": (Pointwise(RELEVANCE), ALL),
    "pairwise all": (Pairwise(PAIRWISE), ALL),
    "pairwise all logprobs": (Pairwise(prompt("pairwise", "label_logprobs")), ALL),
    "pairwise all yes_no": (Pairwise(PREFER), ALL),
    "pairwise heap yes_no": (Pairwise(PREFER, "heap"), 10),
    "pairwise heap": (Pairwise(PAIRWISE, "heap"), 10),
    "pairwise heap all": (Pairwise(PAIRWISE, "heap", ALL), ALL),
    "pairwise bubble": (Pairwise(PAIRWISE, "bubble", 3), 3),
    "setwise heap": (Setwise(SETWISE), 10),
    "setwise heap 3": (Setwise(SETWISE, "heap", 3, ALL), ALL),
    "setwise heap logprobs": (Setwise(prompt("setwise", "label_logprobs"), "heap", 8), 10),
    "setwise bubble": (Setwise(SETWISE, "bubble"), 10),
    "setwise bubble 2": (Setwise(SETWISE, "bubble", 2, 4), 4),
    "tournament": (Tournament(TOURRANK), 1),
    "tournament 5": (Tournament(TOURRANK, 5, 3), 1),
    "acurank": (AcuRank(RANKGPT), 1),
    "acurank logprobs": (AcuRank(LETTERS, 100), 10),
    "repeated borda": (Repeated(Listwise(RANKGPT)), ALL),
    "repeated reciprocal_rank": (Repeated(FirstToken(LETTERS), 2, "reciprocal_rank"), ALL),
    "repeated kemeny": (Repeated(SlidingWindow(RANKGPT), 3, "kemeny"), 10),
    "cascade": (Cascade(POPULAR, Setwise(SETWISE, sort_top=ALL), 12), ALL),
    "cascade of two that ask": (Cascade(Pointwise(YES_NO), Listwise(RANKGPT)), ALL),
}
each_ranker = pytest.mark.parametrize("name", RANKERS)


@each_ranker
@pytest.mark.parametrize("n", LENGTHS)
def test_true_answers_give_the_true_order_at_the_calls_said(name, n):
    ranker, exact = RANKERS[name]
    if name in ("pairwise all logprobs", "pairwise all yes_no") and n > 30:
        n = 30  # as `pairwise all`, with other answers
    one = case(n, seed=n)
    needs = ranker.needs(n)
    ranking, batches = drive(ranker, one, OracleBackend())
    assert ranking.order[:exact] == truth(one)[:exact]
    assert sorted(ranking.order) == list(truth(one))
    assert ranking.outcome is Outcome.OK and not ranking.repairs
    calls = sum(map(len, batches))
    assert calls == needs.calls if needs.likely is None else calls <= needs.calls
    assert calls > 0 if n > 1 else needs.calls == 0
    labels = max((len(request.labels) for batch in batches for request in batch), default=0)
    # Yes and no are asked for, and can be read from the text where there are no log-probabilities.
    reads_text = "yes_no" in name or (name == "cascade of two that ask" and n > 20)
    assert needs.labels == (0 if reads_text else labels)
    assert labels == (2 if reads_text and n > 1 else needs.labels)


@each_ranker
@settings(max_examples=12, deadline=None)
@given(n=st.integers(2, 40), seed=st.integers(0, 10**6))
def test_the_order_in_which_candidates_come_is_forgotten(name, n, seed):
    ranker, exact = RANKERS[name]
    one = case(n, seed=seed)
    ranking, _ = drive(ranker, one, OracleBackend())
    assert ranking.order[:exact] == truth(one)[:exact]


@each_ranker
@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(0, 30),
    noise=st.sampled_from([0.0, 0.3, 1.0]),
    dressed=st.sampled_from([0.0, 0.5]),
    unreadable=st.sampled_from([0.0, 0.2, 1.0]),
    failures=st.sampled_from([0.0, 0.2, 1.0]),
    seed=st.integers(0, 100),
)
def test_whatever_comes_back_every_candidate_is_ranked_once(name, n, noise, dressed, unreadable, failures, seed):
    ranker, _ = RANKERS[name]
    one = case(n, seed=seed)
    ranking, batches = drive(ranker, one, OracleBackend(noise, dressed, unreadable, failures, seed))
    assert sorted(ranking.order) == list(truth(one))
    assert sum(map(len, batches)) <= ranker.needs(n).calls
    assert ranking.scores is None or list(ranking.scores) == sorted(ranking.scores, reverse=True)
    assert (ranking.outcome is Outcome.REPAIRED) == bool(ranking.repairs) or ranking.outcome in ("unparsed", "error")
    if n < 2:
        assert ranking.outcome is Outcome.OK and not batches
    elif failures == 1.0:
        assert ranking.outcome is Outcome.ERROR and "503" in ranking.reason
    elif unreadable == 1.0:
        assert ranking.outcome in ((Outcome.UNPARSED,) if failures == 0 else (Outcome.UNPARSED, Outcome.ERROR))
        assert ranking.reason
    if ranking.outcome in ("unparsed", "error") and not name.startswith("cascade"):
        assert len(tie_groups(ranking)) == 1, "what said nothing prefers nothing"


@each_ranker
def test_lost_answers_are_counted_as_what_they_were(name):
    """Every call that failed and every answer that could not be read is in the repairs, or the whole Case is lost."""
    ranker, _ = RANKERS[name]
    seen = Counter[str]()
    several = ranker.needs(30).likely_calls > 1
    for seed in range(40 if ranker.needs(30).likely_calls < 200 else 8):
        backend = OracleBackend(unreadable=0.2, failures=0.2, seed=seed)
        ranking, batches = drive(ranker, case(30, seed=seed), backend)
        requests = [request for batch in batches for request in batch]
        failed = sum(isinstance(backend.reply(request), Failure) for request in requests)
        lost = failed + sum(unreadable(backend, request) for request in requests)
        seen[str(ranking.outcome)] += 1
        if ranking.outcome is Outcome.REPAIRED and not isinstance(ranker, Repeated):
            # A repeat that asks several times counts once, when all of its answers are lost.
            assert ranking.repairs.get("failed", 0) == failed
            assert ranking.repairs.get("unread", 0) == lost - failed
        elif ranking.outcome is Outcome.OK:
            assert lost == 0
    assert seen["repaired"] > 0 if several and name != "cascade of two that ask" else seen["error"] > 0


def unreadable(backend: OracleBackend, request: Request) -> bool:
    reply = backend.reply(request)
    empty = isinstance(reply, Response) and request.labels and not reply.label_logprobs
    return isinstance(reply, Response) and bool(empty or (not request.labels and reply.text in UNREADABLE))
