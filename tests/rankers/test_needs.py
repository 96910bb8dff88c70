from __future__ import annotations

import ast
import inspect
from dataclasses import replace

import pytest

from llmrank.engine import dry_run
from llmrank.engine.dry_run import Estimate, estimate, estimated_tokens
from llmrank.errors import InputError
from llmrank.evaluation.method import make_ranker
from llmrank.rankers import RankerOptions, build_ranker, check_capabilities, options
from llmrank.rankers.baselines import Random
from llmrank.rankers.listwise import Listwise
from llmrank.rankers.pairwise import Pairwise
from llmrank.rankers.pointwise import Pointwise
from llmrank.rankers.registry import BUILDERS
from llmrank.rankers.repeated import MOST_PAIRED, Repeated
from llmrank.rankers.setwise import Setwise
from llmrank.types import Capabilities, Needs, Response

from .oracle import OracleBackend, case, drive, prompt
from .test_registry import PROMPTS


def test_needs_add_up():
    assert Needs(3, labels=5) + Needs(4, 2) == Needs(7, 5, 5)
    assert Needs(3, labels=5) + Needs(4) == Needs(7, labels=5)
    assert Needs(3, 2, 5) * 4 == Needs(12, 8, 5)
    assert (Needs(3).likely_calls, Needs(3, 2).likely_calls) == (3, 2)


def test_a_baseline_makes_no_calls():
    assert Random().needs(50) == Needs()


def test_yes_and_no_can_be_read_from_the_text_and_expectations_cannot():
    assert Pointwise(prompt("pointwise-yes-no")).needs(20).labels == 0
    assert Pointwise(prompt("pointwise-rating", "expected_rating")).needs(20).labels == 5


def test_too_few_log_probabilities_are_refused_before_a_call():
    check_capabilities(Needs(1, labels=20), Capabilities(label_logprobs=20))
    with pytest.raises(InputError, match=r"(?s)21 labels, but the backend returns 20.*k=20"):
        check_capabilities(Needs(1, labels=21), Capabilities(label_logprobs=20))
    with pytest.raises(InputError, match="returns none"):
        check_capabilities(Needs(1, labels=2), Capabilities())


@pytest.mark.parametrize("n", [20, 50, 100])
@pytest.mark.parametrize(
    "ranker",
    [
        Setwise(prompt("setwise")),
        Setwise(prompt("setwise"), "bubble"),
        Setwise(prompt("setwise"), "insertion"),
        Pairwise(prompt("pairwise"), "heap"),
        Pairwise(prompt("pairwise"), "bubble"),
        Pairwise(prompt("pairwise"), "insertion"),
    ],
    ids=lambda ranker: f"{ranker.name} {ranker.sort}",
)
def test_what_a_sort_is_likely_to_ask_is_near_what_it_asks_and_below_the_bound(ranker, n):
    needs = ranker.needs(n)
    asked = [sum(map(len, drive(ranker, case(n, seed=seed), OracleBackend())[1])) for seed in range(5)]
    assert max(asked) <= needs.calls and needs.likely_calls <= needs.calls
    assert 0.8 * min(asked) <= needs.likely_calls <= 1.2 * max(asked)


@pytest.mark.parametrize("name", [name for name in BUILDERS if name != "first_token"])
def test_every_method_says_what_a_list_of_ten_thousand_needs(name):
    """Without a prompt: `pairwise` would render a hundred million."""
    needs = build_ranker(name, prompt(PROMPTS[name])).needs(10_000)
    assert needs.calls >= needs.likely_calls > 0


def test_kemeny_refuses_a_list_whose_pairs_it_cannot_compare():
    listwise = Listwise(prompt("rankgpt"))
    assert Repeated(listwise, 3, "kemeny").needs(MOST_PAIRED).calls == 3
    with pytest.raises(InputError, match=r"field 'combine'[\s\S]*use combine='borda'"):
        Repeated(listwise, 3, "kemeny").needs(MOST_PAIRED + 1)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {}) for name in BUILDERS),
        ("pairwise", {"sort": "heap"}),
        ("setwise", {"sort": "insertion"}),
        ("listwise", {"repeats": 3}),
        ("pointwise", {"first": "setwise", "first_top": 5}),
        ("first_token", {"calibrate": 1.0, "fuse": 1.0}),
        ("listwise", {"prompt": "palr"}),
    ],
)
def test_a_dry_run_reads_no_answer_and_counts_as_if_it_did(monkeypatch, name, settings):
    ranker = make_ranker(name, **settings)

    def counted() -> Estimate:
        return estimate([case(12, scores=True)], ranker, arrange=lambda one: one, count_tokens=estimated_tokens)

    fast = counted()
    read: list[object] = []
    monkeypatch.setattr(dry_run, "Unreadable", lambda text: read.append(text) or Response(text))
    assert counted() == fast and read and fast.most.requests > 0


def test_a_dry_run_does_not_read_what_it_made_up():
    class Reads:
        """An answer format that must not be asked."""

        name = "titles"

        def labels(self, question):
            return ()

        def structured(self, question):
            return None

        def read(self, response, question):
            raise AssertionError(response.text)

    ranker = Setwise(replace(prompt("setwise"), answer=Reads()))
    assert estimate([case(12)], ranker, arrange=lambda one: one, count_tokens=estimated_tokens).most.requests > 1


def test_every_option_says_what_it_is_for():
    """The command line takes help and choices from here."""
    [record] = [node for node in ast.parse(inspect.getsource(options)).body if isinstance(node, ast.ClassDef)]
    said = [
        isinstance(after, ast.Expr)
        for field, after in zip(record.body, [*record.body[1:], None], strict=True)
        if isinstance(field, ast.AnnAssign)
    ]
    assert len(said) == len(RankerOptions.__slots__) and all(said)
