"""The Run as an object: its folder is all that it needs."""

from __future__ import annotations

import json
import re
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llmrank.errors import InputError, MissingError
from llmrank.evaluation.training_data import TrainingData
from llmrank.measures import MAE, NDCG
from llmrank.rankers.order import Order
from llmrank.run import Run, RunFolder, load_run
from llmrank.run.metrics import MetricSettings, measures_of, metrics
from llmrank.run.plan import spread_of_run
from llmrank.types import Case, Event, Item, Outcome, Ranking
from tests.run.making import SETTINGS, UNPARSED, case, how, make_run, record, shuffled

CASES = [case(f"u{user:02}") for user in range(12)]
RANKINGS = [shuffled(one, 1) for one in CASES]
RANKINGS[3] = replace(RANKINGS[3], **UNPARSED)
RANKINGS[4] = replace(RANKINGS[4], named=5, outcome=Outcome.REPAIRED, repairs={"missing": 15}, matches={"exact": 5})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    make_run(tmp_path / "made", CASES, RANKINGS, metric_settings=how(popularity={"i1": 3}, notes=("A note.",)))
    shutil.move(tmp_path / "made", tmp_path / "moved")
    return load_run(tmp_path / "moved")


def test_what_was_evaluated_is_read_back(run: Run) -> None:
    assert list(run.cases) == CASES and len(run) == 12
    assert run.settings == SETTINGS and run.name == "moved"
    assert run.metric_settings.notes == ("A note.",)
    assert [run.records[one.case_id] for one in CASES] == [record(o, r) for o, r in zip(CASES, RANKINGS, strict=True)]
    assert run.metrics == metrics(CASES, run.records, run.metric_settings)
    assert run.title == "mine on made"


@pytest.mark.parametrize("adapter", ["ml-100k", "/home/me/ml-100k@41da3708ef8984d2a217e025e777bded"])
def test_the_title_names_the_adapter(tmp_path: Path, adapter: str) -> None:
    settings = SETTINGS | {"backend": {"model": "small", "adapter": adapter}}
    run = make_run(tmp_path / "run", CASES, RANKINGS, settings=settings)
    assert run.title == "mine on made, small + adapter ml-100k"


def test_its_files_are_for_their_owner_alone(run: Run) -> None:
    with RunFolder(run.path, SETTINGS) as folder:
        folder.replace(dict(run.records))
    files = sorted(path.name for path in run.path.iterdir())
    assert files == [
        *("cases.parquet", "evaluation.json", "manifest.json", "metrics.json", "metrics.json.before"),
        *("records.jsonl", "records.jsonl.before"),
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in run.path.iterdir()} == {0o600}


def test_inputs_are_written_once_and_a_half_written_folder_is_completed(tmp_path: Path) -> None:
    with RunFolder(tmp_path, SETTINGS) as folder:
        folder.keep_inputs(CASES, how())
        before = (tmp_path / "cases.parquet").read_bytes()
        folder.keep_inputs(CASES[:2], how())
        assert (tmp_path / "cases.parquet").read_bytes() == before
        (tmp_path / "evaluation.json").unlink()
        (tmp_path / "cases.parquet").write_bytes(before[:100])
        folder.keep_inputs(CASES, how())
    assert (tmp_path / "cases.parquet").read_bytes() == before


def test_values_per_case_are_those_of_the_records(run: Run) -> None:
    values = run.per_case("NDCG@10")
    assert values.dtype == np.float64 and values.shape == (12,)
    assert values.tolist() == [run.records[one.case_id].measures["NDCG@10"] for one in CASES]
    assert values.mean() == pytest.approx(run.metrics["NDCG@10"].value)
    assert run.per_case(NDCG(3)).shape == (12,)
    some = run.cases[7:2:-2]
    assert run.per_case("NDCG@10", some).tolist() == values[7:2:-2].tolist()
    with pytest.raises(InputError, match="MAE does not measure a ranking"):
        run.per_case("MAE")


def test_the_table_to_publish_has_the_bounds_and_the_baselines(run: Run) -> None:
    bounds = ("measure", "value", "95% CI", "answered only", "worst to best")
    assert run.table().header == (*bounds, "random", "popularity", "recall order", "ceiling")


