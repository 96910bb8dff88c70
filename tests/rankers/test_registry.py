from __future__ import annotations

import pytest

from llmrank import make_ranker
from llmrank.errors import InputError
from llmrank.rankers.baselines import Popularity, RatingMeans
from llmrank.rankers.registry import BASELINES, BUILDERS, USUAL_PROMPTS, BaselineData, RankerOptions, build_ranker
from llmrank.types import Outcome

from .oracle import OracleBackend, case, drive, prompt

PROMPTS = {
    "listwise": "rankgpt",
    "sliding_window": "rankgpt",
    "first_token": "first-token",
    "pointwise": "pointwise-yes-no",
    "pairwise": "pairwise",
    "setwise": "setwise",
    "tournament": "tourrank",
    "acurank": "rankgpt",
}


@pytest.mark.parametrize("name", BUILDERS)
def test_each_is_built_by_name_with_its_defaults(name):
    ranker = build_ranker(name, prompt(PROMPTS[name]))
    assert ranker.name == name and ranker.needs(20).calls > 0
    ranking, _ = drive(ranker, case(12), OracleBackend())
    assert ranking.outcome is Outcome.OK and ranking.order[0] == "i000"


def test_options_reach_their_methods():
    options = RankerOptions(window=6, step=2, sort="bubble", group=5, sort_top=2, rounds=4, most_calls=12)
    calls = {name: build_ranker(name, prompt(PROMPTS[name]), options).needs(20).calls for name in BUILDERS}
    assert calls == {
        "listwise": 1,
        "sliding_window": 8,
        "first_token": 1,
        "pointwise": 20,
        "pairwise": 2 * (19 + 18),
        "setwise": 5 + 5,
        "tournament": 4 * (4 + 2 + 1 + 1),
        "acurank": 12,
    }


@pytest.mark.parametrize(
    ("name", "options", "option", "hint"),
    [
        ("listwise", {"sort": "heap"}, "sort", "pairwise or setwise"),
        ("pointwise", {"window": 5}, "window", "sliding_window or acurank"),
        ("bm25", {"rounds": 7}, "rounds", "tournament"),
        ("bm25", {"repeats": 3}, "repeats", "a --ranker that calls a model"),
        ("random", {"temperature": 0.5}, "temperature", "a --ranker that calls a model"),
        ("bm25", {"history": 5}, "history", "a --ranker that calls a model"),
        ("bm25", {"prompt": "palr"}, "prompt", "a --ranker that calls a model"),
        ("bm25", {"first": "random"}, "first", "a --ranker that calls a model"),
        ("listwise", {"first_top": 5}, "first_top", "add --first"),
        ("listwise", {"combine": "kemeny"}, "combine", "add --repeats"),
        ("first_token", {"fuse": 1.0, "fuse_users": 9}, "fuse_users", "add --fuse validation"),
    ],
)
def test_an_option_that_does_nothing_is_refused(name, options, option, hint):
    with pytest.raises(
        InputError, match=f"field '{option}': {name} .*(does not use this option|has no effect)"
    ) as raised:
        make_ranker(name, **options)
    assert hint in str(raised.value.hint)


@pytest.mark.parametrize(
    ("name", "options", "option", "hint"),
    [
        ("listwise", {"prompt": "rankgpt", "top": 3}, "top", "such as palr"),
        ("setwise", {"top": 3}, "top", "such as palr"),
        ("tournament", {"top": 3}, "top", "choose another --ranker"),
        ("setwise", {"no_profile": True}, "no_profile", "omit it"),
        ("setwise", {"no_profile": True, "first": "bm25"}, "no_profile", "omit it"),
        ("listwise", {"history": 5, "show_history": False}, "history", "omit --no-history"),
        ("listwise", {"history_order": "newest-first", "show_history": False}, "history_order", "omit --no-history"),
        ("listwise", {"prompt": "liu2023-direct", "domain": "books"}, "domain", "omit it"),
        ("listwise", {"first_prompt": "setwise"}, "first_prompt", "add --first"),
        ("listwise", {"first": "bm25", "first_prompt": "setwise"}, "first_prompt", "add --first"),
    ],
)
def test_a_setting_that_changes_nothing_in_the_prompt_is_refused(name, options, option, hint):
    with pytest.raises(InputError, match=f"field '{option}': .*has no effect") as raised:
        make_ranker(name, **options)
    assert hint in str(raised.value.hint)


def test_an_option_of_the_first_stage_is_read():
    assert make_ranker("listwise", "rankgpt", first="setwise", sort="bubble", first_top=5)
    assert make_ranker("setwise", first="listwise", top=3, no_profile=True, domain="books")


def test_what_a_profile_shows_is_a_setting_too():
    assert make_ranker("listwise", "palr", history=5, top=3, domain="books", no_profile=True)


def test_every_method_has_a_usual_prompt_that_it_can_ask():
    assert dict(USUAL_PROMPTS) == PROMPTS | {"listwise": "palr"}


def test_repeats_and_a_first_stage_wrap_the_method():
    options = RankerOptions(repeats=3, combine="kemeny", first=Popularity({"i000": 2}), first_top=5)
    ranker = build_ranker("listwise", prompt("rankgpt"), options)
    assert ranker.needs(30).calls == 3
    assert drive(ranker, case(30), OracleBackend())[0].order[0] == "i000"


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_needs_no_prompt_and_no_call(name):
    training = BaselineData(dict, lambda: RatingMeans(3.0, {}, {}))
    ranker = BASELINES[name](training, 0)
    assert ranker.name == name and ranker.needs(50).calls == 0


@pytest.mark.parametrize(
    ("name", "template", "changes", "says"),
    [
        ("sliding_windows", "rankgpt", {}, "did you mean 'sliding_window'"),
        ("listwise", "pointwise-yes-no", {}, "'yes_no' does not fit a listwise ranking"),
        ("pointwise", "rankgpt", {}, "'permutation' does not fit a pointwise ranking"),
        ("listwise", "google-zero-shot", {}, "write `ranker: pointwise`"),
        ("sliding_window", "palr-recommend", {}, "`ranker: listwise`"),
        ("first_token", "first-token", {"ids": "titles"}, "use other ids"),
        ("first_token", "first-token", {"answer": "choice"}, "use one of label_logprobs"),
        ("setwise", "setwise", {"sort": "all"}, "use heap, bubble"),
        ("first_token", "first-token", {"calibrate": 1.0, "show_scores": True}, "omit show_scores"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_mend(name, template, changes, says):
    with pytest.raises(InputError, match=says):
        make_ranker(name, template, **changes)


def test_a_prompt_for_one_call_can_be_asked_window_by_window():
    """As FIRST does with lists that are longer than a backend has labels."""
    ranker = make_ranker("sliding_window", "first-token", window=5, step=2)
    ranking, _ = drive(ranker, case(20), OracleBackend())
    assert ranking.outcome is Outcome.OK and ranking.order[:3] == ("i000", "i001", "i002")
