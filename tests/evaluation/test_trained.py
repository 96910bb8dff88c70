"""Trained recommenders beside the method: on the training side alone, measured like it, kept, continued, refused."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

import llmrank as lr
from llmrank.data.candidate_writing import write_cases
from llmrank.data.dataset import Split
from llmrank.errors import InputError, MissingError
from llmrank.evaluation.propose import propose
from llmrank.evaluation.settings import CaseSettings
from llmrank.measures import NDCG, Judgements
from llmrank.rankers.baselines import by_score
from llmrank.recall import Ease, Fitted, Popularity, RandomRecall, tuned_model
from llmrank.recall.ctr import judged_clicks
from llmrank.recall.rescoring import rescore
from llmrank.recall.training import read_checkpoint
from llmrank.report import console, show_metrics
from llmrank.run.metrics import Metrics
from tests.cli.command import command, environment
from tests.plugins import install

pytestmark = pytest.mark.skipif(
    not all(find_spec(name) for name in ("torch", "implicit", "torch_rechub")),
    reason="needs the extras recall and cpu or gpu: pip install 'llmrank[recall,cpu]'",
)

ITEMS = 30


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def shop(folder: Path, *, last: int = 0, users: int = 24, events: int = 7) -> Path:
    """Write a data set; `last` moves each user's last event to another item, and nothing else."""
    folder.mkdir()
    (folder / "items.csv").write_text("id,title\n" + "".join(f"{i},Thing {i}\n" for i in range(ITEMS)))
    rng, lines = np.random.default_rng(0), ["user,item,rating,timestamp"]
    for user in range(users):
        own = rng.permutation(ITEMS)[: events + 2]
        chosen = [*own[: events - 1], own[events - 1 + last]]
        lines += [f"u{user:03},{item},{1 + item % 5},{time}" for time, item in enumerate(chosen)]
    (folder / "interactions.csv").write_text("\n".join(lines) + "\n")
    return folder


def evaluate(data: Path, out: Path, **settings: object) -> lr.Run:
    given: dict[str, object] = {"ranker": "random", "recall": "popularity", "k": 8, "users": 0, "progress": False}
    return lr.evaluate(data, out=out, **given | settings)


def test_nothing_after_the_cut_reaches_a_trained_baseline(tmp_path: Path) -> None:
    runs = [
        evaluate(shop(tmp_path / f"shop{last}", last=last), tmp_path / f"run{last}", baselines="ials,sasrec,bst")
        for last in (0, 1)
    ]
    assert [case.relevant for case in runs[0].cases] != [case.relevant for case in runs[1].cases]
    scores, others = (run.metric_settings.trained for run in runs)
    assert list(scores) == ["ials", "sasrec", "bst"]
    assert scores == others


def test_each_has_its_own_interval_and_a_paired_difference_and_the_run_keeps_them(tmp_path: Path) -> None:
    cases = lr.load_cases(shop(tmp_path / "shop"), recall="popularity", k=8, users=0, seed=3)
    run = lr.evaluate(
        cases, ranker="recall_order", baselines="ease, ials", measures="NDCG@5,HR@1", progress=False, out=tmp_path / "r"
    )
    assert cases.split is not None
    for name in ("ease", "ials"):
        found = [by_score(case, run.metric_settings.trained[name][case.case_id]) for case in cases]
        judged = Judgements.from_cases(found, cases.cases)
        summary = run.metrics["NDCG@5"]
        assert summary.baselines[name] == pytest.approx(NDCG(5).value(judged))
        low, high = summary.baseline_ci95[name] or (1, 0)
        assert low < summary.baselines[name] < high
        versus = summary.versus[name]
        assert versus.difference == pytest.approx(summary.value - summary.baselines[name])
        assert versus.ci95 is not None and versus.ci95[0] < versus.difference < versus.ci95[1]
    content = json.loads((run.path / "metrics.json").read_text())
    assert content["measures"]["HR@1"]["baseline_ci95"].keys() == {"ease", "ials"}
    assert Metrics.from_dict(content) == run.metrics
    moved = run.path.rename(tmp_path / "moved")
    assert lr.load_run(moved).measure("NDCG@3")["NDCG@3"].baselines["ials"] is not None
    to = console(120)
    with to.capture() as text:
        to.print(show_metrics(run.metrics, title="t"))
    assert re.search(r"│ials +│ NDCG@5 +│ 0\.\d{4} 0\.\d{4} to 0\.\d{4} │ [+−]0\.\d{4} .* │ +\.\d\d│", text.get())
    assert cases.split is not None
    scored = rescore(tuned_model("ease", cases.split).fit(cases.split), cases.split, cases.cases)
    assert run.metric_settings.trained["ease"] == {
        case.case_id: list(scores) for case, scores in zip(cases, scored, strict=True)
    }