def test_a_measure_is_computed_from_what_is_stored(run: Run) -> None:
    curve = run.measure("NDCG@1..20,NDCG@10")
    assert list(curve) == [f"NDCG@{k}" for k in range(1, 21)]
    assert curve["NDCG@10"].value == run.metrics["NDCG@10"].value
    assert curve["NDCG@10"].baselines == run.metrics["NDCG@10"].baselines
    assert curve.usage == run.metrics.usage and curve.headline == "NDCG@10"
    with pytest.raises(InputError, match="does not measure a ranking"):
        run.measure("RMSE")


def test_an_interrupted_run_has_records_and_no_numbers(tmp_path: Path) -> None:
    run = make_run(tmp_path, CASES, RANKINGS[:5], finish=False)
    assert (
        len(run.done) == 5 and np.isnan(run.per_case("MRR")[5:]).all() and not np.isnan(run.per_case("MRR")[:5]).any()
    )
    with pytest.raises(InputError, match="5 of 12 Cases done"):
        _ = run.metrics
    with pytest.raises(InputError, match="not done yet"):
        run["u07"]
    assert [story.case.user_id for story in run] == [one.user_id for one in CASES[:5]]


def test_a_run_stopped_after_its_last_case_says_what_is_missing(run: Run) -> None:
    (run.path / "metrics.json").unlink()
    with pytest.raises(InputError, match=r"the Run is not finished: metrics\.json is missing\n"):
        _ = load_run(run.path).metrics


def test_the_story_of_a_user(run: Run) -> None:
    story = run["u04"]
    assert story.case == CASES[4] and story.record == run.records["u04"] and story.shown == CASES[4].candidates
    text = str(story)
    for shown in ("user u04", "Seen", "1. Film", "an answer", "repaired", "missing 15", "exact 5", "◀ relevant"):
        assert shown in text
    assert "not placed, and tied last: 15 candidates" in text
    unread = str(run["u03"])
    assert "tied last" not in unread and "no readable answer: counted as worst" in unread
    missed = next(one for one in CASES if "missed" in one.relevant)
    assert "missed (item id)" in str(run[missed.user_id]) and "not a candidate" in str(run[missed.user_id])


def test_candidates_of_one_title_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    songs = (Item("a", "Hello"), Item("l", "Hello"), Item("y", "Yellow"))
    one = replace(CASES[0], candidates=songs, recall_scores=None, relevant=("l",))
    text = str(make_run(tmp_path, [one], [Ranking(("l", "y", "a"))])["u00"])
    assert "1. Hello [a]\n    2. Hello [l]\n    3. Yellow\n" in text
    assert re.search(r"Hello \[l\] +1 .*◀ relevant", text)


def test_the_gains_of_graded_relevance_are_shown(tmp_path: Path) -> None:
    songs = tuple(Item(letter, f"Song {letter}") for letter in "abc")
    one = replace(CASES[0], candidates=songs, recall_scores=None, relevant=("a", "c", "x"), gains=(5.0, 1.0, 2.5))
    text = str(make_run(tmp_path / "run", [one], [shuffled(one, 1)])[one.user_id])
    assert re.search(r"Song a .*◀ relevant, gain 5", text) and re.search(r"Song c .*◀ relevant, gain 1", text)
    assert re.search(r"x \(item id\) .*◀ relevant, gain 2.5", text)


def test_candidates_are_shown_in_the_order_that_the_model_saw(tmp_path: Path) -> None:
    run = make_run(tmp_path, CASES, RANKINGS, settings=SETTINGS | {"order": "shuffled", "seed": 7})
    assert run["u01"].shown == Order("shuffled", 7).arrange(CASES[1]).candidates != CASES[1].candidates


