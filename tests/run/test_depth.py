"""What a Run would be worth had fewer candidates been reranked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmrank.errors import InputError
from llmrank.types import Ranking
from tests.run.making import UNPARSED, case, make_run, shuffled

CASES = [case(f"u{user:02}", relevant=2) for user in range(30)]


def test_all_candidates_give_the_runs_own_value_and_one_gives_recall_order(tmp_path: Path) -> None:
    rankings = [
        shuffled(one, 1, **UNPARSED) if place % 5 == 0 else shuffled(one, 1, named=4) for place, one in enumerate(CASES)
    ]
    run = make_run(tmp_path / "run", CASES, rankings)
    for measure in ("NDCG@10", "MRR", "HR@1"):
        first, *_, last = run.depth(measure)
        assert (first.n, first.difference) == (1, 0)
        assert first.value == pytest.approx(run.recall_order(measure).mean())
        assert last.n == 20 and last.value == pytest.approx(run.metrics[measure].value)
        assert last.ci95 == pytest.approx(run.metrics[measure].ci95)
        assert last.difference == pytest.approx(run.metrics[measure].versus["recall_order"].difference)


@pytest.mark.parametrize(("measure", "last"), [("HR@3", 3), ("Recall@5", 5), ("NDCG@3", 1), ("MRR", 1)])
def test_what_no_order_of_the_first_changes_has_no_interval(tmp_path: Path, measure: str, last: int) -> None:
    """Whether a film of the first three is first or third, HR@3 is 1: also if recall scores tie across the places."""
    cases = [
        replace(one, recall_scores=(3.0, 2.0, *(1.0,) * 18)) if place % 2 else one for place, one in enumerate(CASES)
    ]
    run = make_run(tmp_path / "run", cases, [shuffled(one, 1) for one in cases])
    for point in run.depth(measure):
        fixed = point.difference_ci95 == (0, 0) and point.difference == 0
        assert fixed == (point.n <= last), point
        if fixed:
            assert point.value == pytest.approx(run.recall_order(measure).mean())


def test_only_the_first_are_moved(tmp_path: Path) -> None:
    """The relevant item is third; the method puts it first, and what stands behind it in the list has no part in it."""
    one = case("u", n=20)
    wanted = replace(one, relevant=(one.candidates[2].item_id,))
    ids = [item.item_id for item in one.candidates]
    run = make_run(
        tmp_path / "run", [wanted], [Ranking((ids[19], ids[2], *(x for x in ids if x not in (ids[2], ids[19]))))]
    )
    assert {point.n: point.value for point in run.depth("MRR")} == {
        1: pytest.approx(1 / 3),
        2: pytest.approx(1 / 3),
        3: 1,
        5: 1,
        10: 1,
        15: 1,
        20: 0.5,
    }
    assert run.depth().to_markdown().startswith("| reranked |") and "% difference" in run.depth().to_latex()
    assert "reranked" in str(run.depth()) and "<table>" in run.depth()._repr_html_()  # pyright: ignore[reportPrivateUsage]


def test_gains_of_an_unanswered_case_stand_at_their_worst_at_every_depth(tmp_path: Path) -> None:
    cases = [replace(one, gains=tuple(float(place + 1) for place in range(len(one.relevant)))) for one in CASES]
    run = make_run(tmp_path / "run", cases, [shuffled(one, 1, **UNPARSED) for one in cases])
    *_, last = run.depth("NDCG@10")
    assert last.value == pytest.approx(run.metrics["NDCG@10"].value)


def test_the_first_are_those_of_the_recall_scores_however_the_file_lists_them(tmp_path: Path) -> None:
    turned = [
        replace(one, candidates=one.candidates[::-1], recall_scores=(one.recall_scores or ())[::-1]) for one in CASES
    ]
    runs = [
        make_run(tmp_path / name, cases, [shuffled(one, 1) for one in CASES])
        for name, cases in (("sorted", CASES), ("turned", turned))
    ]
    assert runs[0].depth() == runs[1].depth()
    assert runs[0].groups() == runs[1].groups()


def test_ratings_have_no_depth(tmp_path: Path) -> None:
    one = case("u")
    rated = replace(one, candidates=(), recall_scores=None, relevant=(), target=one.candidates[0], rating=3.0)
    run = make_run(tmp_path / "run", [rated], [Ranking((one.candidates[0].item_id,), (4.0,))], finish=False)
    with pytest.raises(InputError, match="no recall order"):
        run.depth("NDCG@10")
    with pytest.raises(InputError, match="no recall order"):
        run.groups("NDCG@10")


def test_what_the_recall_stage_ties_has_no_place_of_its_own(tmp_path: Path) -> None:
    """All recall scores are equal, so the order of the file says nothing: neither of depth nor of groups."""
    tied = [replace(one, recall_scores=(1.0,) * 20) for one in CASES]
    run = make_run(tmp_path / "run", tied, [shuffled(one, 1) for one in tied])
    first, second, *_, last = run.depth("NDCG@10")
    assert (first.n, first.difference, first.difference_ci95) == (1, 0, (0, 0))
    assert first.value == pytest.approx(run.recall_order("NDCG@10").mean())
    assert second.value == pytest.approx(first.value, abs=0.02)
    assert last.value == pytest.approx(run.metrics["NDCG@10"].value)
    assert [one.name for one in run.groups(by="recall place")] == ["11 to 20"]


def test_without_a_known_truth_there_is_no_depth(tmp_path: Path) -> None:
    unknown = [replace(one, relevant=()) for one in CASES[:3]]
    run = make_run(tmp_path / "run", unknown, [shuffled(one, 1) for one in unknown])
    assert not run.depth().points and not run.groups().groups
