"""The titles that come next, and the recall stage fused in with a weight that no test target can move."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llmrank as lr
from llmrank.backends import BaseBackend
from llmrank.cli.output import show_run
from llmrank.data.candidate_writing import write_cases
from llmrank.data.dataset import Dataset, Split
from llmrank.errors import BackendError, InputError, TooManyErrorsError
from llmrank.evaluation.cases import reachable, validation_cases
from llmrank.evaluation.evaluate import compose
from llmrank.evaluation.method import Composer, asked_template
from llmrank.evaluation.reparse import reparse
from llmrank.evaluation.settings import CaseSettings, PromptSettings, gather
from llmrank.evaluation.training_data import TrainingData
from llmrank.progress import Reporter
from llmrank.rankers.calibration import STRENGTHS
from llmrank.rankers.fusion import WEIGHTS
from llmrank.report import console, show_metrics
from llmrank.run import RunFolder
from llmrank.stats import paired_difference
from llmrank.types import BaseRanker, Capabilities, Case, RankingSteps, Request, Response, Usage
from tests.finetune.conftest import circle as circle
from tests.finetune.conftest import split as split
from tests.finetune.conftest import write_dataset

STAGE: dict[str, Any] = {"recall": "itemknn", "k": 10, "users": 0}


class Taste(BaseBackend):
    """Scores titles by a hash: it knows nothing, and says so in full numbers."""

    def __init__(self, *, fails: int = 0) -> None:
        self.asked, self.fails = 0, fails

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(label_logprobs=1000)

    @property
    def identity(self) -> Mapping[str, str]:
        return {"kind": "taste", "model": "hash"}

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        if self.asked <= self.fails:
            raise BackendError("gone")
        history = request.messages[0].content
        drawn = (hashlib.sha256(f"{history}{label}".encode()).digest()[0] for label in request.labels)
        return Response("", label_logprobs=dict(zip(request.labels, (-one / 50 for one in drawn), strict=True)))


@pytest.fixture
def evaluate(tmp_path: Path) -> Any:
    numbers = iter(range(100))

    def run(data: object, **settings: Any) -> lr.Run:
        given = {"ranker": "next_title", "backend": Taste(), "store": tmp_path / "store.sqlite", "progress": False}
        return lr.evaluate(data, out=tmp_path / f"run{next(numbers)}", **given | settings)  # type: ignore[arg-type]

    return run


def with_last(dataset: Dataset, item: int) -> Dataset:
    """Return the dataset with every user's last event, which is the test target, on one item."""
    events = dataset.interactions
    last = np.append(events.user[1:] != events.user[:-1], True)
    changed = np.where(last, item, events.item).astype(np.int32)
    return replace(dataset, interactions=replace(events, item=changed))


def test_other_test_targets_change_nothing_in_the_choice(
    circle: Path, split: Split, tmp_path: Path, evaluate: Any
) -> None:
    other = write_dataset(with_last(split.dataset, 7), tmp_path / "other")
    runs = [evaluate(data, fuse="validation", fuse_users=0, **STAGE) for data in (circle, other)]
    assert [case.relevant for case in runs[0].cases] != [case.relevant for case in runs[1].cases]
    assert runs[0].settings["fusion"] == runs[1].settings["fusion"]


def test_the_chosen_weight_is_that_of_the_validation_curve_and_the_run_says_so(
    circle: Path, split: Split, evaluate: Any
) -> None:
    run = evaluate(circle, fuse="validation", fuse_users=60, **STAGE)
    fusion = run.settings["fusion"]
    values = {(term, float(weight)): value for term, weight, value in fusion["curve"]}
    assert len(values) == 2 * len(WEIGHTS) and fusion["users"] == 60
    assert values[fusion["term"], float(fusion["weight"])] == max(values.values())
    # An evaluation of the validation Cases themselves has the same numbers.
    drawn = validation_cases(split, CaseSettings(recall="itemknn", k=10), 60)
    alone = evaluate(replace(drawn, settings={"data": "validation"}))
    assert alone.metrics["NDCG@10"].value == pytest.approx(values["scores", 0], abs=1e-5)
    beside = alone.metrics["NDCG@10"].baselines["recall_order"]
    assert beside == pytest.approx(values["ranks", np.inf], abs=1e-5)
    # The weight that was chosen, given, makes the same rankings; its reading again changes nothing.
    options = run.settings["ranker_options"]
    assert (options["fuse"], options["fuse_term"]) == (fusion["weight"], fusion["term"])
    given = evaluate(circle, fuse=fusion["weight"], fuse_term=fusion["term"], **STAGE)
    assert {k: r.ranking for k, r in run.records.items()} == {k: r.ranking for k, r in given.records.items()}
    assert reparse(run).changes == () and reparse(run).unreadable == {}
    to = console(120)
    with to.capture() as text:
        to.print(show_metrics(run.metrics, title="t"))
    shown = " ".join(text.get().split())
    users = f"60 validation users (recall proposed the item of {len(reachable(drawn))}): NDCG@10"
    assert f"with weight {float(fusion['weight']):g} on its {fusion['term']}, chosen on {users}" in shown
    assert f"recall order {beside:.4f}" in shown