def test_in_a_notebook_foreign_text_is_escaped_and_on_a_terminal_harmless(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>\x1b[2J\u202e"
    one = replace(CASES[0], candidates=(Item("a", bad), Item("b", "Film")), recall_scores=None, relevant=("a",))
    run = make_run(tmp_path, [one], [Ranking(("a", "b"))])
    with RunFolder(tmp_path, SETTINGS) as folder:
        folder.add(record(one, Ranking(("a", "b")), bad))
    story = Run(tmp_path)["u00"]
    assert repr(story) == str(story)
    for shown in (story._repr_html_(), run._repr_html_()):
        assert "<script>" not in shown and "<table>" in shown
    assert "\x1b" not in str(story) and "\u202e" not in str(story) and "alert(1)" in str(story)


def test_an_unknown_user_is_named_with_the_nearest(run: Run) -> None:
    with pytest.raises(InputError, match="did you mean 'u0") as raised:
        run["uu4"]
    assert "its first Case is 'u00'" in str(raised.value)


def test_the_cases_that_lost_most_against_recall_order(run: Run) -> None:
    worst = run.worst(3)
    assert len(worst) == 3 and [lost for _, lost in worst] == sorted(lost for _, lost in worst)
    recalled = NDCG(10)
    for story, lost in worst:
        order = Ranking(tuple(item.item_id for item in story.case.candidates))
        assert lost == pytest.approx(
            run.per_case(recalled)[run.cases.index(story.case)] - record(story.case, order).measures["NDCG@10"]
        )
        assert lost < 0
    assert len(run.worst(99)) < 12


def test_without_a_known_truth_no_case_is_the_worst(tmp_path: Path) -> None:
    """It was said that none is worse than recall order."""
    cases = [replace(case(f"u{number}", n=4), relevant=()) for number in range(2)]
    unknown = make_run(tmp_path, cases, [Ranking(tuple(item.item_id for item in one.candidates)) for one in cases])
    with pytest.raises(InputError, match="no finished Case has a known truth"):
        unknown.worst()


def test_as_a_table_of_arrow_and_pandas(run: Run) -> None:
    table = run.to_arrow()
    assert table.num_rows == 12 and table["case_id"].to_pylist() == [one.case_id for one in CASES]
    assert table["NDCG@10"].to_pylist() == run.per_case("NDCG@10").tolist()
    assert len(table["placed"][4].as_py()) == 5 and table["placed"][3].as_py() == []
    assert table["gains"].to_pylist() == [[1.0] * len(one.relevant) for one in CASES]
    frame = run.to_pandas()
    assert frame.shape == (12, table.num_columns) and frame["outcome"].value_counts()["unparsed"] == 1


def test_without_pandas_the_hint_says_how_to_get_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingError, match="pip install pandas"):
        run.to_pandas()


def test_ratings(tmp_path: Path) -> None:
    history = (Event(Item("h", "Seen"), 4.0),)
    cases = [Case(f"u{n}", history, target=Item("t", "Film"), rating=float(n)) for n in (1, 3, 5)]
    rankings = [Ranking(("t",), (2.0,)), Ranking(("t",), (3.0,)), Ranking(("t",), outcome=Outcome.UNPARSED)]
    means = TrainingData(lambda: cases).rating_means
    settings = how("ratings", measures=measures_of(None, "rating"), rating_means=means)
    run = make_run(tmp_path, cases, rankings, metric_settings=settings)
    assert run.per_case(MAE()).tolist() == [1, 0, 4]
    assert run.to_arrow()["predicted"].to_pylist()[:2] == [2.0, 3.0]
    assert "true rating 5" in str(run["u5"])
    with pytest.raises(InputError, match="no recall order"):
        run.worst()


def test_no_folder_and_a_run_of_another_version(tmp_path: Path, run: Run) -> None:
    with pytest.raises(InputError, match=r"not a Run folder\n.*results/"):
        load_run(tmp_path / "nowhere")
    manifest = json.loads((run.path / "manifest.json").read_text())
    del manifest["format"]
    (run.path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"made by llmrank 0\.1\.0"):
        load_run(run.path)
    old = tmp_path / "old"
    old.mkdir()
    (old / "cases.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"llmrank 0\.1\.0"):
        RunFolder(old, {})


@pytest.mark.parametrize("name", ["metrics.json", "evaluation.json"])
def test_a_damaged_file_is_named(run: Run, name: str) -> None:
    (run.path / name).write_text('{"cases": 1}')
    with pytest.raises(InputError, match=f"{name}: damaged"):
        _ = (run.metrics, run.metric_settings)


def test_a_run_that_has_lost_records_says_so(run: Run) -> None:
    lines = (run.path / "records.jsonl").read_bytes().splitlines(keepends=True)
    (run.path / "records.jsonl").write_bytes(b"".join(lines[:-2]))
    with pytest.raises(InputError, match="10 of 12 Cases done"):
        load_run(run.path).measure("MRR")


@pytest.mark.parametrize("change", [{"scores": [2.0]}, {"scores": [1.0, 2.0]}, {"placed": ["a", "a"]}])
def test_a_damaged_record_is_named_by_its_line(run: Run, change: dict[str, list[object]]) -> None:
    lines = (run.path / "records.jsonl").read_text().splitlines()
    row = json.loads(lines[3])
    placed = row["candidates"][:2]
    damaged = row | {"placed": placed, "scores": [2.0, 1.0]} | change
    damaged["placed"] = [placed[0]] * 2 if "placed" in change else placed
    lines[3] = json.dumps(damaged)
    (run.path / "records.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"records.jsonl, line 4: not a record"):
        _ = load_run(run.path).records


RENAMED = [*CASES[:11], replace(CASES[11], case_id="other")]
SHORTER = [case(one.user_id, 5) for one in CASES]


@pytest.mark.parametrize("other", [RENAMED, SHORTER])
def test_the_records_of_another_run_are_not_taken_for_its_own(run: Run, tmp_path: Path, other: list[Case]) -> None:
    copied = make_run(tmp_path / "other", other, [shuffled(one, 1) for one in other])
    shutil.copy(copied.path / "records.jsonl", run.path)
    with pytest.raises(InputError, match=r"records\.jsonl: the record of Case .* is not about the Cases"):
        _ = load_run(run.path).per_case("MRR")


def test_whether_a_run_has_a_user(run: Run) -> None:
    assert run.cases[0].case_id in run and "nobody" not in run


def test_tied_items_share_their_ranks(tmp_path: Path) -> None:
    one = replace(CASES[0], relevant=(CASES[0].candidates[2].item_id,))
    order = tuple(item.item_id for item in one.candidates)
    run = make_run(tmp_path / "tied", [one], [Ranking(order, (3.0, *(1.0 for _ in order[1:])))])
    ranks = [row[1] for row in run[one.user_id].table().rows]
    assert ranks == ["1", *[f"2–{len(order)}"] * (len(order) - 1)]


def test_a_user_whose_id_is_a_number_is_found_by_the_number(tmp_path: Path) -> None:
    run = make_run(tmp_path, [replace(CASES[0], user_id="42", case_id="42")], RANKINGS[:1])
    assert run[42] == run["42"]
    with pytest.raises(InputError, match="no Case or user '7'"):
        _ = run[7]


def test_an_interrupted_run_prints_how_far_it_has_come(tmp_path: Path) -> None:
    run = load_run(make_run(tmp_path / "stopped", CASES, RANKINGS[:5], finish=False).path)
    assert str(run) == "stopped: 12 Cases, 5 done; repeat the command to continue"
    assert run._repr_html_() == f"<p>{run}</p>"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (how("full"), "the whole catalogue: there is no recall order"),
        (replace(how(), target_forced=True), "missed targets were appended"),
    ],
)
def test_without_a_recall_stage_or_with_forced_targets_recall_order_is_no_baseline(
    tmp_path: Path, settings: MetricSettings, message: str
) -> None:
    rankings = [Ranking(tuple(item.item_id for item in one.candidates)) for one in CASES]
    run = make_run(tmp_path / "run", CASES, rankings, metric_settings=settings)
    for summary in run.metrics.measures.values():
        assert "recall_order" not in {*summary.baselines, *summary.versus}
    assert not any("recall order" in sentence for sentence in run.metrics.verdict())
    for uses in (run.worst, lambda: spread_of_run(run, NDCG(10))):
        with pytest.raises(InputError, match=message):
            uses()


def test_beyond_accuracy_has_no_recall_order_beside_the_whole_catalogue(tmp_path: Path) -> None:
    rankings = [Ranking(tuple(item.item_id for item in one.candidates)) for one in CASES]
    found = make_run(tmp_path / "run", CASES, rankings, metric_settings=how("full")).beyond_accuracy()
    assert {(row.recall_order, row.difference) for row in found.rows} == {(None, None)}
    assert "The candidates are the whole catalogue: there is no recall order." in found.remarks
