"""The parts of the page that need no script: what they hold, and that foreign text in them stays text."""

from __future__ import annotations

import html
import json
import math
import re
from pathlib import Path
from random import Random

import pytest

import llmrank as lr
from llmrank.audit import Audit, AuditRow, popularity, position
from llmrank.errors import InputError
from llmrank.report import page, pictures
from llmrank.run import Pareto, pareto
from llmrank.run.metrics import measures_of
from llmrank.run.pareto import ParetoPoint
from llmrank.types import Case, Item, Ranking
from tests.run.making import SETTINGS, case, how, make_run, shuffled

CALIBRATION = "Are the scores calibrated probabilities?"
HOSTILE = "<script>window.hacked = 1</script></script><img src=x onerror='window.hacked = 2'>"
COST = "Quality and cost"


def with_scores(path: Path, users: int = 30, **settings: str) -> lr.Run:
    """Make a Run that asked once per Case and has a score for each candidate, drawn by seed."""
    cases = [case(f"u{user:02}", n=6) for user in range(users)]
    rankings: list[Ranking] = []
    for one in cases:
        draw = Random(one.case_id)
        scores = sorted((math.log(draw.random()) for _ in one.candidates), reverse=True)
        order = draw.sample([item.item_id for item in one.candidates], 6)
        rankings.append(Ranking(tuple(order), tuple(scores)))
    counts = {f"i{item}": item for item in range(200)}
    return make_run(path, cases, rankings, settings=SETTINGS | settings, metric_settings=how(popularity=counts))


def without_scores(path: Path, users: int = 30) -> lr.Run:
    cases = [case(f"u{user:02}", n=6) for user in range(users)]
    return make_run(path, cases, [Ranking(tuple(item.item_id for item in one.candidates)) for one in cases])


def with_ratings(path: Path, predicted: float, measures: str | None = None) -> lr.Run:
    """Make a Run about ratings that predicts the same for all."""
    cases = [Case(f"u{user}", (), target=Item("i", "Film"), rating=1.0 + user % 5) for user in range(10)]
    settings = how("ratings", measures=measures_of(measures, "rating"))
    rankings = [Ranking(("i",), (predicted,))] * len(cases)
    return make_run(path, cases, rankings, metric_settings=settings)


def rated(folder: Path, answers: str = "4x1525", true: str = "551113", name: str = "rated") -> lr.Run:
    """Make a Run of answers about ratings, one a user; `x` names none. Two items have ratings in the histories."""
    lines: list[str] = []
    for user, (answer, rating) in enumerate(zip(answers, true, strict=True)):
        history = [{"item_id": f"i{at}", "title": f"Film {at}", "rating": 1 + (user + at) % 5} for at in range(2)]
        target = {"item_id": f"i{user % 2}", "title": f"Film {user % 2}"}
        row = {"user_id": f"u{user}", "history": history, "target": target, "rating": int(rating)}
        lines.append(json.dumps(row | {"response": "I cannot say." if answer == "x" else f"Rating: {answer}"}))
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return lr.score(folder / f"{name}.jsonl", "rating", out=folder / name)


def section(content: str, title: str) -> str:
    """Return the part of a page under a heading; an empty text where there is none."""
    found = re.search(rf"<section><h2>{re.escape(title)}</h2>.*?</section>", content, re.DOTALL)
    return found[0] if found else ""


def test_calibration_is_shown_where_a_model_gave_scores(tmp_path: Path) -> None:
    run = with_scores(tmp_path / "run")
    shown = section(page(run), CALIBRATION)
    found = run.calibration()
    for table in (found.table(), found.reliability()):
        assert all(cell in shown for row in table.rows for cell in row)
    assert f"{found.temperature:.3g}" in shown
    assert shown.count("<circle") == len(found.bins)
    assert section(page(without_scores(tmp_path / "bare")), CALIBRATION) == ""