class Knowing(Taste):
    """Knows the film that comes next on the circle."""

    async def answer(self, request: Request) -> Response:
        response = await super().answer(request)
        newest = request.messages[0].content.split("\n")[-1]
        coming = chr(65 + (ord(newest[0]) - 64) % 24)
        right = {label: float(label.startswith(coming)) for label in request.labels}
        return replace(response, label_logprobs=right)


@pytest.mark.parametrize("users", [1, 3, 60])
def test_what_so_few_users_cannot_tell_apart_is_said(circle: Path, split: Split, users: int, evaluate: Any) -> None:
    stage = STAGE | {"recall": "random", "users": 5}
    run = evaluate(circle, fuse="validation", fuse_users=users, seed=4, backend=Knowing(), **stage)
    fusion, note = run.settings["fusion"], next(one for one in run.metrics.notes if "fused in" in one)
    assert [fusion["term"], str(fusion["weight"])] in fusion["not_worse"]
    assert "recall proposed the item of 0" not in note
    # Only many users show that the model is better than a random order. It needs no fusion, however many there are.
    by_chance = ["scores", "inf"] in fusion["not_worse"]
    assert by_chance == (users < 60) == ("recall order. These users do not show that fusion helps." in note)
    assert ["ranks", "0.0"] in fusion["not_worse"]
    # The interval is that of a comparison of two Runs on the validation users.
    drawn = validation_cases(split, gather(CaseSettings, stage | {"seed": 4}), users)
    drawn = replace(drawn, settings={"data": "validation"})
    runs = {weight: evaluate(drawn, fuse=weight, backend=Knowing()) for weight in (fusion["weight"], 10.0, np.inf)}
    best = runs[fusion["weight"]].per_case("NDCG@10")
    for weight in (10.0, np.inf):
        low = paired_difference(best, runs[weight].per_case("NDCG@10"), most=1.0).low
        assert (["scores", str(weight)] in fusion["not_worse"]) == (low <= 0)


def test_a_term_that_is_named_is_kept_and_the_same_call_asks_nothing_again(circle: Path, evaluate: Any) -> None:
    first, again = Taste(), Taste()
    run = evaluate(circle, fuse="validation", fuse_term="ranks", backend=first, **STAGE)
    assert {term for term, _, _ in run.settings["fusion"]["curve"]} == {"ranks"}
    same = evaluate(circle, fuse="validation", fuse_term="ranks", backend=again, **STAGE)
    assert same.settings == run.settings and first.asked > len(run) and again.asked == 0
    session = run.sessions[-1]
    assert session["calls"] == len(run) and session["validation_calls"] == first.asked - len(run)
    counted = compose(
        circle, ranker="next_title", backend=Taste(), fuse="validation", fuse_term="ranks", progress=False, **STAGE
    ).estimate()
    assert counted.counted.most.requests == first.asked