def test_a_click_through_model_is_also_judged_by_auc_and_log_loss(tmp_path: Path) -> None:
    cases = lr.load_cases(shop(tmp_path / "shop", users=40), recall="popularity", k=8, users=30, seed=3)
    run = lr.evaluate(cases, ranker="random", baselines="ials,autoint", progress=False, out=tmp_path / "r")
    assert cases.split is not None
    fitted = tuned_model("autoint", cases.split, seed=3).fit(cases.split)
    users = np.array([cases.split.dataset.users.index(case.user_id) for case in cases], np.int32)
    judged, probabilities = judged_clicks(fitted, cases.split, users, 3)
    assert len(judged) == 30
    clicked = np.tile([1, 0], 30)
    [note] = [note for note in run.metrics.notes if "log loss" in note]
    numbers = [float(found) for found in re.findall(r"\d\.\d{4}", note)]
    area, low, high, loss, least, most = numbers
    assert note.startswith("autoint: AUC") and "30 held-out events" in note
    assert area == pytest.approx(roc_auc_score(clicked, probabilities.ravel()), abs=1e-4)
    assert loss == pytest.approx(log_loss(clicked, probabilities.ravel()), abs=1e-4)
    assert low < area < high and least < loss < most


def test_slow_proposals_and_scores_show_that_they_go_on_and_a_training_its_best_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = Popularity().fit

    def slow(_: object, split: Split) -> Fitted:
        fitted = fit(split)

        def score(users: NDArray[np.int32]) -> NDArray[np.float64]:
            time.sleep(0.1)
            return fitted.score(users)

        return replace(fitted, score=score)

    monkeypatch.setattr(Popularity, "fit", slow)
    monkeypatch.setattr(Ease, "fit", slow)
    monkeypatch.setattr("llmrank.progress.LINE_EVERY", 0.01)
    data = shop(tmp_path / "shop")
    evaluate(data, tmp_path / "run", baselines="ease,ials", progress=True)
    said = capsys.readouterr().err
    assert re.search(r"^ials: epoch \d+ is the best, validation NDCG@10 0\.\d{4}$", said, re.MULTILINE)
    assert "proposing candidates with popularity: 0 s so far" in said
    assert "fitting ease on 144 training events" in said and "scoring the candidates with ease: 0 s so far" in said
    propose(CaseSettings(data=data, recall="ease"), tmp_path / "rows.jsonl")
    assert "proposing candidates with ease: 0 s so far" in capsys.readouterr().err


def test_a_run_keeps_the_candidates_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = shop(tmp_path / "shop"), tmp_path / "run"
    began = evaluate(data, out, baselines="itemknn")
    metrics, (settings, records) = began.metrics, (out / "manifest.json", out / "records.jsonl")
    records.write_text("".join(records.read_text().splitlines(keepends=True)[:10]))  # killed after ten Cases
    old = json.loads(settings.read_text())
    assert old.pop("cases_sha256")
    monkeypatch.setattr(Popularity, "fit", RandomRecall(seed=7).fit)  # as a model that was trained anew
    settings.write_text(json.dumps(old))  # begun before the hash was kept
    for _ in range(2):
        run = evaluate(data, out, baselines="itemknn", progress=True)
        assert run.metrics == metrics
        assert lr.load_run(out).records == began.records and lr.load_run(out).cases == began.cases
        assert "this Run keeps those that it began with" in capsys.readouterr().err
    assert evaluate(data, tmp_path / "new").cases != began.cases


def test_a_run_with_one_version_of_a_recall_plugin_is_not_continued_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from llmrank.recall import Popularity\nfrom dataclasses import dataclass\n\n@dataclass(frozen=True)\n"
    for version in ("1.0", "2.0"):
        site = tmp_path / version
        site.mkdir()
        install(
            site,
            "mine",
            f"{source}class Mine(Popularity):\n    name = 'mine'\n",
            "recall:mine=mine:Mine",
            version=version,
        )
    data = shop(tmp_path / "shop")
    for option in ("recall", "baselines"):
        out = tmp_path / option
        with monkeypatch.context() as path:
            path.syspath_prepend(str(tmp_path / "1.0"))
            assert "mine 1.0" in json.dumps(dict(evaluate(data, out, **{option: "mine"}).settings))
        with monkeypatch.context() as path, pytest.raises(InputError, match=r"mine 1\.0.*mine 2\.0"):
            path.syspath_prepend(str(tmp_path / "2.0"))
            evaluate(data, out, **{option: "mine"})


