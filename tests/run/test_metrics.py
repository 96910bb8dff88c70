"""The numbers of a Run: what they are divided by, what stands beside them, and how they are tested."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmrank import stats
from llmrank.errors import InputError
from llmrank.evaluation.training_data import TrainingData
from llmrank.measures import AUC, HR, MRR, NDCG, RMSE, Judgements, VersusBaseline
from llmrank.prices import Price, Tariff
from llmrank.rankers.baselines import RatingMeans
from llmrank.run import CaseRecord, Metrics, MetricSettings
from llmrank.run.metrics import case_measures, headline, measures_of, metrics
from llmrank.run.tables import in_words
from llmrank.types import Case, Event, Item, Outcome, Ranking, Usage
from tests.run.making import UNPARSED, case, how, record, shuffled

CASES = [case(f"u{user:02}") for user in range(30)]


def found(rankings: list[Ranking], settings: MetricSettings | None = None, cases: list[Case] = CASES) -> Metrics:
    records = {one.case_id: record(one, ranking) for one, ranking in zip(cases, rankings, strict=True)}
    return metrics(cases, records, settings or how())


def best_first(case: Case) -> Ranking:
    relevant = set(case.relevant)
    return Ranking(
        tuple(sorted((item.item_id for item in case.candidates), key=lambda item_id: item_id not in relevant))
    )


def test_every_case_is_in_the_denominator_and_unparsed_ones_count_as_worst() -> None:
    rankings = [
        replace(best_first(one), **UNPARSED) if place < 12 else best_first(one) for place, one in enumerate(CASES)
    ]
    numbers = found(rankings)
    assert (numbers.cases, numbers.users, numbers.judged_cases, numbers.answered_cases) == (30, 30, 30, 18)
    assert numbers.outcomes == {"ok": 18, "repaired": 0, "unparsed": 12, "error": 0}
    assert numbers.reasons == {"unparsed: refusal": 12}
    hits = numbers["HR@1"]
    assert hits.value == pytest.approx(18 / 30) and hits.answered_only == 1
    assert hits.worst == pytest.approx(18 / 30) and hits.best == 1
    worst_place = 1 / 20
    assert numbers["MRR"].value == pytest.approx((18 + 12 * worst_place) / 30)


def test_a_case_without_truth_is_counted_and_measured_by_nothing() -> None:
    cases = [replace(one, relevant=()) if place < 5 else one for place, one in enumerate(CASES)]
    numbers = found([best_first(one) for one in cases], cases=cases)
    assert (numbers.cases, numbers.judged_cases) == (30, 25)
    assert numbers["HR@1"].value == 1
    none = found([best_first(one) for one in cases[:5]], cases=cases[:5])
    assert none["HR@1"].value is none["HR@1"].ci95 is none.recall is none["NDCG@10"].baselines["random"] is None
    assert none["HR@1"].share_of_ceiling is None
    json.dumps(none.to_dict(), allow_nan=False)


def test_the_baselines_are_what_they_say() -> None:
    popularity = {item.item_id: Random(item.item_id).randrange(9) for one in CASES for item in one.candidates}
    numbers = found([shuffled(one, 1) for one in CASES], how(popularity=popularity))
    judged = [one.relevant for one in CASES]
    orders = {
        "recall_order": [Ranking(tuple(item.item_id for item in one.candidates)) for one in CASES],
        "popularity": [
            Ranking(
                tuple(sorted((item.item_id for item in one.candidates), key=lambda item_id: -popularity[item_id])),
                tuple(sorted((float(popularity[item.item_id]) for item in one.candidates), reverse=True)),
            )
            for one in CASES
        ],
        "random": [Ranking(tuple(item.item_id for item in one.candidates), named=0) for one in CASES],
        "ceiling": [best_first(one) for one in CASES],
    }
    for measure in (NDCG(10), HR(10), MRR()):
        expected = {
            name: measure.value(Judgements.from_rankings(rankings, judged)) for name, rankings in orders.items()
        }
        assert dict(numbers[str(measure)].baselines) == pytest.approx(expected)
    ceiling = expected["ceiling"]
    assert numbers["MRR"].share_of_ceiling == pytest.approx(numbers["MRR"].value / ceiling)
    missed = sum("missed" in one.relevant for one in CASES)
    assert missed and numbers.recall == pytest.approx(1 - missed / 2 / 30) and numbers.candidates == 20


def test_an_item_without_training_events_is_less_popular_than_all_others() -> None:
    one = case("u")
    target = one.relevant[0]
    settings = how(popularity={item.item_id: 3 for item in one.candidates if item.item_id != target})
    assert found([shuffled(one, 1)], settings, [one])["MRR"].baselines["popularity"] == pytest.approx(1 / 20)


def test_without_training_events_nothing_is_compared_with_popularity() -> None:
    rankings = [shuffled(one, 1) for one in CASES]
    unknown = found(rankings, how(popularity={}))["MRR"]
    assert list(unknown.versus) == ["recall_order", "random"] and "popularity" not in unknown.baselines
    known = found(rankings, how(popularity={CASES[0].candidates[0].item_id: 1}))["MRR"]
    assert list(known.versus) == ["recall_order", "popularity", "random"]


def test_differences_are_paired_and_corrected_over_the_measures() -> None:
    numbers = found([best_first(one) if Random(one.user_id).random() < 0.4 else shuffled(one, 1) for one in CASES])
    recalled = Judgements.from_rankings(
        [Ranking(tuple(item.item_id for item in one.candidates)) for one in CASES], [one.relevant for one in CASES]
    )
    ours = Judgements.from_rankings(
        [best_first(one) if Random(one.user_id).random() < 0.4 else shuffled(one, 1) for one in CASES],
        [one.relevant for one in CASES],
    )
    versus = {name: numbers[name].versus["recall_order"] for name in numbers}
    for measure in measures_of(None, "ranking"):
        expected = measure.difference(ours, recalled)
        got = versus[str(measure)]
        assert (got.difference, got.ci95, got.p) == (expected.difference, (expected.low, expected.high), expected.p)
    assert [one.p_holm for one in versus.values()] == stats.holm([one.p for one in versus.values()])
    assert any(one.p_holm > one.p for one in versus.values())
    assert list(numbers["MRR"].versus) == ["recall_order", "random"]


def test_with_several_cases_a_user_is_one_and_the_interval_is_wider() -> None:
    cases = [case(f"u{user}", case_id=f"u{user}-{number}") for user in range(6) for number in range(5)]
    rankings = [best_first(one) if int(one.user_id[1:]) % 2 else shuffled(one, 1) for one in cases]
    numbers = found(rankings, cases=cases)
    alone = found(rankings, cases=[replace(one, user_id=one.case_id) for one in cases])
    assert (numbers.cases, numbers.users, alone.users) == (30, 6, 30)
    assert numbers["MRR"].value == alone["MRR"].value
    assert np.ptp(numbers["MRR"].ci95) > 1.5 * np.ptp(alone["MRR"].ci95)
    # Six users have 64 assignments of signs: no p-value can be smaller than about 2/64.
    assert numbers["MRR"].versus["random"].p > 0.02 > alone["MRR"].versus["random"].p


def test_the_order_of_the_cases_changes_nothing() -> None:
    rankings = {one.case_id: shuffled(one, 1) for one in CASES}
    again = CASES[::-1]
    assert found([rankings[one.case_id] for one in CASES]) == found([rankings[c.case_id] for c in again], cases=again)


def test_what_the_answers_used_and_cost() -> None:
    rankings = [shuffled(one, 1) for one in CASES]
    records = {one.case_id: record(one, ranking) for one, ranking in zip(CASES, rankings, strict=True)}
    first = CASES[0].case_id
    records[first] = replace(records[first], batch_usage=records[first].usage, least_prompt_tokens=70)
    price = Price(1.0, 0.5, 2.0)
    tariff = Tariff("m", "EUR", date(2026, 11, 1), price, price * 0.5)
    used = metrics(CASES, records, how(), tariff).usage
    assert (used.requests, used.prompt_tokens, used.cached_tokens, used.completion_tokens) == (30, 3000, 600, 300)
    assert used.seconds == 15 and used.least_prompt_tokens == 29 * 100 + 70
    one = (80 * 1.0 + 20 * 0.5 + 10 * 2.0) / 1e6
    assert used.cost == pytest.approx(29.5 * one) and (used.currency, used.prices_dated) == ("EUR", "2026-11-01")
    assert metrics(CASES, records, how()).usage.cost is None
    silent = {name: replace(one, usage=Usage(), batch_usage=Usage()) for name, one in records.items()}
    used = metrics(CASES, silent, how(), tariff).usage
    assert used.unreported == len(CASES) and used.cost is None and used.currency, "what nobody says is not free"
    used = metrics(CASES, {**records, first: silent[first]}, how(), tariff).usage
    assert used.unreported == 1 and used.cost


def test_label_mass_is_of_the_cases_that_have_one() -> None:
    rankings = [shuffled(one, 1, label_mass=0.9 if place else None) for place, one in enumerate(CASES)]
    rankings[1] = replace(rankings[1], label_mass=0.1, repairs={"low_label_mass": 1}, outcome=Outcome.REPAIRED)
    mass = found(rankings).label_mass
    assert mass is not None and mass.lowest == 0.1 and mass.cases_with_low == 1
    assert mass.mean == pytest.approx((28 * 0.9 + 0.1) / 29)
    assert found([shuffled(one, 1) for one in CASES]).label_mass is None


def test_repairs_and_matches_are_added_up_and_the_most_frequent_come_first() -> None:
    rankings = [
        shuffled(one, 1, repairs={"missing": 1, "duplicate": 3}, matches={"exact": 2}, outcome=Outcome.REPAIRED)
        for one in CASES
    ]
    numbers = found([replace(ranking, history_dropped=2) for ranking in rankings])
    assert list(numbers.repairs.items()) == [("duplicate", 90), ("missing", 30)]
    assert numbers.matches == {"exact": 60} and numbers.history_dropped == 60


def rating_case(user: str, rating: float | None, past: float | None = 3.0) -> Case:
    return Case(user, (Event(Item("h", "Seen"), past),), target=Item("t", "Film"), rating=rating)


def test_an_unparsed_rating_counts_as_the_worst_of_the_scale() -> None:
    cases = [rating_case("a", 5.0), rating_case("b", 1.0), rating_case("c", None)]
    rankings = [Ranking(("t",), (5.0,)), Ranking(("t",), outcome=Outcome.UNPARSED), Ranking(("t",), (2.0,))]
    means = TrainingData(lambda: cases).rating_means
    settings = how("ratings", measures=measures_of(None, "rating"), rating_means=means)
    numbers = found(rankings, settings, cases)
    assert (numbers.cases, numbers.judged_cases, numbers.answered_cases) == (3, 2, 2)
    assert numbers["MAE"].value == 2 and numbers["MAE"].answered_only == 0 and numbers["MAE"].imputed == 1
    assert numbers["RMSE"].value == pytest.approx(math.sqrt(8)) and numbers["RMSE"].lower_is_better
    assert list(numbers["RMSE"].baselines) == ["user_mean", "item_mean", "global_mean"] == list(numbers["RMSE"].versus)
    assert numbers["MAE"].baselines["global_mean"] == 2
    assert numbers.headline == "RMSE" and numbers.recall is None
    without = found(rankings, replace(settings, rating_means=None), cases)
    assert without["RMSE"].baselines == {} and without["RMSE"].value == numbers["RMSE"].value


def test_the_numbers_survive_their_file() -> None:
    numbers = found([replace(shuffled(one, 1), label_mass=0.5) for one in CASES], how(notes=("Mind the gap.",)))
    text = json.dumps(numbers.to_dict(), allow_nan=False)
    assert Metrics.from_dict(json.loads(text)) == numbers
    assert list(numbers) == ["HR@1", "HR@10", "NDCG@5", "NDCG@10", "MRR"] and len(numbers) == 5
    assert "MRR" in numbers and "MAP" not in numbers
    with pytest.raises(InputError, match="did you mean 'NDCG@10'"):
        numbers["NDCG@1O"]


def test_how_the_numbers_are_taken_survives_its_file_and_keeps_what_the_cases_need() -> None:
    means = RatingMeans(3.5, {"t": 3.0, "other": 1.0}, {"a": 4.0, "z": 1.0})
    settings = how(
        "ratings", measures=measures_of("AUC(>=3.5)", "rating"), popularity={"t": 2, "x": 1}, rating_means=means
    )
    kept = settings.for_cases([rating_case("a", 5.0)])
    assert kept.popularity == {"t": 2} and kept.rating_means == RatingMeans(3.5, {"t": 3.0}, {"a": 4.0})
    assert MetricSettings.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept


def test_the_headline_is_asked_of_the_measures() -> None:
    assert str(headline(measures_of("MRR,NDCG@5,NDCG@10,NDCG@20", "ranking"))) == "NDCG@10"
    assert str(headline(measures_of("MRR,NDCG@5,NDCG@20", "ranking"))) == "NDCG@5"
    assert str(headline(measures_of("HR@3,MRR", "ranking"))) == "HR@3"
    assert str(headline(measures_of("MAE,RMSE", "rating"))) == "RMSE"


@pytest.mark.parametrize(
    ("text", "task", "hint"),
    [("AUC", "ranking", "NDCG@10, MRR; AUC needs rows with a `target`"), ("NDCG@10", "rating", "RMSE, MAE, AUC$")],
)
def test_a_measure_of_the_other_task_is_refused(text: str, task: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"(?s)does not measure a {task}.*{hint}"):
        measures_of(text, task)  # type: ignore[arg-type]


def test_the_measures_of_one_case() -> None:
    one = CASES[0]
    assert case_measures(one, best_first(one), [HR(1), MRR()]) == {"HR@1": 1.0, "MRR": 1.0}
    assert case_measures(replace(one, relevant=()), best_first(one), [HR(1)]) == {}
    assert case_measures(rating_case("a", 4.0), Ranking(("t",), (3.0,)), [RMSE()]) == {"MAE": 1.0}
    assert case_measures(rating_case("a", 4.0), Ranking(("t",), (0.9,)), [AUC()]) == {}  # it may be a yes
    assert case_measures(rating_case("a", 7.0), Ranking(("t",), outcome=Outcome.ERROR), [RMSE()]) == {"MAE": 6.0}
    assert case_measures(rating_case("a", None), Ranking(("t",), (3.0,)), [RMSE()]) == {}


@st.composite
def rankings(draw: st.DrawFn) -> tuple[tuple[str, ...], Ranking]:
    n = draw(st.integers(1, 6))
    candidates = tuple("abcdef"[:n])
    order = tuple(draw(st.permutations(candidates)))
    named = draw(st.none() | st.integers(0, n))
    values = st.sampled_from([2.0, 1.0, 0.5, -math.inf])
    scores = draw(st.none() | st.lists(values, min_size=n, max_size=n).map(lambda x: tuple(sorted(x, reverse=True))))
    return candidates, Ranking(order, scores, named, draw(st.sampled_from(Outcome)))


@given(rankings(), st.sets(st.sampled_from("abcdefg"), min_size=1))
def test_a_ranking_is_worth_the_same_before_and_after_its_record(
    drawn: tuple[tuple[str, ...], Ranking], relevant: set[str]
) -> None:
    candidates, ranking = drawn
    one = Case(
        "u", (), tuple(Item(item_id, item_id.upper()) for item_id in candidates), relevant=tuple(sorted(relevant))
    )
    kept = record(one, ranking)
    read = CaseRecord.from_json(kept.to_json())
    assert read == kept
    for measure in (NDCG(2), MRR(), HR(3)):
        for turned in (Judgements.worst, Judgements.best, lambda judged: judged):
            values = [
                measure.value(turned(Judgements.from_rankings([which], [one.relevant])))
                for which in (ranking, read.ranking)
            ]
            assert values[0] == pytest.approx(values[1])
    line = json.loads(kept.to_json())
    assert "ranking" not in line and len(line["placed"]) == len(kept.placed)


def test_what_is_not_placed_follows_in_recall_order_and_is_not_in_the_file() -> None:
    one = case("u", 5)
    a, b, c, d, e = (item.item_id for item in one.candidates)
    kept = record(one, Ranking((c, e, d, b, a), named=1))
    assert kept.ranking.order == (c, a, b, d, e) and kept.placed == (c,)
    scored = record(one, Ranking((c, e, d, b, a), (2.0, 1.0, -math.inf, -math.inf, -math.inf)))
    assert scored.placed == (c, e) and json.loads(scored.to_json())["scores"] == [2.0, 1.0]
    assert record(one, Ranking((c, a, b, d, e))).ranking.named is None
    assert (
        record(one, Ranking((c, a, b, d, e), named=0), None).failed
        and Usage() == record(one, Ranking((a, b, c, d, e)), None).usage
    )


@pytest.mark.parametrize(
    ("ci95", "p", "said"),
    [
        (
            (-0.0036, 0.1161),
            0.0499,
            "better than random (+0.0543, 95% CI −0.0036 to +0.1161, p (Holm) = .050), by the test;",
        ),
        ((0.0001, 0.1085), 0.0499, "better than random (+0.0543, 95% CI +0.0001 to +0.1085, p (Holm) = .050)"),
        ((-0.0036, 0.1161), 0.06, "no significant difference from random (+0.0543, "),
    ],
)
def test_a_claim_whose_interval_holds_zero_says_so(ci95: tuple[float, float], p: float, said: str) -> None:
    words = in_words(VersusBaseline(0.0543, ci95, p, p), False, "random")
    assert words.startswith(said)
    assert words.endswith("includes 0") == (p < 0.05 and ci95[0] < 0)


def test_a_method_that_ranks_as_a_baseline_does_is_the_same_as_it() -> None:
    """`no significant difference (+0.0000, 95% CI −0.0343 to +0.0343)` was said of recall order and itself."""
    same = [Ranking(tuple(item.item_id for item in one.candidates)) for one in CASES]
    assert "NDCG@10: the same as recall order for all 30 users" in found(same).verdict()
    unknown = [*CASES[:29], replace(CASES[29], relevant=())]
    assert "NDCG@10: the same as recall order for all users" in found(same, cases=unknown).verdict()
    turned = [Ranking(same[0].order[::-1]), *same[1:]]
    assert not any("the same" in sentence for sentence in found(turned).verdict())
    asked = [Case(f"u{at}", (), target=Item("a", "Alien"), rating=1.0 + at % 5) for at in range(10)]
    settings = how("ratings", measures=measures_of("AUC", "rating"), rating_means=RatingMeans(3.0, {}, {}))
    records = {one.case_id: record(one, Ranking(("a",), (3.0,))) for one in asked}
    assert not any("the same" in sentence for sentence in metrics(asked, records, settings).verdict()), (
        "AUC has no users"
    )


def test_the_headline_of_likes_and_dislikes_is_auc() -> None:
    chosen = measures_of(None, "rating")
    liked = [Case(f"u{at}", (), target=Item("a", "Alien"), rating=float(at % 2)) for at in range(4)]
    assert str(headline(chosen, liked)) == "AUC"
    assert str(headline(chosen, [*liked, replace(liked[0], rating=0.5)])) == "RMSE"
