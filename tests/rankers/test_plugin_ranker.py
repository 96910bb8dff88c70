"""What a ranker from outside may and may not do."""

from __future__ import annotations

import pytest

from llmrank.errors import InputError
from llmrank.rankers import RankerOptions, build_ranker, ranker_names
from llmrank.rankers.repeated import Repeated
from llmrank.types import Outcome, Ranker
from tests.plugins import install

from .oracle import OracleBackend, case, drive, prompt

HEAD = """
from llmrank.rankers import CaseCalls, prompt_needs, with_candidates
from llmrank.types import BaseRanker, Ranking
class Made(BaseRanker):
    def __init__(self, prompt, options):
        self.prompt = prompt
    def rank(self, case):
        ids = [item.item_id for item in case.candidates]
"""


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """Return a function that installs a ranker, the end of its `rank` as given, and builds it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def build(rank: str, target: str = "Made", more: str = "", **options: object) -> Ranker:
        package = f"rankers_{tmp_path.name}"
        body = HEAD + "".join(f"        {line}\n" for line in rank.split("\n")) + more
        install(tmp_path, package, body, f"rankers:outside={package}:{target}")
        return build_ranker("outside", prompt("rankgpt"), RankerOptions(**options))

    return build


HALF = """half = with_candidates(case, case.candidates[: len(ids) // 2])
calls = CaseCalls(self.prompt, case)
[answer] = yield from calls.ask([half])
return calls.ranked(answer.ranked)"""


def test_it_asks_and_ranks_and_is_wrapped_like_any_other(outside):
    needs = "    def needs(self, n):\n        return prompt_needs(self.prompt, 1, n // 2)\n"
    ranker = outside(HALF, more=needs)
    assert ranker.name == "outside" == ranker_names()[-1] and ranker.needs(10).calls == 1
    ranking, batches = drive(ranker, case(10), OracleBackend())
    shown = sorted(item.item_id for item in case(10).candidates[:5])
    assert len(batches) == 1 and ranking.named == 5 and list(ranking.order[:5]) == shown
    repeated = build_ranker("outside", prompt("rankgpt"), RankerOptions(repeats=3))
    assert repeated.needs(10).calls == 3
    assert drive(repeated, case(10), OracleBackend())[0].outcome is Outcome.OK


def test_recall_scores_reach_what_it_shows(outside):
    outside(HALF)
    ranker = build_ranker("outside", prompt("rankgpt", show_scores=True))
    _, [[request]] = drive(ranker, case(6, scores=True), OracleBackend())
    assert request.messages[-1].content.count("(score ") == 3


def test_it_cannot_ask_to_see_the_labels(outside):
    ranker = outside(HALF, more="    sees_truth = True\n    needs_recall_order = True\n")
    assert not ranker.sees_truth and not Repeated(ranker).sees_truth
    assert ranker.needs_recall_order and Repeated(ranker).needs_recall_order


@pytest.mark.parametrize(
    ("rank", "says"),
    [
        ("raise KeyError('films')\nyield", ["raised: KeyError: 'films'", "line 9"]),
        ("return Ranking(tuple(ids))", ["TypeError", "not an iterator"]),
        ("yield None", ["yields None", "CaseCalls"]),
        ("yield []", ["yields []"]),
        ("return ids\nyield", ["does not return a Ranking, but ['i0"]),
        ("return Ranking(tuple(ids[1:]))\nyield", ["each of the 4 candidates once: 1 missing, 0 unknown"]),
        ("return Ranking((*ids, 'x'))\nyield", ["0 missing, 1 unknown, 0 repeated"]),
        ("return Ranking((ids[0], *ids[:3]))\nyield", ["1 missing, 0 unknown, 1 repeated"]),
        ("return Ranking(tuple(ids), (1.0, 2.0, 3.0, 4.0))\nyield", ["scores that do not decrease"]),
        ("return Ranking(tuple(ids), (1.0,))\nyield", ["scores that do not decrease"]),
    ],
)
def test_a_broken_ranking_is_an_error_that_names_package_and_user(outside, rank, says):
    ranker = outside(rank)
    with pytest.raises(InputError) as caught:
        drive(ranker, case(4, user="42"), OracleBackend())
    for part in [*says, "the ranker 'outside' of rankers_", "user '42'", "hint: "]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("target", "more", "says"),
    [
        ("made", "made = 7\n", "is not callable, but 7"),
        ("made", "def made(prompt):\n    pass\n", "cannot be built: TypeError"),
        ("made", "def made(prompt, options):\n    pass\n", "does not build a ranker, but None"),
        (
            "Bare",
            "class Bare:\n    def __init__(self, *given): ...\n    def rank(self, case): ...\n",
            "which has no `needs`",
        ),
    ],
)
def test_what_builds_no_ranker_is_refused_with_the_mend(outside, target, more, says):
    with pytest.raises(InputError, match=says) as caught:
        outside("yield", target=target, more=more)
    assert "(prompt, options)" in caught.value.hint