def test_predictions_are_judged_as_ratings_and_have_no_groups(tmp_path: Path) -> None:
    run = rated(tmp_path)
    shown = section(page(run), "Are the predictions calibrated?")
    found = run.calibration()
    assert all(cell in shown for table in (found.table(), found.reliability()) for row in table.rows for cell in row)
    with pytest.raises(InputError, match="field 'by': none of the Runs can be compared with recall order"):
        page(run, by=["country"])


def test_a_run_among_several_says_how_many_cases_and_what_limits_it(tmp_path: Path) -> None:
    whole, part = without_scores(tmp_path / "whole", 30), without_scores(tmp_path / "part", 20)
    shown = section(page(whole, part), "Each Run compared with its baselines")
    assert "30 Cases of 30 users." in shown and "20 Cases of 20 users." in shown
    assert shown.count("of a Case&#x27;s relevant items are among its candidates") == 2


def test_the_strips_of_each_audit_have_scales_of_their_own(tmp_path: Path) -> None:
    audits = [Audit(f"{most}?", "So.", (AuditRow("a", most / 2, (0.0, most), 9, 0.0, 0.3),)) for most in (1.0, 100.0)]
    shown = section(page(without_scores(tmp_path / "run"), audits=audits), "Audits")
    first, second = re.findall('<svg class="strip".*?</svg>', shown)
    assert first == second, "each fills its strip"
    assert "In each table the values that are tested, with a p, share one scale, and the others another." in shown


def test_without_a_known_truth_there_are_no_gains(tmp_path: Path) -> None:
    cases = [Case(f"u{user}", (), case(f"u{user}").candidates) for user in range(5)]
    run = make_run(tmp_path / "run", cases, [Ranking(tuple(item.item_id for item in one.candidates)) for one in cases])
    content = page(run)
    assert "5 Cases have no known truth" in content
    assert section(content, "Gains by group") == section(content, "Reranking only the first candidates") == ""


def test_a_single_case_is_not_in_the_plural(tmp_path: Path) -> None:
    content = page(without_scores(tmp_path / "run", users=1))
    assert "1 Case of 1 user, " in content and not re.search(r"\b1 (Cases|users|events|calls)\b", content)


def test_the_columns_of_the_first_table_are_explained(tmp_path: Path) -> None:
    for run in (with_scores(tmp_path / "ranked"), rated(tmp_path)):
        content = page(run)
        explained = re.findall("<dt>(.*?)</dt>", content.partition("How to read this")[2].partition("</details>")[0])
        assert {"Case", "p (Holm)", *run.table().header[1:]} - {"item mean", "global mean"} == {*explained}
        assert "not corrected for several measures" in content


def test_of_several_runs_those_with_scores_are_named(tmp_path: Path) -> None:
    shown = section(page(without_scores(tmp_path / "bare"), with_scores(tmp_path / "scored")), CALIBRATION)
    assert re.findall("<h3>(.*?)</h3>", shown) == ["scored"]


def test_of_several_runs_each_is_compared_with_recall_order(tmp_path: Path) -> None:
    """A colleague asks first whether the method beats the retriever, and a comparison of two methods does not say."""
    runs = [without_scores(tmp_path / "plain"), with_scores(tmp_path / "scored")]
    shown, title = page(*runs), "Each Run compared with its baselines"
    assert re.findall("<h3>(.*?)</h3>", section(shown, title)) == ["plain", "scored"]
    assert all(html.escape(said) in section(shown, title) for run in runs for said in run.metrics.verdict())
    assert "from recall order" in section(shown, title) and section(page(runs[0]), title) == ""


