"""Which of two Runs is better: the tests, what is refused, and what is shown."""

from __future__ import annotations

import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import matplotlib
import numpy as np
import pytest
from scipy import stats as scipy_stats

from llmrank import stats
from llmrank.errors import InputError, MissingError
from llmrank.evaluation.training_data import TrainingData
from llmrank.run import Run, compare
from llmrank.run.metrics import measures_of
from llmrank.types import Case, Event, Item, Outcome, Ranking
from tests.run.making import SETTINGS, case, how, make_run, shuffled

CASES = [case(f"u{user:02}") for user in range(60)]


def better(case: Case, seed: int) -> Ranking:
    """A shuffled order in which a relevant item often comes first."""
    order = list(shuffled(case, seed).order)
    if Random(f"{seed}:{case.user_id}:better").random() < 0.5:
        order.remove(case.relevant[0])
        order.insert(0, case.relevant[0])
    return Ranking(tuple(order))


@pytest.fixture
def plain(tmp_path: Path) -> Run:
    return make_run(tmp_path / "plain", CASES, [shuffled(one, 1) for one in CASES])


@pytest.fixture
def edited(tmp_path: Path) -> Run:
    settings = SETTINGS | {"prompt": "edited", "template": "first\nother\n", "sampling": {"temperature": 1}}
    return make_run(tmp_path / "edited", CASES, [better(one, 2) for one in CASES], settings=settings)


def test_runs_of_equal_values_are_the_same(plain: Run, tmp_path: Path) -> None:
    again = make_run(tmp_path / "again", CASES, [shuffled(one, 1) for one in CASES])
    assert compare(plain, again).verdict() == ["NDCG@10: again is the same as plain for all 60 users"]


def test_every_number_is_that_of_scipy_on_the_values_per_case(plain: Run, edited: Run) -> None:
    found = compare(plain, edited)
    assert found.runs == ("plain", "edited") and (found.cases, found.users) == (60, 60)
    assert [one.measure for one in found.results] == ["HR@1", "HR@10", "NDCG@5", "NDCG@10", "MRR"]
    for one in found.results:
        before, after = plain.per_case(one.measure), edited.per_case(one.measure)
        theirs = scipy_stats.ttest_rel(after, before)
        assert one.p_t == pytest.approx(theirs.pvalue, abs=1e-9)
        largest = np.abs(after - before).max() if np.count_nonzero(after - before) >= 15 else 1
        added = np.append(after - before, (largest, -largest))  # Bonett and Price
        half = scipy_stats.t.ppf(0.975, 59) * added.std() / math.sqrt(len(added))
        assert one.ci95 == pytest.approx((added.mean() - half, added.mean() + half), abs=1e-9)
        assert one.difference == pytest.approx((after - before).mean(), abs=1e-12)
        assert (one.reference_value, one.value) == pytest.approx((before.mean(), after.mean()))
        assert one.effect_size == pytest.approx((after - before).mean() / (after - before).std(ddof=1))
        assert (one.wins, one.losses) == ((after > before).sum(), (after < before).sum())
        assert one.wins + one.ties + one.losses == 60
        exact = scipy_stats.permutation_test(
            (after, before), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=9_999, rng=1
        )
        assert one.p == pytest.approx(exact.pvalue, abs=0.02)
    assert [one.p_holm for one in found.results] == stats.holm([one.p for one in found.results])
    assert found.results[3].significant and found.verdict()[0].startswith("NDCG@10: edited is better than plain (+0.")


def test_turned_around_every_sign_turns(plain: Run, edited: Run) -> None:
    there, back = compare(plain, edited), compare(edited, plain)
    for one, other in zip(there.results, back.results, strict=True):
        assert one.difference == -other.difference and (one.wins, one.losses) == (other.losses, other.wins)
        assert one.p_t == pytest.approx(other.p_t) and one.ci95 == pytest.approx((-other.ci95[1], -other.ci95[0]))
    assert "edited is better" in there.verdict()[0] and "plain is worse than edited" in back.verdict()[0]


def test_a_run_that_orders_nothing_is_no_bootstrap(tmp_path: Path, plain: Run) -> None:
    tied = [Ranking(one.order, (0.0,) * len(one.order)) for one in (shuffled(case, 1) for case in CASES)]
    nothing = make_run(tmp_path / "tied", CASES, tied)
    there, back = compare(nothing, plain), compare(plain, nothing)
    for one, other in zip(there.results, back.results, strict=True):
        assert (one.p, one.p_t, one.ci95) == (other.p, None, (-other.ci95[1], -other.ci95[0]))
    assert "A Run that orders nothing is compared like `random`" in str(back) and "bootstrap" not in str(back)
    single = [make_run(tmp_path / f"one-{n}", CASES[:1], [shuffled(CASES[0], n)]) for n in range(2)]
    assert "bootstrap" not in str(compare(*single)) and "orders nothing" not in str(compare(*single))


