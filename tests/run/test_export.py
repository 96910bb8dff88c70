"""An exported Run, scored by other tools, has the same numbers."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import ir_measures
import pyarrow.parquet as pq
import pytest
import pytrec_eval

from llmrank.data.trec import read_trec_run
from llmrank.errors import InputError
from llmrank.evaluation.training_data import TrainingData
from llmrank.report import write_page
from llmrank.run import Run
from llmrank.run.export import export_notes
from llmrank.run.metrics import measures_of
from llmrank.types import Case, Event, Item, Outcome, Ranking
from tests.run.making import UNPARSED, case, how, make_run, shuffled

CASES = [case(f"u{user:02}", relevant=1 + user % 3) for user in range(30)]


@pytest.mark.parametrize("name", ["records.jsonl", "cases.parquet"])
def test_a_run_is_never_overwritten_by_its_export(tmp_path: Path, name: str) -> None:
    run = make_run(tmp_path / "run", CASES[:3], [shuffled(one, 1) for one in CASES[:3]])
    with pytest.raises(InputError, match="would overwrite the input"):
        run.export(run.path / name, "parquet", overwrite=True)
    with pytest.raises(InputError, match="would overwrite the input"):
        write_page(run.path / name, run, overwrite=True)
    assert len(Run(run.path).records) == 3


def read_run(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text().splitlines():
        case_id, _, item_id, _, score, _ = line.split()
        found.setdefault(case_id, {})[item_id] = float(score)
    return found


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for line in path.read_text().splitlines():
        case_id, _, item_id, relevance = line.split()
        found.setdefault(case_id, {})[item_id] = int(relevance)
    return found


@pytest.fixture
def strict(tmp_path: Path) -> Run:
    return make_run(tmp_path / "strict", CASES, [shuffled(one, 1) for one in CASES])


@pytest.fixture
def partial(tmp_path: Path) -> Run:
    """As models answer: some name five items, and three cannot be read."""
    rankings = [shuffled(one, 1, named=5, outcome=Outcome.REPAIRED) for one in CASES]
    return make_run(tmp_path / "partial", CASES, [replace(r, **UNPARSED) for r in rankings[:3]] + rankings[3:])


def test_pytrec_eval_gives_the_same_numbers(strict: Run, tmp_path: Path) -> None:
    run, qrels = map(Path, strict.export(tmp_path / "out.trec", "trec"))
    names = {
        "NDCG@10": "ndcg_cut_10",
        "NDCG@5": "ndcg_cut_5",
        "MRR": "recip_rank",
        "HR@10": "success_10",
        "HR@1": "success_1",
    }
    theirs = pytrec_eval.RelevanceEvaluator(read_qrels(qrels), set(names.values())).evaluate(read_run(run))
    for ours, name in names.items():
        values = dict(zip([one.case_id for one in strict.cases], strict.per_case(ours), strict=True))
        assert values == pytest.approx({case_id: found[name] for case_id, found in theirs.items()}, abs=1e-9)


def test_ranx_gives_the_same_numbers(strict: Run, tmp_path: Path) -> None:
    import ranx

    run, qrels = map(str, strict.export(tmp_path / "out.trec", "trec"))
    names = {"NDCG@10": "ndcg@10", "NDCG@5": "ndcg@5", "MRR": "mrr", "HR@10": "hit_rate@10", "HR@1": "hit_rate@1"}
    qrels, run = ranx.Qrels.from_file(qrels, kind="trec"), ranx.Run.from_file(run, kind="trec")
    theirs = ranx.evaluate(qrels, run, list(names.values()))
    for ours, name in names.items():
        assert strict.metrics[ours].value == pytest.approx(theirs[name], abs=1e-9)


def test_ties_are_equal_scores_and_unread_cases_have_no_lines(partial: Run, tmp_path: Path) -> None:
    run, qrels = partial.export(tmp_path / "out.trec", "trec")
    scores = read_run(run)
    assert len(scores) == 27 and len(read_qrels(qrels)) == 30
    for one in CASES[3:]:
        assert set(scores[one.case_id]) == {item.item_id for item in one.candidates}
        assert sorted(scores[one.case_id].values(), reverse=True) == [20, 19, 18, 17, 16, *[15] * 15]
    # Over the first five places there are no ties, and a Case that is absent counts as zero here too.
    measures = [ir_measures.parse_measure(text) for text in ("nDCG@5", "Success@1", "Success@5")]
    theirs = ir_measures.calc_aggregate(
        measures, ir_measures.read_trec_qrels(str(qrels)), ir_measures.read_trec_run(str(run))
    )
    for measure, ours in zip(measures, ("NDCG@5", "HR@1", "HR@5"), strict=True):
        assert partial.measure(ours)[ours].value == pytest.approx(theirs[measure], abs=1e-9)


def test_with_ties_our_value_lies_between_their_luck_and_their_misfortune(partial: Run, tmp_path: Path) -> None:
    run, qrels = partial.export(tmp_path / "out.trec", "trec")
    scores, truth = read_run(run), read_qrels(qrels)
    evaluator = pytrec_eval.RelevanceEvaluator(truth, {"recip_rank"})
    ends = []
    for sign in (1, -1):
        nudged = {
            case_id: {item_id: score + sign * 0.1 * (item_id in truth[case_id]) for item_id, score in items.items()}
            for case_id, items in scores.items()
        }
        ends.append(evaluator.evaluate(nudged))
    for one, ours in zip(partial.cases[3:], partial.per_case("MRR")[3:], strict=True):
        lucky, unlucky = (end[one.case_id]["recip_rank"] for end in ends)
        assert unlucky - 1e-12 <= ours <= lucky + 1e-12
    assert any(ends[0][one.case_id] != ends[1][one.case_id] for one in CASES[3:])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_row_per_candidate(partial: Run, tmp_path: Path, form: str) -> None:
    (path,) = partial.export(tmp_path / f"out.{form}", form)  # type: ignore[arg-type]
    if form == "csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = pq.read_table(path).to_pylist()
    offered = [row for row in rows if row["recall_rank"] not in ("", None)]
    assert len(offered) == 30 * 20
    missed = [(row["case_id"], row["item_id"], float(row["relevant"])) for row in rows if row not in offered]
    outside = [(one.case_id, *({*one.relevant} - {item.item_id for item in one.candidates})) for one in CASES]
    assert missed == [(*found, 1.0) for found in outside if len(found) == 2] and missed
    mine = [row for row in offered if row["case_id"] == "u05"]
    assert [row["item_id"] for row in mine] == list(partial.records["u05"].ranking.order)
    assert [str(row["placed"]) for row in mine] == ["True"] * 5 + ["False"] * 15
    assert {row["item_id"] for row in mine if float(row["relevant"])} == set(CASES[5].relevant) - {"missed"}
    recall = {item.item_id: place for place, item in enumerate(CASES[5].candidates, 1)}
    assert {row["item_id"]: int(row["recall_rank"]) for row in mine} == recall


def test_a_table_for_a_paper(strict: Run, tmp_path: Path) -> None:
    (latex,), (markdown,) = (strict.export(tmp_path / form, form) for form in ("latex", "markdown"))
    value = f"{strict.metrics['NDCG@10'].value:.4f}"
    assert f"NDCG@10 & {value} &" in latex.read_text() and f"| NDCG@10 | {value} |" in markdown.read_text()


def test_the_scores_of_the_method_stand_beside_those_for_other_tools(tmp_path: Path) -> None:
    scored = replace(shuffled(CASES[0], 1), scores=tuple(-0.5 * at for at in range(20)))
    unscored = shuffled(CASES[1], 1)
    file = tmp_path / "out.parquet"
    make_run(tmp_path / "run", CASES[:2], [scored, unscored]).export(file, "parquet")
    rows = [row for row in pq.read_table(file).to_pylist() if row["recall_rank"] is not None]
    first, second = ([row for row in rows if row["case_id"] == one.case_id] for one in CASES[:2])
    assert [(row["score"], row["method_score"]) for row in first] == [(20 - at, -0.5 * at) for at in range(20)]
    assert {row["method_score"] for row in second} == {None}


def test_ratings_as_csv_and_not_as_trec(tmp_path: Path) -> None:
    cases = [Case("u", (Event(Item("h", "Seen"), 4.0),), target=Item("t", "Film"), rating=5.0)]
    means = TrainingData(lambda: cases).rating_means
    settings = how("ratings", measures=measures_of(None, "rating"), rating_means=means)
    run = make_run(tmp_path / "run", cases, [Ranking(("t",), (3.5,))], metric_settings=settings)
    text = run.export(tmp_path / "out.csv", "csv")[0].read_text()
    assert "u,u,t,Film,1,3.5,True,5.0,ok,3.5" in text
    with pytest.raises(InputError, match="not a TREC run"):
        run.export(tmp_path / "out.trec", "trec")


def test_what_cannot_be_exported_is_refused_and_nothing_is_left(strict: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="use one of trec, csv"):
        strict.export(tmp_path / "x", "xml")  # type: ignore[arg-type]
    (tmp_path / "there").write_text("mine")
    with pytest.raises(InputError):
        strict.export(tmp_path / "there", "csv")
    assert (tmp_path / "there").read_text() == "mine"
    assert strict.export(tmp_path / "there", "csv", overwrite=True)
    spaced = [replace(one, candidates=(Item("a b", "Film"), *one.candidates[1:])) for one in CASES[:1]]
    run = make_run(tmp_path / "spaced", spaced, [shuffled(one, 1) for one in spaced])
    with pytest.raises(InputError, match="white space"):
        run.export(tmp_path / "out.trec", "trec")
    assert not (tmp_path / "out.trec").exists()


def test_the_recall_rank_is_that_of_the_recall_scores(tmp_path: Path) -> None:
    one = replace(CASES[0], candidates=CASES[0].candidates[::-1], recall_scores=(CASES[0].recall_scores or ())[::-1])
    run = make_run(tmp_path / "run", [one], [shuffled(one, 1)])
    rows = csv.DictReader((run.export(tmp_path / "out.csv", "csv")[0]).read_text().splitlines())
    places = {row["item_id"]: int(row["recall_rank"]) for row in rows}
    assert places == {item.item_id: place for place, item in enumerate(CASES[0].candidates, 1)}


def test_candidates_of_one_recall_score_share_a_recall_rank(tmp_path: Path) -> None:
    one = replace(CASES[0], recall_scores=(9.0, 8.0, 8.0, 8.0, *(float(7 - place) for place in range(16))))
    [path] = make_run(tmp_path / "run", [one], [shuffled(one, 1)]).export(tmp_path / "out.parquet", "parquet")
    ranks = {row["item_id"]: row["recall_rank"] for row in pq.read_table(path).to_pylist()}
    assert [ranks[item.item_id] for item in one.candidates] == [1, 2, 2, 2, *range(5, 21)]


def test_grades_of_relevance_are_kept(tmp_path: Path) -> None:
    one = replace(CASES[5], relevant=tuple(item.item_id for item in CASES[5].candidates[:2]), gains=(3.0, 0.5))
    [path] = make_run(tmp_path / "graded", [one], [shuffled(one, 1)]).export(tmp_path / "out.parquet", "parquet")
    rows = pq.read_table(path).to_pylist()
    assert {row["item_id"]: row["relevant"] for row in rows if row["relevant"]} == one.gain_of


def test_a_trec_run_named_gz_is_packed_and_read_back(strict: Run, tmp_path: Path) -> None:
    plain, _ = map(Path, strict.export(tmp_path / "out.trec", "trec"))
    packed, qrels = map(Path, strict.export(tmp_path / "packed.trec.gz", "trec"))
    assert qrels.name == "packed.qrels"
    assert packed.read_bytes()[:2] == b"\x1f\x8b"
    assert read_trec_run(packed).data.equals(read_trec_run(plain).data)


def test_a_trec_run_and_its_qrels_are_two_files_or_none(strict: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="relevance judgements"):
        strict.export(tmp_path / "out.qrels", "trec", overwrite=True)
    (tmp_path / "out.trec").write_text("mine")
    with pytest.raises(InputError, match="already exists"):
        strict.export(tmp_path / "out.trec", "trec")
    assert not (tmp_path / "out.qrels").exists()


def test_numbers_show_themselves_as_their_table(strict: Run) -> None:
    numbers = strict.measure("NDCG@1..3")
    assert repr(numbers) == f"{len(CASES)} Cases, {numbers.evaluation}\n{numbers.table()}"
    assert numbers.table().to_html() in numbers._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert str(strict) == f"{strict.name}: {strict.metrics}"


def test_what_other_tools_count_otherwise_is_said(partial: Run, strict: Run) -> None:
    assert list(export_notes(strict, "trec")) == [] == list(export_notes(partial, "csv"))
    unread, tied = export_notes(partial, "trec")
    assert unread.startswith("3 of 30 Cases have no readable answer and no line in the run file: use trec_eval -c")
    assert tied.startswith("27 of 30 Cases have tied items, which trec_eval orders by id")


def test_one_case_is_counted_in_the_singular(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", CASES[:1], [replace(shuffled(CASES[0], 1), **UNPARSED)])
    (unread,) = export_notes(run, "trec")
    assert unread.startswith("1 of 1 Case has no readable answer")