def test_the_calls_that_chose_the_weight_are_said_with_their_tokens(
    circle: Path, evaluate: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    class Counted(Taste):
        async def answer(self, request: Request) -> Response:
            return replace(await super().answer(request), usage=Usage(100, 0, 2))

    def line(run: lr.Run) -> str:
        show_run(run, as_json=False)
        return " ".join(capsys.readouterr().out.partition("\ncalls ")[2].partition("\nrun ")[0].split())

    backend, settings = Counted(), {"fuse": "validation", **STAGE}
    run = evaluate(circle, backend=backend, **settings)
    tests, more = len(run), backend.asked - len(run)
    assert line(run).startswith(
        f"{tests} ({tests} made now; {more} more on validation users: {100 * more:,} prompt tokens, "
        f"{2 * more:,} completion tokens), {100 * tests:,} prompt tokens"
    )
    assert line(evaluate(circle, **settings)).startswith(f"{tests} (0 made now, the rest were stored), ")
    assert "more on validation users)" in line(evaluate(circle, store=run.path / "other.sqlite", **settings))


def test_a_failed_call_chooses_nothing_and_the_same_call_asks_for_it_again(circle: Path, evaluate: Any) -> None:
    with pytest.raises(TooManyErrorsError, match=r"a call failed in 1 of .*"):
        evaluate(circle, fuse="validation", backend=Taste(fails=1), **STAGE)
    whole = Taste()
    assert evaluate(circle, fuse="validation", backend=whole, **STAGE).settings["fusion"]["users"] == 120
    assert whole.asked == len(lr.load_cases(circle, **STAGE)) + 1


def test_where_nothing_can_be_chosen_a_weight_is_wanted(circle: Path, tmp_path: Path, evaluate: Any) -> None:
    cases = lr.load_cases(circle, **STAGE)
    write_cases(tmp_path / "rows.jsonl", cases)
    for source in (list(cases), tmp_path / "rows.jsonl"):
        with pytest.raises(InputError, match=r"needs training data[\s\S]*fuse=1\.5"):
            evaluate(source, fuse="validation")
    fused = evaluate(tmp_path / "rows.jsonl", fuse=1.5)
    assert fused.settings["ranker"] == "next_title+recall" and "fusion" not in fused.settings
    for refused in (
        lambda: lr.rerank(list(cases), ranker="next_title", backend=Taste(), fuse="validation", progress=False),
        lambda: lr.Reranker(ranker="next_title", backend=Taste(), fuse="validation"),
        lambda: lr.make_ranker("next_title", fuse="validation"),
    ):
        with pytest.raises(InputError, match="no validation users"):
            refused()


def test_the_same_ranking_comes_from_every_door(circle: Path, tmp_path: Path, evaluate: Any) -> None:
    cases = lr.load_cases(circle, **STAGE)
    expected = {case_id: record.ranking.order for case_id, record in evaluate(cases, fuse=2.0).records.items()}
    own = evaluate(cases, ranker=lr.make_ranker("next_title", fuse=2.0))
    assert {case_id: record.ranking.order for case_id, record in own.records.items()} == expected
    ranked = lr.rerank(list(cases), ranker="next_title", backend=Taste(), fuse=2.0, progress=False)
    assert [ranking.order for ranking in ranked] == [expected[case.case_id] for case in cases]
    with lr.Reranker(ranker="next_title", backend=Taste(), fuse=2.0) as reranker:
        case = cases[0]
        found = reranker.rank(case.history, case.candidates, scores=case.recall_scores)
    assert found.order == expected[case.case_id]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"ranker": "listwise", "fuse": 1.0},
            "listwise has no scores that can be fused\n  hint: use ranker='first_token'",
        ),
        ({"ranker": "popularity", "fuse": 1.0}, "popularity has no scores that can be fused"),
        ({"prompt": "rankgpt", "fuse": "validation"}, "sliding_window has no scores that can be fused"),
        ({"ranker": "pointwise", "calibrate": 1.0}, "pointwise has no scores that can be calibrated"),
        ({"ranker": "next_title", "calibrate": 1.0}, "next_title has no scores that can be calibrated"),
        ({"ranker": "first_token", "calibrate": -1}, "calibrate"),
        ({"ranker": "first_token", "calibrate": "entropy"}, "calibrate"),
        ({"ranker": "next_title", "fuse": -1}, "fuse"),
        ({"ranker": "next_title", "fuse": "best"}, "fuse"),
        ({"ranker": "next_title", "fuse_term": "ranks"}, "without --fuse"),
        ({"ranker": "next_title", "prompt": "palr"}, "field 'prompt': next_title reads"),
        ({"ranker": "next_title", "prompt": lr.load_prompt("palr")}, "without a prompt"),
        ({"ranker": "next_title", "shots": 2}, "field 'shots': next_title reads"),
        ({"ranker": "next_title", "history": 5}, "field 'history': next_title reads"),
        ({"ranker": "next_title", "base_url": "http://localhost:1/v1"}, "which openai does not support"),
        ({"ranker": "next_title", "backend": "vllm"}, "which vllm does not support"),
        ({"ranker": "next_title", "repeats": 2}, "field 'repeats': next_title does not use this option"),
        ({"ranker": "next_title", "fuse": "validation", "first": "bm25"}, "cannot be combined"),
        ({"ranker": "next_titel"}, "did you mean 'next_title'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_loaded(
    circle: Path, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        compose(circle, model="not-here", progress=False, **settings)


def test_a_ranker_of_ones_own_is_used_as_it_is(circle: Path) -> None:
    class Own(BaseRanker):
        name = "own"

        def rank(self, case: Case) -> RankingSteps:
            raise NotImplementedError

    with pytest.raises(InputError, match="this has no effect on a ranker given as an object"):
        compose(circle, ranker=Own(), fuse=1.0, progress=False)


def test_next_title_before_or_behind_another_model_is_refused(circle: Path, evaluate: Any) -> None:
    for settings in ({"first": "first_token"}, {"ranker": None, "prompt": "rankgpt", "first": "next_title"}):
        with pytest.raises(InputError, match="need different models"):
            evaluate(circle, **STAGE, **settings)
    run = evaluate(circle, first="recall_order", first_top=3, **STAGE)
    assert all(len(record.placed) == 10 for record in run.records.values())
    assert run.title == "recall_order-then-next_title on circle, hash"


@pytest.mark.parametrize(
    ("settings", "title"),
    [
        ({"ranker": "next_title", "fuse": 1.0}, "next_title+recall"),
        ({"prompt": "palr"}, "palr"),
        ({"prompt": "rankgpt"}, "rankgpt"),
        ({"prompt": "rankgpt", "ranker": "acurank"}, "rankgpt (acurank)"),
        ({"prompt": "google-zero-shot", "ranker": "pointwise"}, "google-zero-shot"),
        ({"prompt": "first-token", "first": "bm25"}, "first-token (bm25-then-first_token)"),
        (
            {"prompt": "first-token", "calibrate": 1.0, "fuse": 1.0, "repeats": 2},
            "first-token (first_token-calibrated+recall-x2)",
        ),
    ],
)
def test_the_title_of_a_run_says_how_it_ranks(tmp_path: Path, settings: dict[str, Any], title: str) -> None:
    chosen = gather(PromptSettings, settings)
    method = Composer(chosen, TrainingData(lambda: ())).method(asked_template(chosen))
    with RunFolder(tmp_path / "run", {**method.settings, "data": "made"}):
        pass
    assert lr.load_run(tmp_path / "run").title == f"{title} on made"


class Placed(Taste):
    """Knows the newest event's neighbour on the circle, but prefers the first label ten times as much."""

    async def answer(self, request: Request) -> Response:
        response = await super().answer(request)
        first = request.labels[0]
        found = {
            label: value * 10 - (0.0 if label == first else 3.0) for label, value in response.label_logprobs.items()
        }
        return replace(response, label_logprobs=found)


def test_the_strength_of_the_calibration_is_chosen_on_validation_users_too(circle: Path, evaluate: Any) -> None:
    asked = {"ranker": "first_token", "fuse_users": 30, **STAGE | {"users": 5}}
    backend = Placed()
    run = evaluate(circle, calibrate="validation", fuse="validation", backend=backend, **asked)
    chosen, fusion = run.settings["calibration"], run.settings["fusion"]
    curve = dict(chosen["curve"])
    assert list(curve) == [str(strength) for strength in STRENGTHS] and chosen["users"] == 30
    assert curve[str(chosen["strength"])] == max(curve.values())
    # The weight is that of the chosen strength, for the very scores that the test Cases get.
    values = {(term, float(weight)): value for term, weight, value in fusion["curve"]}
    assert max(values.values()) == pytest.approx(curve[str(chosen["strength"])], abs=1e-5)
    # All strengths read the same answers: two calls for each list. A strength of 0 then needs one.
    lists = run.sessions[-1]["validation_calls"] // 2
    assert backend.asked == 2 * lists + (2 if chosen["strength"] else 1) * len(run)
    options = run.settings["ranker_options"]
    assert (options["calibrate"], options["fuse"]) == (chosen["strength"], fusion["weight"])
    given = evaluate(
        circle,
        calibrate=chosen["strength"],
        fuse=fusion["weight"],
        fuse_term=fusion["term"],
        backend=Placed(),
        **{name: value for name, value in asked.items() if name != "fuse_users"},
    )
    assert {k: r.ranking for k, r in run.records.items()} == {k: r.ranking for k, r in given.records.items()}
    assert any(
        note.startswith(f"Calibrated with strength {chosen['strength']}, chosen on 30") for note in run.metrics.notes
    )
    counted: list[int] = []

    class Counting(Reporter):
        def begin(self, total: int, done: int, spent: Callable[[], str]) -> None:
            counted.append(total)

    alone = evaluate(circle, calibrate="validation", backend=Placed(), progress=Counting(), **asked)
    assert len(counted) == 2, "the progress of the validation and that of the test, not one for each strength"
    assert "fusion" not in alone.settings and dict(alone.settings["calibration"]["curve"]).keys() == curve.keys()
    with pytest.raises(InputError, match=r"needs training data[\s\S]*calibrate=1"):
        evaluate(list(lr.load_cases(circle, **STAGE)), ranker="first_token", calibrate="validation")
    with pytest.raises(InputError, match="no validation users"):
        lr.make_ranker("first_token", calibrate="validation")


def test_the_weight_is_chosen_for_the_scores_that_are_fused(circle: Path, evaluate: Any) -> None:
    """Calibrated scores have another form where they are fused; the weight was once chosen for the other form."""
    asked: dict[str, Any] = {"ranker": "first_token", "calibrate": 1.0, "backend": Placed()}
    fusion = evaluate(circle, fuse="validation", fuse_users=30, **asked, **STAGE | {"users": 5}).settings["fusion"]
    values = {(term, float(weight)): value for term, weight, value in fusion["curve"]}
    split = lr.load_cases(circle, **STAGE).split
    assert split is not None
    drawn = validation_cases(split, CaseSettings(recall="itemknn", k=10), 30)
    for weight in (1.0, 5.0):
        given = evaluate(replace(drawn, settings={"data": "validation"}), fuse=weight, **asked)
        assert given.metrics["NDCG@10"].value == pytest.approx(values["scores", weight], abs=1e-5)


@pytest.mark.parametrize("draw", (1, 2))
def test_the_weight_is_chosen_for_rankings_combined_from_several_orders(circle: Path, evaluate: Any, draw: int) -> None:
    asked: dict[str, Any] = {"ranker": "first_token", "repeats": 3, "calibrate": 1.0, "draw": draw}
    first, again = Placed(), Placed()
    stage = STAGE | {"users": 5}
    run = evaluate(circle, fuse="validation", fuse_users=30, backend=first, **asked, **stage)
    fusion = run.settings["fusion"]
    values = {(term, float(weight)): value for term, weight, value in fusion["curve"]}
    split = lr.load_cases(circle, **STAGE).split
    assert split is not None
    drawn = replace(validation_cases(split, CaseSettings(recall="itemknn", k=10), 30), settings={"data": "validation"})
    for weight in (0.0, 1.0, 5.0):
        given = evaluate(drawn, fuse=weight, backend=again, **asked)
        assert given.metrics["NDCG@10"].value == pytest.approx(values["scores", weight], abs=1e-5)
    assert len(reachable(drawn)) == 30 and again.asked == 0, "the choice asked for what the method asks for"
    lists = [case.candidates for case in (*drawn, *run.cases)]
    assert 3 * len(lists) < first.asked <= 6 * len(lists), "three orders, each with a call for the calibration"
    beside = evaluate(circle, fuse=fusion["weight"], fuse_term=fusion["term"], **asked, **stage, backend=Placed())
    assert {k: r.ranking for k, r in run.records.items()} == {k: r.ranking for k, r in beside.records.items()}


@pytest.mark.parametrize("strength", (1.0, "adaptive"))
def test_first_token_is_calibrated_with_a_second_call(circle: Path, evaluate: Any, strength: float | str) -> None:
    backend = Taste()
    run = evaluate(circle, ranker="first_token", calibrate=strength, fuse=1.0, backend=backend, **STAGE | {"users": 5})
    assert backend.asked == 2 * len(run) == 10
    assert run.settings["ranker"] == "first_token-calibrated+recall"
    assert run.metrics.outcomes["ok"] + run.metrics.outcomes["repaired"] == 5