def test_three_runs_are_all_pairs_and_corrected_together(tmp_path: Path, plain: Run, edited: Run) -> None:
    third = make_run(tmp_path / "third", CASES, [shuffled(one, 3) for one in CASES])
    found = compare(plain, edited, third, measures="MRR,NDCG@1..2")
    pairs = [(one.reference, one.run) for one in found.results]
    assert pairs == [("plain", "edited")] * 3 + [("plain", "third")] * 3 + [("edited", "third")] * 3
    assert [one.p_holm for one in found.results] == stats.holm([one.p for one in found.results])
    two = compare(plain, edited, measures="MRR,NDCG@1..2")
    assert [one.p for one in two.results] == [one.p for one in found.results[:3]]
    assert "edited − plain" in str(found) and found.headline == "NDCG@1"
    assert found.table(80).width <= 80


def test_long_names_of_runs_leave_room_for_the_numbers(tmp_path: Path) -> None:
    names = ("ml-100k-recommender-palr-a9fdd8fd", "ml-100k-recommender-first-token-5a0c1e2b")
    few = CASES[:8]
    runs = [make_run(tmp_path / name, few, [shuffled(one, seed) for one in few]) for seed, name in enumerate(names)]
    found = compare(*runs)
    lines = found.text(80).splitlines()
    sentences = lines[: lines.index("Settings that differ")] if "Settings that differ" in lines else lines
    assert max(map(len, sentences)) <= 80 and f"reference: {names[0]}; run: {names[1]}." in " ".join(lines)
    header = found.table(80).header
    assert header[:5] == ("measure", "reference", "run", "difference", "95% CI") and "p (Holm)" in header
    assert found.table(200).header[1:3] == names and found.table().header[1:3] == names


def test_only_shared_cases_count_and_the_others_are_said(tmp_path: Path, plain: Run) -> None:
    cases = [*CASES[:40], case("new")]
    fewer = make_run(tmp_path / "fewer", cases, [better(one, 2) for one in cases])
    found = compare(plain, fewer)
    assert found.cases == 40 and found.left_out == {"plain": 20, "fewer": 1}
    assert "Left out, because another Run lacks them: 20 Cases of plain." in str(found)
    assert found.results[0].reference_value == pytest.approx(plain.per_case("HR@1")[:40].mean())


def test_a_run_that_is_not_finished_is_said(tmp_path: Path, plain: Run) -> None:
    make_run(tmp_path / "killed", CASES, [better(one, 2) for one in CASES[:40]], finish=False)
    found = compare(plain, tmp_path / "killed")
    assert found.unfinished == {"killed": 20} and found.cases == 40
    assert "killed is unfinished: 20 Cases are not done." in str(found)


def test_cases_without_a_readable_answer_are_said(tmp_path: Path, plain: Run) -> None:
    answers = [
        replace(better(one, 2), named=0, outcome=outcome) if outcome else better(one, 2)
        for one, outcome in zip(CASES, [Outcome.ERROR] * 3 + [Outcome.UNPARSED] * 2 + [None] * 55, strict=True)
    ]
    found = compare(plain, make_run(tmp_path / "poor", CASES, answers))
    assert (found.unread, found.failed) == ({"poor": 5}, {"poor": 3})
    assert "poor: no readable answer in 5 of 60 Cases (in 3, a call failed), counted as worst." in str(found)
    assert "Users whose NDCG@10 changed most" in str(found)


def test_the_check_of_the_docs_fails_only_for_a_worse_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "running.md").read_text("utf-8")
    script = page.partition("```python ci.py\n")[2].partition("```")[0]
    poor, good = (list(order) for order in ([shuffled(one, 1) for one in CASES], [better(one, 2) for one in CASES]))
    for name, before, after, failed in (("worse", good, poor, True), ("better", poor, good, False)):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        make_run(Path("before"), CASES, before)
        make_run(Path("after"), CASES, after)
        with pytest.raises(SystemExit) as ended:
            exec(script, {})
        assert bool(ended.value.code) is failed


