"""`lr.score`: what is wrong with the answers of a system is listed, or left out and counted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import llmrank as lr
from llmrank.errors import InputError


def test_rows_with_faults_are_listed_or_left_out_and_counted(tmp_path: Path) -> None:
    row = {"candidates": [{"item_id": "1", "title": "A"}, {"item_id": "2", "title": "B"}], "relevant": ["2"]}
    rows = [{**row, "user_id": "a", "response": "B"}, {**row, "user_id": "b"}, {**row, "user_id": "c", "response": 3}]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    with pytest.raises(InputError, match=r"2 rows are invalid(.|\n)*skip_bad_rows=True"):
        lr.score(path, out=tmp_path / "run")
    run = lr.score(path, out=tmp_path / "run", skip_bad_rows=True)
    assert [case.user_id for case in run.cases] == ["a"]
    assert "2 invalid rows were skipped." in run.metrics.notes


def test_a_table_is_scored_like_the_file(tmp_path: Path) -> None:
    row = {"candidates": [{"item_id": "1", "title": "A"}, {"item_id": "2", "title": "B"}], "relevant": ["2"]}
    rows = [{**row, "user_id": "a", "response": "B"}, {**row, "user_id": "b", "response": None}]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    of_file = lr.score(tmp_path / "answers.jsonl", out=tmp_path / "file")
    of_table = lr.score(pd.DataFrame(rows), out=tmp_path / "table")
    assert of_table.metrics.measures == of_file.metrics.measures
    assert of_file.title == "answers read as titles on answers.jsonl"
    assert of_file.records["a"].finish_reasons == ("unknown",)
    assert of_table.metrics.outcomes == of_file.metrics.outcomes == {"ok": 0, "repaired": 1, "unparsed": 0, "error": 1}
    other = [rows[0] | {"response": "A"}, rows[1]]
    with pytest.raises(InputError, match="other settings"):
        lr.score(pd.DataFrame(other), out=tmp_path / "table")


def test_a_misspelt_column_beside_the_response_is_found_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    row = {"user_id": "a", "candidates": [{"item_id": "1", "title": "A"}], "relevant": ["1"], "response": "A"}
    path.write_text(json.dumps({**row, "reponse": "B"}) + "\n")
    with pytest.raises(InputError, match=r"answers.jsonl, line 1, field 'reponse'.*did you mean 'response'"):
        lr.score(path, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def rated(tmp_path: Path, ratings: tuple[float, ...] = (1, 5, 4, 2)) -> Path:
    path = tmp_path / "rated.jsonl"
    rows = [
        {"user_id": f"u{n}", "target": {"item_id": "i", "title": "Heat"}, "rating": rating, "response": word}
        for n, (rating, word) in enumerate(zip(ratings, ("No", "Yes", "Yes", "No"), strict=True))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_yes_and_no_about_ratings_are_measured_by_their_order_alone(tmp_path: Path) -> None:
    run = lr.score(rated(tmp_path), "yes_no", out=tmp_path / "run")
    assert [str(measure) for measure in run.metric_settings.measures] == ["AUC"]
    assert run.metrics["AUC"].value == 1.0
    refused = r"needs predicted ratings on the scale of the true ones, not yes/no answers\n.*choose AUC"
    with pytest.raises(InputError, match=f"RMSE {refused}"):
        lr.score(rated(tmp_path), "yes_no", measures="RMSE", out=tmp_path / "other")
    with pytest.raises(InputError, match=f"MAE {refused}"):
        run.measure("AUC,MAE")
    with pytest.raises(InputError, match=f"RMSE {refused}"):
        run.per_case("RMSE")
    with pytest.raises(InputError, match=f"RMSE {refused}"):
        lr.compare(lr.score(rated(tmp_path), "rating", out=tmp_path / "rated"), run, measures="RMSE")
    with pytest.raises(InputError, match="no predictions of ratings such as 1 to 5"):
        run.calibration()
    assert {name for record in run.records.values() for name in record.measures} == set()
    both = lr.score(rated(tmp_path, (0, 1, 1, 0)), "yes_no", scale=(0.0, 1.0), out=tmp_path / "third")
    assert both.metrics["RMSE"].value == 0.0


def test_what_eval_notes_of_the_cases_is_noted_of_scored_answers(tmp_path: Path) -> None:
    item = {"item_id": "i", "title": "Heat"}
    rows = [
        {"user_id": "u", "case_id": f"c{n}", "candidates": [item], "relevant": [name], "response": "Heat"}
        for n, name in enumerate(("i", "elsewhere"))
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    notes = lr.score(path, "titles", out=tmp_path / "run").metrics.notes
    assert "2 Cases of 1 user: intervals and tests are over users." in notes
    assert "2 Cases have no history." in notes
    assert "No candidate is relevant in 1 Case (missed by recall): counted as zero." in notes


def test_an_answer_format_that_does_not_fit_the_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^field 'answer': the rows of .* which titles does not support\n.*yes_no"):
        lr.score(rated(tmp_path), "titles", out=tmp_path / "run")
    ranked = tmp_path / "ranked.jsonl"
    row = {"user_id": "u", "candidates": [{"item_id": "i", "title": "Heat"}], "relevant": ["i"], "response": "4"}
    ranked.write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=r'to rank, which rating does not support\n.*"target": .*"rating": 4'):
        lr.score(ranked, "rating", out=tmp_path / "run")


def test_the_rows_that_the_docs_show_are_measured(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "running.md").read_text("utf-8")
    ranking, rating = re.findall(r"```json\n(.+)\n```", page)
    for answer, row, measure in (("titles", ranking, "HR@1"), ("rating", rating, "MAE")):
        path = tmp_path / f"{answer}.jsonl"
        path.write_text(row)
        run = lr.score(path, answer, out=tmp_path / answer)
        assert run.metrics[measure].value == (1.0 if answer == "titles" else 0.0)
        assert run.metrics.outcomes["ok"] == 1


def ordered(ids: Sequence[str], named: str, count: int = 3) -> Any:
    """Return rows whose candidates stand in another order each, with perfect answers that name ids or positions."""
    rows = list[dict[str, object]]()
    for n in range(count):
        shown = [*ids[n + 1 :], *ids[: n + 1]]
        best = [*shown[n + 2 :], *shown[: n + 2]]
        names = best if named == "ids" else [str(shown.index(one) + 1) for one in best]
        titles = [f"{place}. Film {one}" for place, one in enumerate(best, 1)]
        answer = "\n".join(titles) if named == "titles" else " > ".join(f"[{name}]" for name in names)
        candidates = [{"item_id": one, "title": f"Film {one}"} for one in shown]
        rows.append({"user_id": f"u{n}", "candidates": candidates, "relevant": [best[0]], "response": answer})
    return pd.DataFrame(rows)


TEN = [f"{n}" for n in range(1, 11)]


@pytest.mark.parametrize("answer", ["titles", "permutation"])
@pytest.mark.parametrize("ids", [TEN, [f"{n:02}" for n in range(1, 11)], [f"{31 * n}" for n in range(1, 11)]])
def test_numbers_that_may_be_item_ids_are_not_taken_for_positions(
    tmp_path: Path, ids: Sequence[str], answer: str
) -> None:
    problem = r"^field 'ids': the answers may name candidates by their item ids.*user u0"
    with pytest.raises(InputError, match=problem) as raised:
        lr.score(ordered(ids, "ids"), answer, out=tmp_path / "run")
    assert raised.value.hint == "say what they name: --ids item_id, or --ids numbers for positions"
    run = lr.score(ordered(ids, "ids"), answer, ids="item_id", out=tmp_path / "run")
    assert run.metrics["NDCG@10"].value == 1.0
    assert run.settings["ids"] == "item_id"


def test_positions_that_are_also_item_ids_are_refused_until_the_ids_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hint: say what they name"):
        lr.score(ordered(TEN, "positions"), "permutation", out=tmp_path / "run")
    run = lr.score(ordered(TEN, "positions"), "permutation", ids="numbers", out=tmp_path / "run")
    assert run.metrics["NDCG@10"].value == 1.0


@pytest.mark.parametrize(
    ("ids", "named"),
    [
        (TEN, "titles"),  # the numbers of the list are item ids too, but the titles decide
        ([f"{n}" for n in range(10)], "positions"),  # nine of ten numbers are item ids, but ten of ten are positions
        ([f"{31 * n}" for n in range(1, 11)], "positions"),
    ],
)
def test_answers_that_can_be_read_in_one_way_need_no_ids(tmp_path: Path, ids: Sequence[str], named: str) -> None:
    run = lr.score(ordered(ids, named), out=tmp_path / "run")
    assert run.metrics["NDCG@10"].value == 1.0
    assert run.settings["ids"] == "numbers"


def test_item_ids_that_are_the_positions_need_no_ids(tmp_path: Path) -> None:
    candidates = [{"item_id": one, "title": f"Film {one}"} for one in TEN]
    row = {"user_id": "u", "candidates": candidates, "relevant": ["7"], "response": " > ".join(reversed(TEN))}
    assert lr.score(pd.DataFrame([row]), out=tmp_path / "run").metrics.outcomes["ok"] == 1


def test_the_scale_is_widened_as_in_an_evaluation_unless_it_is_given(tmp_path: Path) -> None:
    answers, out = rated(tmp_path, (0.5, 5, 4, 2)), tmp_path / "run"
    with pytest.raises(InputError, match=r"0.5 is outside the scale 1 to 5\n.*the ratings: scale=\(0.5, 5\)"):
        lr.score(answers, "yes_no", scale=(1.0, 5.0), out=out)
    assert not out.exists()
    run = lr.score(answers, "yes_no", out=out)
    asked = lr.load_cases(answers, task="rating", progress=False)
    assert run.metric_settings.scale == asked.training.scale == (0.5, 5.0)
    assert lr.score(answers, "yes_no", scale=(0.5, 5.0), out=out).metrics == run.metrics
    assert lr.score(rated(tmp_path, (0, 1, 1, 0)), "yes_no", out=tmp_path / "likes").metrics["RMSE"].value == 0.0