def test_ratings_have_trained_baselines_too(tmp_path: Path) -> None:
    run = evaluate(shop(tmp_path / "shop"), tmp_path / "run", ranker="global_mean", baselines=["mf"])
    assert run.metrics["RMSE"].baselines["mf"] is not None
    assert run.metrics["RMSE"].baseline_ci95["mf"] is not None
    assert "mf" in run.metrics["RMSE"].versus
    with pytest.raises(InputError, match=r"sasrec does not predict ratings.*\n.*mf, mlp or transformer_mlp"):
        evaluate(tmp_path / "shop", tmp_path / "other", ranker="global_mean", baselines="sasrec")


def test_what_cannot_be_trained_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    data = shop(tmp_path / "shop")
    cases = lr.load_cases(data, recall="popularity", k=8, users=4)
    write_cases(tmp_path / "rows.jsonl", cases)
    for source, name in ((tmp_path / "rows.jsonl", "rows.jsonl"), (list(cases), "cases")):
        with pytest.raises(
            InputError, match=rf"{name} has no training data for sasrec.*\n.*data='ml-100k'.*llmrank convert"
        ):
            lr.evaluate(source, ranker="random", baselines="sasrec", progress=False)
    with pytest.raises(InputError, match="did you mean 'sasrec'"):
        evaluate(data, tmp_path / "run", baselines="sasrek")
    with pytest.raises(InputError, match="popularity is always included"):
        evaluate(data, tmp_path / "run", baselines="popularity")
    assert not (tmp_path / "run").exists()


def test_what_a_run_lacks_is_found_before_a_baseline_is_trained(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, few, unrated = shop(tmp_path / "shop"), shop(tmp_path / "few", users=9), shop(tmp_path / "unrated")
    lines = (unrated / "interactions.csv").read_text().splitlines()
    without = [",".join((*line.split(",")[:2], line.split(",")[3])) for line in lines]
    (unrated / "interactions.csv").write_text("\n".join(without) + "\n")
    with monkeypatch.context() as patched:
        patched.setattr("llmrank.evaluation.evaluate.train_baselines", None)  # where the first one is trained
        with pytest.raises(InputError, match="too little data for validation: 9 users have"):
            evaluate(few, tmp_path / "run", baselines="itemknn,sasrec")
        with pytest.raises(InputError, match="unrated has no training ratings"):
            evaluate(unrated, tmp_path / "run", baselines="itemknn,mf")
        patched.setattr("llmrank.recall.ease.MOST_ITEMS", ITEMS - 1)
        with pytest.raises(InputError, match="EASE inverts a dense items x items matrix"):
            evaluate(data, tmp_path / "run", baselines="itemknn,ease")
    monkeypatch.setattr(
        "llmrank.recall.sentence_encoder.find_spec", lambda _name: None
    )  # an encoder that is not installed
    with pytest.raises(MissingError, match=r"^ctrl: there is no sentence encoder"):
        evaluate(data, tmp_path / "run", baselines="ials,ctrl")
    nobody = {"ranker": None, "prompt": "rankgpt", "model": "any", "base_url": "http://127.0.0.1:9/v1"}
    with pytest.raises(MissingError, match="no endpoint answers"):
        evaluate(data, tmp_path / "run", baselines="ials", **nobody)
    assert not list(cache.rglob("*.pt"))


def test_progress_is_on_stderr_and_after_ctrl_c_the_same_command_continues(tmp_path: Path, cache: Path) -> None:
    shop(tmp_path / "shop", users=120, events=22)
    words = ("eval", "--data", "shop", "--ranker", "random", "-k", "5", "--baselines", "sasrec", "--json")

    def start() -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command(*words), cwd=tmp_path, env=environment(), text=True, **pipes)

    def first_epoch(process: subprocess.Popen[str]) -> re.Match[str]:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "epoch" in line)
        number, loss = r"(?P<number>\d+) of at most 100", r"loss \d+\.\d{4}, validation NDCG@10 0\.\d{4}"
        found = re.fullmatch(
            rf"sasrec search: epoch {number}, {loss}( \(best\))?, [\d.]+ s, at most [\d:]+ left\n", line
        )
        assert found is not None, line
        return found

    with start() as process:
        assert first_epoch(process)["number"] == "1"
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout) == (130, "") and "the same command continues" in stderr
    [checkpoint] = (cache / "recall").iterdir()
    done = read_checkpoint(checkpoint)["progress"]["epoch"]
    with start() as process:
        assert int(first_epoch(process)["number"]) == done + 1
        stdout, _ = process.communicate(timeout=300)
    assert process.returncode == 0 and "sasrec" in json.loads(stdout)["measures"]["NDCG@10"]["baselines"]