def test_of_several_cases_per_user_cases_are_listed_not_users(tmp_path: Path) -> None:
    cases = [replace(one, case_id=f"search-{place}") for place, one in enumerate(CASES)]
    runs = [make_run(tmp_path / str(seed), cases, [shuffled(one, seed) for one in cases]) for seed in (1, 2)]
    assert "Cases whose NDCG@10 changed most" in str(compare(*runs))


def test_what_is_no_run_is_said(plain: Run) -> None:
    with pytest.raises(InputError, match="field 'run': expected a Run, got NoneType"):
        compare(plain, None)  # pyright: ignore[reportArgumentType]


def test_no_interval_is_wider_than_a_difference_can_be(tmp_path: Path) -> None:
    cases = CASES[:3]
    runs = [
        make_run(tmp_path / name, cases, [shuffled(one, seed) for one in cases]) for name, seed in (("a", 1), ("b", 4))
    ]
    intervals = [one.ci95 for one in compare(*runs).results if one.ci95]
    assert intervals and all(-1 <= low <= high <= 1 for low, high in intervals)


def test_cases_without_truth_are_said_and_count_for_nothing(tmp_path: Path) -> None:
    cases = [replace(one, relevant=()) if place < 3 else one for place, one in enumerate(CASES)]
    runs = [make_run(tmp_path / f"{seed}", cases, [shuffled(one, seed) for one in cases]) for seed in (1, 2)]
    found = compare(*runs)
    assert (found.cases, found.judged) == (60, 57)
    assert all(one.wins + one.ties + one.losses == 57 for one in found.results)
    assert "60 Cases (3 of the Cases have no known truth, and no measure counts them)" in str(found)


def test_several_cases_of_a_user_are_one_user(plain: Run, edited: Run) -> None:
    def grouped(run: Run) -> Run:
        cases = tuple(replace(one, user_id=f"g{place // 10}") for place, one in enumerate(run.cases))
        twin = Run(run.path)
        twin.__dict__["cases"] = cases  # as a Run with such Cases reads them
        return twin

    alone, found = compare(plain, edited), compare(grouped(plain), grouped(edited))
    assert (found.cases, found.users) == (60, 6) and "60 Cases of 6 users" in str(found)
    assert found.results[3].difference == alone.results[3].difference
    difference = edited.per_case("NDCG@10") - plain.per_case("NDCG@10")
    means = difference.reshape(6, 10).mean(axis=1)
    assert found.results[3].p_t == pytest.approx(scipy_stats.ttest_1samp(means, 0).pvalue, abs=1e-9)
    assert found.results[3].wins + found.results[3].ties + found.results[3].losses == 6


@pytest.mark.parametrize(
    ("settings", "metric_settings", "cases", "said"),
    [
        (SETTINGS, how("full"), CASES, "different evaluation kinds are not comparable"),
        (SETTINGS | {"split": "time:2000-01-01"}, how(), CASES, "different splits are not comparable"),
        (SETTINGS, how(scale=(0.0, 1.0)), CASES, "different rating scales are not comparable"),
        (
            SETTINGS | {"data": "other"},
            how(scale=(0.0, 1.0)),
            CASES,
            "different data sets are not comparable: plain has made",
        ),
        (
            SETTINGS,
            how(),
            [replace(one, candidates=one.candidates[:-1], recall_scores=None) for one in CASES],
            "different candidates",
        ),
        (SETTINGS, how(), [replace(one, relevant=("x",)) for one in CASES], "different relevant items"),
        (
            SETTINGS,
            how(),
            [replace(one, user_id=f"x{one.user_id}", case_id=f"x{one.user_id}") for one in CASES],
            "no Case in common",
        ),
    ],
    ids=["kind", "split", "scale", "data", "candidates", "relevant", "none"],
)
def test_what_is_not_comparable_is_refused_and_said(
    tmp_path: Path, plain: Run, settings: dict[str, object], metric_settings: object, cases: list[Case], said: str
) -> None:
    rankings = [shuffled(one, 1) for one in cases]
    other = make_run(tmp_path / "other", cases, rankings, settings=settings, metric_settings=metric_settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=said):
        compare(plain, other)


def test_the_order_of_relevant_items_and_gains_of_one_change_nothing(tmp_path: Path, plain: Run) -> None:
    cases = [replace(one, relevant=one.relevant[::-1], gains=(1.0,) * len(one.relevant)) for one in CASES]
    other = Run(make_run(tmp_path / "other", CASES, [shuffled(one, 2) for one in CASES]).path)
    other.__dict__["cases"] = tuple(cases)
    assert compare(plain, other).cases == 60
    other = Run(other.path)
    other.__dict__["cases"] = tuple(replace(one, gains=(2.0,) * len(one.relevant)) for one in CASES)
    with pytest.raises(InputError, match="different relevant items"):
        compare(plain, other)