def test_settings_that_only_one_of_two_methods_has_are_not_listed(tmp_path: Path) -> None:
    """A colleague reads the first line: a penalty of 0.0 that only prompts have says nothing there."""
    many = [case(f"u{user}", n=6) for user in range(4)]
    usual = {"data": "ml-100k", "prompt": "rankgpt", "sampling.presence_penalty": 0.0, "order": "shuffled", "seed": 0}
    rankings = [shuffled(one, 0) for one in many]
    runs = [
        make_run(tmp_path / name, many, rankings, settings=settings)
        for name, settings in (
            ("bare", {"data": "ml-100k", "ranker": "bm25", "order": "recall", "seed": 0}),
            ("asked", usual),
            ("more", {**usual, "shots": 3}),
        )
    ]
    what = re.compile("<p class=what>(.*?)</p>")
    assert what.findall(page(*runs[:2]))[0] == "bare (bm25) → asked (rankgpt, order shuffled): 4 Cases of ml-100k"
    assert what.findall(page(*runs[1:]))[0] == "asked (rankgpt) → more (rankgpt, shots 3): 4 Cases of ml-100k"


def test_counts_of_a_method_that_asks_no_model_are_no_probabilities(tmp_path: Path) -> None:
    run = lr.evaluate([case(f"u{user}", n=6) for user in range(4)], ranker="bm25", out=tmp_path / "run", progress=False)
    assert section(page(run), CALIBRATION) == ""


def test_what_the_answers_took_is_shown_for_each_run_that_asks(tmp_path: Path) -> None:
    run = with_scores(tmp_path / "run")
    shown = section(page(run), "Calls, tokens and seconds per Case")
    assert all(name in shown for name in ("calls", "prompt tokens", "completion tokens", "seconds", "p50", "p95"))
    assert "3,000" in shown, "100 prompt tokens for each of 30 Cases"


def test_the_depths_are_drawn_where_the_table_has_them(tmp_path: Path) -> None:
    run = with_scores(tmp_path / "run")
    found, shown = run.depth(), section(page(run), "Reranking only the first candidates")
    assert all(cell in shown for row in found.table().rows for cell in row)
    places = [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.-]+)" cy="([\d.-]+)"', shown)]
    assert len(places) == len(found.points) == 5, "1, 2, 3 and 5 of 6, and all"
    assert [x for x, _ in places] == sorted({x for x, _ in places})
    assert all(40 <= x <= 360 and 0 <= y <= 230 for x, y in places)
    best, least = (pick(found, key=lambda one: one.value or 0) for pick in (max, min))
    heights = dict(zip((one.n for one in found), (y for _, y in places), strict=True))
    assert heights[best.n] == min(heights.values()) and heights[least.n] == max(heights.values())
    [line] = re.findall(r'class="beside" x1="[\d.]+" y1="([\d.]+)" x2="[\d.]+" y2="([\d.]+)"', shown)
    assert float(line[0]) == float(line[1]) == heights[1], "recall order, of which nothing is reranked"
    alone = [case(f"u{user}", n=1) for user in range(3)]
    bare = make_run(tmp_path / "bare", alone, [Ranking((one.candidates[0].item_id,)) for one in alone])
    assert "<svg" not in section(page(bare), "Reranking only the first candidates")


def test_cost_against_quality_is_drawn_for_several_runs(tmp_path: Path) -> None:
    runs = [with_scores(tmp_path / "scored"), without_scores(tmp_path / "bare")]
    shown = section(page(*runs), COST)
    assert shown.count("<circle") == 2 and "tokens per Case" in shown and "on the front" in shown
    assert all(cell in shown for row in pareto(*runs).table().rows for cell in row)
    assert section(page(runs[0]), COST) == ""


def test_no_cost_is_drawn_where_nothing_costs_anything(tmp_path: Path) -> None:
    cases = [case(f"u{user}", n=6) for user in range(4)]
    runs = [lr.evaluate(cases, ranker=name, out=tmp_path / name, progress=False) for name in ("bm25", "recall_order")]
    assert section(page(*runs), COST) == ""


