"""`show`, `compare` and `export`: a Run alone in an empty folder, through the real executable."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner

from llmrank.cli.export import export
from llmrank.run import Run
from tests.cli.command import asking, run
from tests.deterministic_server import deterministic_server
from tests.killing import EVAL, write_candidates
from tests.run.making import case, make_run, shuffled

CASES = 12


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    folder = tmp_path_factory.mktemp("made")
    write_candidates(folder / "candidates.jsonl", CASES)
    with deterministic_server(folder / "log") as url:
        first = goes_well(run(folder, *asking(url, *EVAL)))
        goes_well(run(folder, *asking(url, *EVAL[:-1], "plain", "--no-profile")))
    (folder / "stdout").write_text(first.stdout)
    yield folder


@pytest.fixture
def alone(made: Path, tmp_path: Path) -> Path:
    """A folder with the Runs and nothing else: no data, no Store, no server."""
    for name in ("run", "plain"):
        shutil.copytree(made / name, tmp_path / "alone" / name)
    return tmp_path / "alone"


def goes_well(ran: CompletedProcess[str]) -> CompletedProcess[str]:
    assert ran.returncode == 0, ran.stderr
    return ran


def test_show_prints_what_eval_printed(made: Path, alone: Path) -> None:
    shown, before = goes_well(run(alone, "show", "run")).stdout, (made / "stdout").read_text()

    def without_calls(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith(("calls", "    "))]

    assert without_calls(shown) == without_calls(before)
    numbers = json.loads((alone / "run" / "metrics.json").read_text())
    assert json.loads(goes_well(run(alone, "show", "run", "--json")).stdout) == {"run": "run", **numbers}


def test_two_files_that_name_no_user_are_enough_for_the_table(alone: Path) -> None:
    (alone / "shared").mkdir()
    for name in ("manifest.json", "metrics.json"):
        text = (alone / "run" / name).read_text()
        assert '"u3"' not in text
        (alone / "shared" / name).write_text(text)
    shown, whole = (goes_well(run(alone, "show", name)).stdout for name in ("shared", "run"))
    assert shown.partition("run  ")[0] == whole.partition("run  ")[0]


def test_show_one_user_the_worst_and_other_measures(alone: Path) -> None:
    story = goes_well(run(alone, "show", "run", "--user", "u3")).stdout
    for part in ("user u3", "history", "recall order → order shown → ranking", "answer 1", "◀ relevant"):
        assert part in story
    row = json.loads(goes_well(run(alone, "show", "run", "--user", "u3", "--json")).stdout)
    assert row["case_id"] == "u3" and "placed" in row
    assert "Cases that lost most NDCG@10" in goes_well(run(alone, "show", "run", "--worst", "3")).stdout
    lost = json.loads(goes_well(run(alone, "show", "run", "--worst", "3", "--json")).stdout)
    assert lost["measure"] == "NDCG@10" and set(lost["worst"][0]) == {"case_id", "user_id", "difference"}
    curve = json.loads(goes_well(run(alone, "show", "run", "--measures", "NDCG@1..5", "--json")).stdout)
    assert list(curve["measures"]) == [f"NDCG@{k}" for k in range(1, 6)]


def test_show_calibration_needs_scores(alone: Path) -> None:
    ran = run(alone, "show", "run", "--calibration")
    assert (
        ran.returncode == 2
        and "0 Cases have exactly one relevant candidate and scores for all candidates" in ran.stderr
    )


def test_show_what_is_beyond_accuracy(alone: Path) -> None:
    shown = goes_well(run(alone, "show", "run", "--beyond-accuracy")).stdout
    assert shown.startswith("top 10") and "Gini of exposure" in shown and "Left out, because the items have no" in shown
    found = json.loads(goes_well(run(alone, "show", "run", "--beyond-accuracy", "--json")).stdout)["beyond_accuracy"]
    names = [row["name"] for row in found["rows"]]
    assert names == ["popularity lift", "long-tail share", "novelty", "coverage", "Gini of exposure"]
    assert found["rows"][0]["random"] == pytest.approx(0) and found["cases"] == CASES


def test_groups_by_a_column_of_the_candidate_file(made: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (made / "candidates.jsonl").read_text().splitlines()]
    given = [row | {"country": ("at", "be")[place % 2]} for place, row in enumerate(rows)]
    (tmp_path / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    goes_well(
        run(tmp_path, "eval", "--ranker", "random", "--data", "candidates.jsonl", "--users", "0", "--out", "first")
    )
    shutil.copytree(tmp_path / "first", tmp_path / "alone" / "run")
    shown = goes_well(run(tmp_path / "alone", "show", "run", "--groups", "--by", "country", "--by", "history")).stdout
    assert "country: at" in shown and "country: be" in shown and "history: 5 events" in shown
    found = json.loads(goes_well(run(tmp_path / "alone", "show", "run", "--by", "country", "--json")).stdout)
    assert [(one["name"], one["cases"]) for one in found["groups"]] == [("at", CASES // 2), ("be", CASES // 2)]
    goes_well(run(tmp_path / "alone", "report", "run", "-o", "report.html", "--by", "country"))
    assert "country: at" in (tmp_path / "alone" / "report.html").read_text()
    ran = run(tmp_path / "alone", "show", "run", "--by", "county")
    assert ran.returncode == 2 and "did you mean 'country'" in ran.stderr and "error: --by: " in ran.stderr


def test_show_what_the_answers_took(alone: Path) -> None:
    shown = goes_well(run(alone, "show", "run", "--usage")).stdout
    assert shown.startswith("per Case") and "prompt tokens" in shown and "p95" in shown
    found = json.loads(goes_well(run(alone, "show", "run", "--usage", "--json")).stdout)["usage"]
    seconds = next(row for row in found["rows"] if row["name"] == "seconds")
    assert found["cases"] == CASES and 0 < seconds["p50"] <= seconds["p95"] <= seconds["most"]


def test_a_report_has_the_audits_that_it_is_given(alone: Path) -> None:
    printed = goes_well(run(alone, "audit", "consistency", "run", "plain", "--json")).stdout
    (alone / "consistency.json").write_text(printed)
    goes_well(run(alone, "report", "run", "plain", "-o", "report.html", "--audit", "consistency.json"))
    written = (alone / "report.html").read_text()
    assert json.loads(printed)["question"] in written and "Quality and cost" in written
    (alone / "consistency.json").write_text("{}")
    ran = run(alone, "report", "run", "-o", "other.html", "--audit", "consistency.json")
    assert ran.returncode == 2 and "llmrank audit NAME" in ran.stderr and not (alone / "other.html").exists()


def test_compare_in_every_form(alone: Path) -> None:
    text = goes_well(run(alone, "compare", "run", "plain")).stdout
    assert text.startswith("NDCG@10: ") and "wins/ties/losses" in text and "profile: palr-profile → not set" in text
    assert "| NDCG@10 |" in goes_well(run(alone, "compare", "run", "plain", "--to", "markdown")).stdout
    assert r"\toprule" in goes_well(run(alone, "compare", "run", "plain", "--to", "latex")).stdout
    found = json.loads(goes_well(run(alone, "compare", "run", "plain", "--measures", "MRR", "--json")).stdout)
    assert [one["measure"] for one in found["results"]] == ["MRR"] and found["cases"] == CASES


def test_export_says_that_a_run_is_not_finished(tmp_path: Path) -> None:
    cases = [case(f"u{number}") for number in range(4)]
    killed = make_run(tmp_path / "killed", cases, [shuffled(one, 2) for one in cases[:3]], finish=False)
    ran = CliRunner().invoke(export, [str(killed.path), "--to", "csv", "-o", str(tmp_path / "out.csv")])
    assert ran.exit_code == 0 and "is not finished: 1 of 4 Cases left out." in ran.stderr


def test_export_needs_a_file_and_a_tracker_needs_its_package(alone: Path) -> None:
    assert "give the file to write: -o FILE" in run(alone, "export", "run", "--to", "csv").stderr
    logged = run(alone, "export", "run", "--to", "mlflow", "-o", "sqlite:///mlflow.db", "--project", "rankers")
    if find_spec("mlflow"):
        assert len(goes_well(logged).stdout.strip()) == 32
    else:
        assert logged.returncode == 3 and "pip install 'llmrank[mlflow]'" in logged.stderr


def test_the_id_in_the_tracker_is_all_of_stdout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chatty(*_: object, **__: object) -> str:
        sys.stdout.write("View run at: http://localhost:5000\n")  # as MLflow does
        return "the id"

    made = make_run(tmp_path / "run", [], [])
    monkeypatch.setattr(Run, "track", chatty)
    ran = CliRunner().invoke(export, [str(made.path), "--to", "mlflow"])
    assert ran.stdout == "the id\n" and "View run" in ran.stderr


@pytest.mark.parametrize("form", ["trec", "csv", "parquet", "latex", "markdown"])
def test_export_says_what_it_wrote_and_overwrites_nothing(alone: Path, form: str) -> None:
    ran = goes_well(run(alone, "export", "run", "--to", form, "-o", f"out.{form}"))
    written = ran.stdout.split()
    assert written == ([f"out.{form}", "out.qrels"] if form == "trec" else [f"out.{form}"])
    assert all((alone / name).stat().st_size for name in written)
    assert run(alone, "export", "run", "--to", form, "-o", f"out.{form}").returncode == 2
    goes_well(run(alone, "export", "run", "--to", form, "-o", f"out.{form}", "--force"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "run", "--to", "csv", "-o", "x.parquet"), "the suffix means parquet, but the format is csv"),
        (("show", "nowhere"), "not a Run folder"),
        (("show", "run", "--user", "u99"), "did you mean"),
        (("show", "run", "--measures", "NDCG@5..1"), "not a valid range"),
        (("show", "run", "--worst", "2", "--groups"), "cannot be combined"),
        (("show", "run", "--user", "u1", "--measures", "MRR"), "--measures has no effect here"),
        (("show", "run", "--usage", "--measures", "MRR"), "--measures has no effect here"),
        (("compare", "run"), "at least two Runs"),
        (("compare", "run", "run"), "given twice"),
    ],
)
def test_a_mistake_ends_with_code_2_and_a_hint(alone: Path, arguments: tuple[str, ...], said: str) -> None:
    ran = run(alone, *arguments)
    assert ran.returncode == 2 and said in ran.stderr and "Traceback" not in ran.stderr


def test_runs_on_other_candidates_are_refused(alone: Path, made: Path, tmp_path: Path) -> None:
    shutil.copy(made / "candidates.jsonl", tmp_path)
    there = ("--data", "candidates.jsonl", "--users", "0", "-k", "9", "--out", "other")
    goes_well(run(tmp_path, "eval", "--ranker", "random", *there))
    ran = run(tmp_path, "compare", "alone/run", "other")
    assert ran.returncode == 2 and "candidates are not comparable" in ran.stderr and "hint:" in ran.stderr


def test_of_answers_that_a_file_brought_none_is_called_stored(tmp_path: Path) -> None:
    items = [{"item_id": f"i{n}", "title": f"Film {n}"} for n in range(2)]
    row = {"user_id": "u", "candidates": items, "relevant": ["i1"], "response": "1. Film 1"}
    (tmp_path / "answers.jsonl").write_text(json.dumps(row) + "\n")
    said = goes_well(run(tmp_path, "score", "answers.jsonl", "--out", "scored")).stdout
    assert "calls       1, tokens not known\n" in said and "made now" not in said