def test_the_same_candidates_under_another_name_are_comparable(tmp_path: Path, plain: Run) -> None:
    named = how("recall-limited(answers.jsonl)")
    other = make_run(tmp_path / "scored", CASES, [shuffled(one, 2) for one in CASES], metric_settings=named)
    assert compare(plain, other).cases == 60


def test_what_differs_is_shown(plain: Run, edited: Run) -> None:
    found = compare(plain, edited)
    assert found.settings == {"prompt": ("mine", "edited"), "sampling.temperature": (None, 1)}
    assert "-second" in found.template_diff and "+other" in found.template_diff
    text = str(found)
    for shown in ("prompt: mine → edited", "sampling.temperature: not set → 1", "-second", "+other"):
        assert shown in text
    assert compare(plain, edited).template_diff.splitlines()[0] == "--- plain: template"


def test_a_setting_left_to_the_template_is_called_so(tmp_path: Path) -> None:
    rankings = [shuffled(one, 1) for one in CASES]
    differ = [SETTINGS | {"view": {"history": number}, "k": number} for number in (5, None)]
    short, usual = (make_run(tmp_path / f"{at}", CASES, rankings, settings=one) for at, one in enumerate(differ))
    text = str(compare(short, usual))
    assert "view.history: 5 → as in the template" in text and "k: 5 → not set" in text


def test_the_users_that_changed_most_come_first(plain: Run, edited: Run) -> None:
    changes = compare(plain, edited).changes
    difference = edited.per_case("NDCG@10") - plain.per_case("NDCG@10")
    assert len(changes) == (np.abs(difference) > 1e-12).sum()
    sizes = [abs(one.difference) for one in changes]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == np.abs(difference).max()


def test_it_prints_as_text_markdown_latex_html_json_and_frame(plain: Run, edited: Run) -> None:
    found = compare(plain, edited)
    assert f"{found.results[3].effect_size:+.2f}" in str(found)
    row = next(line for line in found.to_markdown().splitlines() if line.startswith("| NDCG@10"))
    one = found.results[3]
    assert f"{one.value:.4f}" in row and row.count("|") == found.to_markdown().splitlines()[0].count("|")
    latex = found.to_latex()
    assert r"d\_z" in latex and r"95\% CI" in latex and latex.count(r"\\") == 6 and r"\bottomrule" in latex
    assert "<table>" in found._repr_html_()
    assert repr(found) == str(found)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["results"][3]["p_t"] == one.p_t
    frame = found.to_pandas()
    assert frame["measure"].tolist() == [one.measure for one in found.results] and frame["wins"][3] == one.wins


def test_a_narrow_table_loses_columns_and_no_digits(plain: Run, edited: Run) -> None:
    found = compare(plain, edited)
    wide, narrow = found.text(200), found.text(80)
    table = narrow.split("\n\n")[1].splitlines()
    assert max(map(len, table)) <= 80 < max(map(len, wide.split("\n\n")[1].splitlines()))
    for one in found.results:
        assert f"{one.value:.4f}" in narrow and f"{one.difference:+.4f}".replace("-", "−") in narrow
    assert "p (Holm)" in table[0] and "p (t test)" not in table[0]
    assert "Columns left out (too narrow): p (t test), wins/ties/losses." in narrow and "too narrow" not in wide


def test_a_plot_has_a_point_for_each_result(plain: Run, edited: Run, tmp_path: Path) -> None:
    matplotlib.use("agg")
    figure = compare(plain, edited).plot()
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()][::-1] == list(plain.metrics)
    figure.savefig(tmp_path / "plot.png")


def test_the_name_of_a_run_is_no_formula_in_a_plot(tmp_path: Path) -> None:
    matplotlib.use("agg")
    cases = [case(f"u{user}") for user in range(3)]
    names = ("$x^{$", "other", "third")
    runs = [make_run(tmp_path / name, cases, [shuffled(one, 1) for one in cases]) for name in names]
    for some in (runs[:2], runs):
        compare(*some).plot().savefig(tmp_path / "plot.png")


def test_without_matplotlib_the_hint_says_how_to_get_it(
    plain: Run, edited: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingError, match="pip install matplotlib"):
        compare(plain, edited).plot()