def test_runs_about_ratings_have_costs_and_no_audits(tmp_path: Path) -> None:
    content = page(*(with_ratings(tmp_path / f"{value}", value) for value in (2.0, 4.0)))
    assert "RMSE (lower is better)" in section(content, COST)
    assert section(content, "Calls, tokens and seconds per Case").count("<h3>") == 2
    assert section(content, "Audits") == section(content, "Gains by group") == section(content, CALIBRATION) == ""


def test_of_ratings_it_is_shown_what_they_add_to_the_means(tmp_path: Path) -> None:
    title = "What the predicted ratings add to the user and item means"
    run = rated(tmp_path)
    shown = section(page(run), title)
    assert all(cell in shown for row in run.personal().table().rows for cell in row) and "means alone" in shown
    assert section(page(with_ratings(tmp_path / "bare", 3.0)), title) == "", "no training ratings"


@pytest.mark.parametrize("costs", [(0, 0, 5), (3, 3, 3), (0, 1, 40_000), (2, 90, 4000), (0.0004, 0.02, 0.3)])
@pytest.mark.parametrize("values", [(0.1, 0.2, 0.3), (0.2, 0.2, 0.2)])
def test_every_point_and_name_stands_within_the_picture(costs: tuple[float, ...], values: tuple[float, ...]) -> None:
    points = [
        ParetoPoint(f"<b>{name}</b>", value, (value - 0.05, value + 0.1), cost, on_front=True)
        for name, value, cost in zip("abc", values, costs, strict=True)
    ]
    drawn = pictures.pareto(Pareto("NDCG@10", False, "tokens per Case", 9, (*points, ParetoPoint("?", None, None, 1))))
    places = re.findall(r'cx="([\d.-]+)" cy="([\d.-]+)"', drawn)
    assert len(places) == 3 and len(set(places)) == 3
    assert all(40 <= float(x) <= 400 and 0 <= float(y) <= 290 for x, y in places)
    assert "<b>" not in drawn and "&lt;b&gt;a" in drawn
    assert len(re.findall('class="tick"', drawn)) < 20


def test_the_audits_that_need_a_run_alone_are_there_by_themselves(tmp_path: Path) -> None:
    run = with_scores(tmp_path / "run", order="shuffled")
    shown = section(page(run), "Audits")
    for audit in (position(run), popularity(run)):
        assert html.escape(audit.question) in shown and html.escape(audit.sentence) in shown
        assert all(html.escape(cell) in shown for row in audit.table().rows for cell in row)
    assert shown.count("<svg") == len(position(run).rows) + len(popularity(run).rows)
    in_order = section(page(with_scores(tmp_path / "in_order", order="recall")), "Audits")
    assert position(run).question not in in_order and popularity(run).question in in_order


def test_audits_of_two_runs_name_their_run(tmp_path: Path) -> None:
    one, other = (with_scores(tmp_path / name, order="shuffled") for name in ("one", "other"))
    shown = section(page(one, other, audits=[position(one)]), "Audits")
    for name in ("one", "other"):
        assert shown.count(f"<p class=what>{name}</p>") == 2
    assert shown.count(position(one).question) == shown.count(popularity(one).question) == 2


def test_audits_that_are_given_are_shown_once_and_as_text(tmp_path: Path) -> None:
    run = with_scores(tmp_path / "run", order="shuffled")
    rows = (
        AuditRow(HOSTILE, 0.5, (0.4, 0.6), 9, 0.1),
        AuditRow("nothing", None, None, 0),
        AuditRow("d", 2.0, None, 9, 0.0, 0.01),
    )
    given = Audit(f"Is it {HOSTILE}?", HOSTILE, rows, about=HOSTILE)
    shown = section(page(run, audits=[position(run), given]), "Audits")
    assert shown.count(position(run).question) == 1
    assert "<script" not in shown and "<img" not in shown and shown.count(html.escape(HOSTILE)) == 4
    assert "p (Holm)" in shown and "without bias" in shown