def test_ratings_are_compared_and_lower_is_better(tmp_path: Path) -> None:
    draw = Random(0)
    history = (Event(Item("h", "Seen"), 4.0),)
    cases = [Case(f"u{n:02}", history, target=Item("t", "Film"), rating=float(draw.randint(1, 5))) for n in range(40)]
    means = TrainingData(lambda: cases).rating_means
    settings = how("ratings", measures=measures_of(None, "rating"), rating_means=means)
    runs = []
    for name, noise in (("bad", 2.0), ("good", 0.5)):
        rankings = [Ranking(("t",), (min(5.0, max(1.0, one.rating + draw.gauss(0, noise))),)) for one in cases]
        runs.append(make_run(tmp_path / name, cases, rankings, metric_settings=settings))
    rmse, mae, auc = compare(*runs).results
    assert rmse.difference < 0 and rmse.wins > rmse.losses and rmse.p_t is None and rmse.significant
    errors = [run.per_case("MAE") for run in runs]
    assert mae.p_t == pytest.approx(scipy_stats.ttest_rel(*errors).pvalue, abs=1e-9)
    assert auc.difference > 0 and (auc.wins, auc.ties, auc.losses) == (0, 0, 0) and not auc.lower_is_better
    assert "good is better than bad" in compare(*runs).verdict()[0]
    assert "(of RMSE, AUC from a bootstrap of users)" in str(compare(*runs))
    for users in (1, 2):
        some = [replace(one, user_id=f"u{n % users}", case_id=f"{n}") for n, one in enumerate(cases)]
        few = [
            make_run(
                tmp_path / f"{one.name}-{users}",
                some,
                [one.records[case.case_id].ranking for case in cases],
                metric_settings=settings,
            )
            for one in runs
        ]
        rmse = compare(*few).results[0]
        assert rmse.p > 0.2 and (rmse.ci95 is None) == (users == 1)
        assert (few[0].metrics["RMSE"].ci95 is None) == (users == 1)


def test_the_same_run_twice_is_a_mistake_and_equal_names_are_told_apart(tmp_path: Path, plain: Run) -> None:
    with pytest.raises(InputError, match="given twice"):
        compare(plain, Run(plain.path / ".." / "plain"))
    twin = make_run(tmp_path / "later" / "plain", CASES, [shuffled(one, 1) for one in CASES])
    found = compare(plain, twin)
    assert found.runs == (f"{tmp_path.name}/plain", "later/plain")
    assert all(one.difference == 0 and one.p == one.p_t == 1 and one.effect_size == 0 for one in found.results)
    assert not found.changes and not math.isnan(found.results[0].p_holm)


def test_runs_are_compared_by_their_folders_too(plain: Run, edited: Run) -> None:
    assert str(compare(plain.path, str(edited.path))) == str(compare(plain, edited))


def test_the_settings_that_a_baseline_lacks_share_a_line(plain: Run, tmp_path: Path) -> None:
    found = compare(plain, make_run(tmp_path / "baseline", CASES, [shuffled(one, 2) for one in CASES]))
    absent = {f"option_{number}": (number, None) for number in range(8)}
    text = replace(found, settings={"ranker": ("listwise", "popularity"), **absent}).text()
    assert "ranker: listwise → popularity" in text and "not set in baseline: option_0, option_1" in text
    assert "→ not set" not in text
    absent = {f"option_{number}": (None, number) for number in range(8)}
    text = replace(found, settings=absent).text()
    assert f"not set in {found.runs[0]}: option_0, option_1" in text and "not set →" not in text
    text = replace(found, settings=absent | {"backend.model": (None, "m")}).text()
    assert f"{found.runs[0]} makes no model calls" in text and "option_0" not in text


def test_a_folder_without_its_cases_is_said_to_be_incomplete(plain: Run, tmp_path: Path) -> None:
    shutil.copytree(plain.path, tmp_path / "part")
    (tmp_path / "part" / "cases.parquet").unlink()
    with pytest.raises(InputError, match=r"the Run is incomplete: cases\.parquet is missing") as caught:
        compare(plain, tmp_path / "part")
    assert caught.value.hint == "copy the whole folder"


def test_a_run_that_has_not_begun_is_said_to_be_unfinished(tmp_path: Path, plain: Run) -> None:
    begun = make_run(tmp_path / "begun", CASES, [], finish=False)
    with pytest.raises(InputError, match="begun: the Run is not finished: 0 of 60 Cases done") as error:
        compare(plain, begun)
    assert "repeat the command" in error.value.hint
