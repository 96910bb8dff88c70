"""An evaluation from Python: the same Run as from the command line, whoever calls it, and wherever."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import llmrank as lr
from llmrank.data.candidate_writing import write_cases
from llmrank.errors import BoundReachedError, InputError
from llmrank.evaluation.evaluate import compose
from llmrank.evaluation.reparse import reparse
from llmrank.evaluation.settings import Limits, ModelSettings, PromptSettings
from llmrank.finetune import finetune
from llmrank.report import page
from llmrank.types import BaseRanker, Message, Needs, Ranker, Ranking, RankingSteps, Request, Response
from tests.cli.command import run as run_command
from tests.evaluation.listening import Listening
from tests.evaluation.serving import cases, serving
from tests.scripted_server import MODEL, ScriptedServer, Step, good, refused

ANSWER = good("[2] > [1] > [3] > [4] > [5]")


def evaluate(folder: Path, server: ScriptedServer, **more: Any) -> lr.Run:
    settings: dict[str, Any] = {"prompt": "rankgpt", "order": "recall", "progress": False, "out": folder / "run"} | more
    return lr.evaluate(
        settings.pop("cases", cases()),
        model=MODEL,
        base_url=server.base_url,
        store=folder / "store.sqlite",
        **settings,
    )


def test_an_evaluation_returns_its_run(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        run = evaluate(tmp_path, server)
    assert run.metrics["HR@1"].value == 1.0 and len(run.per_case("NDCG@10")) == 6
    assert run.metrics.outcomes["ok"] == 6 and server.calls == 6
    assert run.records == lr.load_run(run.path).records and run.cases == tuple(cases())


@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--plan",)])
def test_cases_without_any_truth_are_refused_before_the_first_call(tmp_path: Path, more: tuple[str, ...]) -> None:
    write_cases(tmp_path / "cases.jsonl", [replace(case, relevant=()) for case in cases()])
    with serving(ScriptedServer(ANSWER)) as server:
        asked = ("--model", MODEL, "--base-url", server.base_url, "--prompt", "rankgpt")
        ran = run_command(tmp_path, "eval", "--data", "cases.jsonl", *asked, *more)
        assert server.calls == 0
    assert ran.returncode == 2 and "--data: no Case of cases.jsonl has `relevant`: there is nothing to" in ran.stderr
    assert "llmrank rerank" in ran.stderr and "convert --qrels" in ran.stderr
    unrated = [lr.Case("u", (), target=lr.Item("i", "Film"))]
    with pytest.raises(InputError, match="no Case of cases has `rating`"):
        lr.evaluate(unrated, prompt="google-zero-shot", out=tmp_path / "run", progress=False)


def test_one_case_with_a_truth_suffices(tmp_path: Path) -> None:
    first, *others = cases()
    some = [first, *(replace(case, relevant=()) for case in others)]
    run = lr.evaluate(some, ranker="recall_order", out=tmp_path / "run", progress=False)
    assert run.metrics.judged_cases == 1


async def test_it_works_inside_a_running_event_loop(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        assert evaluate(tmp_path, server).metrics["HR@1"].value == 1.0


def test_the_same_call_again_asks_nothing(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        first = evaluate(tmp_path, server)
        again = evaluate(tmp_path, server)
        assert server.calls == 6
    assert first.metrics == again.metrics


def test_a_run_from_python_and_from_the_command_line_are_byte_equal(tmp_path: Path) -> None:
    write_cases(tmp_path / "cases.parquet", cases())
    (tmp_path / "python").mkdir()
    with serving(ScriptedServer(ANSWER)) as server:
        ran = run_command(
            tmp_path,
            *("eval", "--data", "cases.parquet", "--prompt", "rankgpt", "--ids", "numbers", "--out", "command/run"),
            *("--model", MODEL, "--base-url", server.base_url, "--store", "command.sqlite"),
        )
        assert ran.returncode == 0, ran.stderr
        run = lr.evaluate(
            tmp_path / "cases.parquet",
            prompt="rankgpt",
            ids="numbers",
            model=MODEL,
            base_url=server.base_url,
            out=tmp_path / "python" / "run",
            store=tmp_path / "python.sqlite",
            progress=False,
        )
    assert run.metrics.outcomes["ok"] == 6
    one, other = tmp_path / "command" / "run", tmp_path / "python" / "run"
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in other.iterdir())
    for name in ("cases.parquet", "evaluation.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert settled(one / "metrics.json") == settled(other / "metrics.json")
    assert records(one) == records(other)
    manifests = [json.loads((run / "manifest.json").read_text())["settings"] for run in (one, other)]
    assert manifests[0] == manifests[1]


def settled(path: Path) -> dict[str, Any]:
    """Return the metrics without what a clock measures."""
    content = json.loads(path.read_text())
    content["usage"].pop("seconds")
    return content


def records(run: Path) -> list[dict[str, Any]]:
    """Return the records by case, without what a clock measures."""
    rows = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    return sorted(({**row, "seconds": 0} for row in rows), key=lambda row: row["case_id"])


def test_a_reporter_of_ones_own_is_told_of_every_case(tmp_path: Path) -> None:
    listening = Listening()
    with serving(ScriptedServer(ANSWER)) as server:
        evaluate(tmp_path, server, progress=listening)
    assert listening.begun == [(6, 0)] and listening.outcomes == ["ok"] * 6 and listening.ended == 1


def test_an_edited_template_under_the_name_of_a_shipped_one_is_said(tmp_path: Path) -> None:
    shipped, listening = lr.load_prompt("rankgpt"), Listening()
    (edited := tmp_path / "rankgpt.jinja").write_text(shipped.text.replace("I will provide", "We provide"))
    with serving(ScriptedServer(ANSWER)) as server:
        evaluate(tmp_path, server, prompt=edited, progress=listening)
        assert any(f"using the prompt rankgpt from {edited}" in line for line in listening.lines)
        listening.lines.clear()
        evaluate(tmp_path, server, prompt=shipped, progress=listening, out=tmp_path / "other")
    assert not any("using the prompt" in line for line in listening.lines)


def test_an_edited_template_is_marked_in_title_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = lr.load_prompt("rankgpt")
    Path("rankgpt.jinja").write_text(shipped.text.replace("I will provide", "We provide"))
    with serving(ScriptedServer(ANSWER)) as server:
        edited, plain = (
            evaluate(tmp_path, server, prompt=prompt, out=None) for prompt in (Path("rankgpt.jinja"), shipped)
        )
    assert plain.title.startswith("rankgpt on ")
    assert edited.title.startswith(f"rankgpt (edited, {edited.settings['template_sha256'][:8]}) on ")
    assert "-rankgpt-edited-" in edited.name and "edited" not in plain.name


def test_progress_false_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        evaluate(tmp_path, server)
    assert capfd.readouterr() == ("", "")


def test_a_ranker_of_ones_own(tmp_path: Path) -> None:
    with serving(ScriptedServer(good("B"))) as server:
        ranker = lr.make_ranker("setwise", group=5, sort_top=1)
        run = evaluate(tmp_path, server, prompt=None, ranker=ranker)
    assert run.metrics.outcomes["unparsed"] == 0 and server.calls


@pytest.mark.parametrize(
    ("name", "settings", "other"),
    [
        ("sliding_window", {"window": 4, "step": 2}, {"window": 3, "step": 1}),
        ("setwise", {"sort": "heap"}, {"sort": "bubble"}),
        ("listwise", {"prompt": "palr"}, {"prompt": "llmrank-sequential"}),
        ("listwise", {"prompt": "rankgpt", "ids": "letters"}, {"prompt": "rankgpt", "ids": "numbers"}),
    ],
)
def test_a_made_ranker_gives_the_run_of_its_name(
    tmp_path: Path, name: str, settings: dict[str, Any], other: dict[str, Any]
) -> None:
    """Its settings are in the Run, so the Run of another is never taken for its own."""
    with serving(ScriptedServer(good("[2] > [1]"))) as server:
        named = evaluate(tmp_path, server, **{"prompt": None, **settings}, ranker=name, out=tmp_path / "named")
        made = lr.make_ranker(name, **settings)
        same = evaluate(tmp_path, server, prompt=None, ranker=made, out=tmp_path / "made")
        with pytest.raises(InputError, match="a Run with other settings"):
            evaluate(tmp_path, server, prompt=None, ranker=lr.make_ranker(name, **other), out=tmp_path / "made")
    assert same.settings == named.settings
    for file in ("cases.parquet", "evaluation.json"):
        assert (named.path / file).read_bytes() == (same.path / file).read_bytes()
    assert [one.ranking for one in same.records.values()] == [one.ranking for one in named.records.values()]
    again = reparse(same)
    assert not (again.changes or again.unreadable)


def test_a_made_ranker_has_the_seed_of_the_cases(tmp_path: Path) -> None:
    """A Run has one seed, from which its orders are made again later."""
    with serving(ScriptedServer(ANSWER)) as server:
        with pytest.raises(InputError, match="the ranker has seed 5, and the Cases have seed 0"):
            evaluate(tmp_path, server, prompt=None, ranker=lr.make_ranker("listwise", "rankgpt", seed=5))
        seeded = lr.make_ranker("listwise", "rankgpt", seed=5)
        run = evaluate(tmp_path, server, prompt=None, ranker=seeded, seed=5, order="shuffled")
    assert run.settings["seed"] == 5 and not reparse(run).unreadable


class Backwards(BaseRanker):
    """A plain class, whose attributes tell one from another."""

    name = "backwards"

    def __init__(self, from_end: bool, model: object = None) -> None:
        self.from_end, self.model = from_end, model

    def needs(self, n: int) -> Needs:
        return Needs(calls=0)

    def rank(self, case: lr.Case) -> RankingSteps:
        order = [item.item_id for item in case.candidates]
        return Ranking(tuple(order[::-1] if self.from_end else order))
        yield


def test_a_ranker_of_another_class_or_with_other_values_has_a_run_of_its_own(tmp_path: Path) -> None:
    def run(ranker: Ranker, out: Path | None = None) -> lr.Run:
        return lr.evaluate(cases(), ranker=ranker, out=out or tmp_path / "run", progress=False, order="recall")

    first = run(Backwards(True))
    assert run(Backwards(True)).path == first.path
    for different in (Backwards(False), Backwards(True, model=object()), lr.make_ranker("recall_order")):
        with pytest.raises(InputError, match="a Run with other settings"):
            run(different)
    assert run(Backwards(False), tmp_path / "forwards").metrics["MRR"] != first.metrics["MRR"]
    unknown = Backwards(True, model=object())
    run(unknown, tmp_path / "unknown")
    with pytest.raises(InputError, match="a Run with other settings"):
        run(unknown, tmp_path / "unknown")


@pytest.mark.parametrize("setting", [{"window": 3}, {"prompt": "palr"}, {"ids": "letters"}, {"temperature": 0.9}])
def test_settings_beside_a_ranker_that_is_an_object_are_refused(tmp_path: Path, setting: dict[str, Any]) -> None:
    """They would change nothing."""
    for ranker in (lr.make_ranker("listwise"), Backwards(True)):
        with pytest.raises(InputError, match=f"'{next(iter(setting))}': this has no effect on a ranker"):
            lr.evaluate(cases(), ranker=ranker, **setting, out=tmp_path / "run", progress=False)


def test_a_ranker_object_that_asks_nothing_needs_no_model(tmp_path: Path) -> None:
    run = lr.evaluate(cases(), ranker=lr.make_ranker("recall_order"), out=tmp_path / "run", progress=False)
    assert run.metrics["MRR"].value == 0.5 and run.metrics.usage.requests == 0


def test_a_baseline_needs_no_model(tmp_path: Path) -> None:
    run = lr.evaluate(cases(), ranker="recall_order", out=tmp_path / "run", progress=False)
    assert run.metrics["MRR"].value == 0.5 and run.metrics.usage.requests == 0


def test_cases_of_yes_or_no_have_the_scale_that_their_file_has(tmp_path: Path) -> None:
    events = tuple(lr.Event(lr.Item(f"h{n}", f"Seen {n}"), rating=float(n % 5 + 1)) for n in range(4))
    cases = [
        lr.Case(f"u{n}", events[: n % 4 + 1], target=lr.Item(f"t{n}", f"Film {n}"), rating=float(n % 2))
        for n in range(12)
    ]
    write_cases(tmp_path / "cases.jsonl", cases)
    of_cases, of_file = (
        lr.evaluate(data, ranker="user_mean", measures="AUC,MAE", out=tmp_path / name, progress=False)
        for data, name in ((cases, "cases"), (tmp_path / "cases.jsonl", "file"))
    )
    assert of_cases.metric_settings.scale == of_file.metric_settings.scale == (0.0, 1.0)
    assert of_cases.metrics["MAE"] == of_file.metrics["MAE"]


def test_a_backend_of_ones_own_is_asked_and_closed(tmp_path: Path) -> None:
    from tests.evaluation.backends import Constant

    backend = Constant("[2] > [1] > [3] > [4] > [5]")
    run = lr.evaluate(
        cases(),
        prompt="rankgpt",
        order="recall",
        backend=backend,
        out=tmp_path / "run",
        store=tmp_path / "s.sqlite",
        progress=False,
    )
    assert run.metrics["HR@1"].value == 1.0 and backend.asked == 6 and backend.closed


class Half:
    """Neither a ranker nor a backend."""

    name = "half"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            {"backend": object()},
            r"'backend': .* class object is no backend: it has no `identity`, `answer`",
        ),
        ({"ranker": object()}, r"'ranker': an object of the class object is no ranker: it has no `name`, `rank`"),
        ({"ranker": Half()}, r"'ranker': an object of the class Half is no ranker: it has no `rank`"),
    ],
)
def test_an_object_of_the_wrong_kind_is_named(tmp_path: Path, more: Mapping[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=rf"^field {problem}.*\n  hint: inherit from llmrank\."):
        lr.evaluate(cases(), **more, out=tmp_path / "run", progress=False)


class Returning(BaseRanker):
    name = "returning"

    def rank(self, case: lr.Case) -> Any:
        return Ranking(tuple(item.item_id for item in case.candidates))


class Yielding(BaseRanker):
    name = "yielding"

    def rank(self, case: lr.Case) -> Any:
        yield "Which is best?"


@pytest.mark.parametrize(
    ("ranker", "problem"),
    [
        (Returning(), "`rank` of Returning is no generator: it returned a Ranking\n  hint: yield lists of Requests"),
        (Yielding(), "`rank` of Yielding yields a str, not a list of Requests"),
    ],
)
def test_a_ranker_that_is_no_generator_of_requests_is_named(tmp_path: Path, ranker: Ranker, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        lr.evaluate(cases(), ranker=ranker, out=tmp_path / "run", progress=False)


@pytest.mark.parametrize("answer", ["text", "no coroutine"])
def test_a_backend_that_answers_with_something_else_is_named(tmp_path: Path, answer: str) -> None:
    from tests.evaluation.backends import Constant

    class Texts(Constant):
        async def answer(self, request: Request) -> Any:
            return "[2] > [1]"

    class Plain(Constant):
        def answer(self, request: Request) -> Any:
            return Response("[2] > [1]")

    backend, store = (Texts if answer == "text" else Plain)(answer), tmp_path / "s.sqlite"
    with pytest.raises(InputError, match=r"`answer` of (Texts|Plain) returned .*\n  hint: write `async def answer`"):
        lr.evaluate(cases(), prompt="rankgpt", backend=backend, out=tmp_path / "run", store=store, progress=False)
    assert backend.closed


def test_a_template_object_is_a_prompt(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        with pytest.raises(lr.LlmrankError, match="field 'name': expected a template name or path, got int"):
            lr.load_prompt(3)  # pyright: ignore[reportArgumentType]
        template = lr.load_prompt("rankgpt")
        assert evaluate(tmp_path, server, prompt=template).metrics["HR@1"].value == 1.0


def test_all_settings_of_a_prompt_at_once(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        run = evaluate(tmp_path, server, prompt=PromptSettings(prompt="palr", top=3))
        assert run.settings["top"] == 3


def test_a_setting_by_name_comes_before_a_whole_record(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        run = evaluate(tmp_path, server, prompt=PromptSettings(prompt="palr", top=3, shots=0), top=4)
        assert run.settings["top"] == 4 and run.settings["order"] == "recall"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"windw": 3}, "did you mean 'window'"),
        ({"prompt": "palrr"}, "did you mean 'palr'"),
        ({"ranker": "setwize"}, "did you mean 'setwise'"),
        ({"prompt": "google-zero-shot"}, "rating"),
        ({"measures": "RMSE"}, "RMSE"),
        ({"order": "sorted"}, "order"),
        ({"limits": 3}, "'limits': unexpected type int"),
        ({"prompt": ["palr"]}, "'prompt': unexpected type list"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_asked(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        with pytest.raises(InputError, match=said):
            evaluate(tmp_path, server, **wrong)
        assert server.calls == 0


def test_a_bound_stops_and_the_same_call_continues(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        with pytest.raises(BoundReachedError):
            evaluate(tmp_path, server, limits=Limits(max_requests=2), concurrency=1)
        assert server.calls == 2
        assert evaluate(tmp_path, server, concurrency=1).metrics.outcomes["ok"] == 6
        assert server.calls == 6


def test_an_estimate_sends_nothing_and_knows_the_store(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        arguments: dict[str, Any] = {
            "prompt": "rankgpt", "order": "recall", "model": MODEL, "base_url": server.base_url,
            "store": tmp_path / "store.sqlite", "progress": False,
        }  # fmt: skip
        before = compose(cases(), **arguments).estimate().counted
        assert server.calls == 0
        evaluate(tmp_path, server)
        after = compose(cases(), **arguments).estimate().counted
    assert before.most_left.requests == 6 and after.most_left.requests == 0


def test_an_estimate_counts_the_call_that_tries_the_endpoint(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        settings = ModelSettings(MODEL, base_url=server.base_url, store=tmp_path / "store.sqlite")
        counted = compose(cases(), prompt="first-token", model=settings, progress=False).estimate().counted
        assert server.calls == 0
    assert counted.most.requests == counted.most_left.requests == 6 + 1


def test_a_long_estimate_says_that_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lives: list[tuple[object, str]] = []

    def life(say: object, doing: str, **_: object) -> AbstractContextManager[None]:
        lives.append((say, doing))
        return nullcontext()

    monkeypatch.setattr("llmrank.evaluation.evaluate.sign_of_life", life)
    reporter = Listening()
    with serving(ScriptedServer(ANSWER)) as server:
        settings = ModelSettings(MODEL, base_url=server.base_url, store=tmp_path / "store.sqlite")
        compose(cases(), prompt="rankgpt", model=settings, progress=reporter).estimate()
    assert lives == [(reporter.message, "counting the calls")]


def test_an_estimate_of_a_replay_reads_its_store(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        run = evaluate(tmp_path, server)
    settings = ModelSettings(MODEL, backend=f"replay:{run.path}", store=tmp_path / "other.sqlite")
    assert compose(cases(), prompt="rankgpt", model=settings, progress=False).estimate().counted.cases == 6


def test_failed_cases_are_asked_again_by_the_same_call(tmp_path: Path) -> None:
    failing = {"u1", "u3"}

    def answer(body: Mapping[str, Any]) -> Step:
        return refused(400, "content filter") if any(f"Seen by {user}" in str(body) for user in failing) else ANSWER

    with serving(ScriptedServer(answer=answer)) as server:
        run = evaluate(tmp_path, server)
        assert run.metrics.outcomes["error"] == 2 and sum(record.failed for record in run.records.values()) == 2
        failing.clear()
        assert evaluate(tmp_path, server).metrics.outcomes["ok"] == 6
    made = [(session["calls"], session["answered"]) for session in run.sessions]
    assert made == [(6, 4), (2, 2)] and run.usage().made == 6, "a failed call is none that an answer came from"


def test_a_place_of_the_target_that_a_list_lacks_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(InputError, match="has positions 0 to 4"):
        compose(cases(), prompt="rankgpt", order="target-at-5", progress=False)


def test_a_target_that_is_put_in_makes_no_straw_man_of_recall_order(tmp_path: Path) -> None:
    missed = [lr.Case(f"u{n}", (), (lr.Item("a", "A"), lr.Item("b", "B")), (2.0, 1.0), ("c",)) for n in range(3)]
    missed.append(lr.Case("z", (), (lr.Item("c", "C"), lr.Item("a", "A")), (2.0, 1.0), ("c",)))
    options: dict[str, Any] = {"ranker": "random", "force_target": True, "progress": False}
    run = lr.evaluate(missed, out=tmp_path / "run", **options)
    [*_, measure] = run.metrics.measures.values()
    assert "recall_order" not in {*measure.versus, *measure.baselines} and "random" in measure.versus
    assert any("recall order is no baseline" in note for note in run.metrics.notes)
    for question in (run.depth, run.groups, run.worst):
        with pytest.raises(InputError, match="recall order is not a fair baseline"):
            question()
    assert "<html" in page(run)
    rising = [lr.Case("u", (), (lr.Item("a", "A"), lr.Item("b", "B")), (1.0, 2.0), ("c",)), missed[-1]]
    [put_in, _] = lr.load_cases(rising, force_target=True)
    assert [item.item_id for item in put_in.candidates] == ["c", "b"], "in the place that the recall stage puts last"
    for order in ("recall", "reversed"):
        with pytest.raises(InputError, match="the same position in every list"):
            compose(missed, order=order, prompt="rankgpt", force_target=True)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"measures": "P@10"}, "did you mean 'Precision@10'"),
        ({"baselines": "foo"}, "there is no recall model 'foo'"),
        ({"baselines": 5}, "field 'baselines': expected a list, got 5"),
        ({"recall": "foo"}, "there is no recall model 'foo'"),
        ({"backend": "ollama"}, "unknown backend 'ollama'"),
        ({"max_cost": 1}, "a cost limit needs prices"),
        ({"adapter": "nope"}, "field 'adapter': no such folder: nope"),
        ({"ranker": "bm26"}, "field 'ranker': unknown ranker 'bm26'; did you mean 'bm25'?"),
        ({"first": "bm26"}, "field 'first': unknown ranker 'bm26'"),
        ({"ranker": "next_title", "adapter": "nope"}, "nope: no such folder"),
    ],
    ids=str,
)
def test_settings_are_checked_before_the_data_are_read(
    wrong: Mapping[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmrank.data.load.load_dataset", None)  # reading the data would fail
    with pytest.raises(InputError, match=re.escape(said)):
        lr.evaluate("ml-100k", **wrong)


@pytest.mark.parametrize(("first_top", "said"), [(4, False), (5, True)])
def test_a_first_stage_that_has_nothing_to_do_is_said(first_top: int, said: bool) -> None:
    reporter = Listening()
    compose(cases(), progress=reporter, prompt="rankgpt", first="bm25", first_top=first_top)
    line = f"--first bm25 has no effect: no list has more than {first_top} candidates (--first-top)"
    assert (line in reporter.lines) is said


@pytest.mark.parametrize(
    ("settings", "said"),
    [({}, True), ({"temperature": 0.7}, False), ({"draw": 1}, False), ({"prompt": "llmrank-recency"}, False)],
)
def test_drawing_again_at_temperature_0_is_said_to_pay_for_the_same(
    tmp_path: Path, settings: dict[str, Any], said: bool
) -> None:
    reporter = Listening()
    with serving(ScriptedServer(ANSWER)) as server:
        evaluate(tmp_path, server, progress=reporter, **({"draw": 2} | settings))
    assert any("--draw pays again" in line for line in reporter.lines) is said


def test_a_prompt_without_a_domain_says_what_it_calls_the_items() -> None:
    for settings, said in (
        ({"prompt": "palr"}, True),
        ({"prompt": "palr", "domain": "books"}, False),
        ({"ranker": "recall_order"}, False),
    ):
        reporter = Listening()
        compose(cases(), progress=reporter, **settings)  # type: ignore[arg-type]
        assert any("items are called 'items' in the prompt" in line for line in reporter.lines) is said


def test_a_domain_that_only_the_template_knows_is_said(tmp_path: Path) -> None:
    """TALLRec's prompt would ask about 'the target movie "Pet Leash"'."""
    reporter = Listening()
    compose(cases(), prompt="tallrec", progress=reporter)
    assert "items are called 'movies' in the prompt; --domain products changes that" in reporter.lines
    other = Listening()
    compose(cases(), prompt="tallrec", domain="movies", progress=other)
    assert not any("items are called" in line for line in other.lines)


class Asking(BaseRanker):
    """Makes a call, and inherits a `needs` that says otherwise."""

    name = "asking"

    def rank(self, case: lr.Case) -> RankingSteps:
        yield [Request((Message("user", "Which is best?"),))]
        return Ranking(tuple(item.item_id for item in case.candidates))


def test_a_ranker_object_that_does_not_say_what_it_needs_asks_the_model_that_is_named(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server:
        run = evaluate(tmp_path, server, prompt=None, ranker=Asking())
        assert run.metrics.outcomes["ok"] == 6 and server.calls >= 1
    with pytest.raises(InputError, match=r"makes a model call, and no model is named\n  hint: name one with model"):
        lr.evaluate(cases(), ranker=Asking(), out=tmp_path / "alone", progress=False)


class Leaving(Asking):
    name = "leaving"

    def rank(self, case: lr.Case) -> RankingSteps:
        yield []
        raise SystemExit("bad configuration")


class Misjudging(Asking):
    name = "misjudging"

    def needs(self, n: int) -> Any:
        return 5


class Unasked(Asking):
    name = "unasked"

    def rank(self, case: lr.Case) -> RankingSteps:
        yield [Request("Which is best?")]  # type: ignore[arg-type]
        return Ranking(())


@pytest.mark.parametrize(
    ("ranker", "problem"),
    [
        (Leaving(), r"tried to end the process: SystemExit\('bad configuration'\)"),
        (Misjudging(), "'ranker': `needs` of Misjudging returns 5\n  hint: return llmrank.types.Needs"),
        (
            Unasked(),
            "`rank` of Unasked yields a Request whose messages are 'Which is best\\?', not a tuple of Messages",
        ),
    ],
)
def test_a_mistake_in_a_ranker_object_is_named(tmp_path: Path, ranker: Ranker, problem: str) -> None:
    from tests.evaluation.backends import Constant

    with pytest.raises(InputError, match=problem):
        lr.evaluate(cases(), ranker=ranker, backend=Constant("1"), out=tmp_path / "run", progress=False)


@pytest.mark.parametrize(
    ("member", "value", "problem"),
    [
        ("identity", "abc", "has the identity 'abc'\n  hint: make `identity` a mapping of str to str"),
        ("identity", {"kind": object()}, "has the identity {'kind': <object"),
        ("context_length", "8k", "has the context_length '8k'\n  hint: make it a number of tokens"),
    ],
)
def test_a_backend_object_that_says_something_else_of_itself_is_named(
    tmp_path: Path, member: str, value: object, problem: str
) -> None:
    from tests.evaluation.backends import Constant

    backend = type("Odd", (Constant,), {member: value})("1")
    with pytest.raises(InputError, match=f"'backend': the backend Odd {problem}"):
        lr.evaluate(cases(), prompt="rankgpt", backend=backend, out=tmp_path / "run", progress=False)


def test_a_bound_that_is_reached_speaks_of_the_call(tmp_path: Path) -> None:
    with serving(ScriptedServer(ANSWER)) as server, pytest.raises(BoundReachedError) as reached:
        evaluate(tmp_path, server, max_requests=2)
    assert "the same call continues" in str(reached.value) and "the same command" in reached.value.message


def test_a_store_that_cannot_be_written_is_noticed_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    hint = "the store cannot be used[\\s\\S]*hint: name a file"
    with pytest.raises(InputError, match=hint):
        lr.evaluate(tmp_path / "none.jsonl", prompt="palr", model=MODEL, store=tmp_path / "file" / "s.sqlite")
    with pytest.raises(InputError, match=hint):
        store = tmp_path / "file" / "s.sqlite"
        lr.rerank(tmp_path / "none.jsonl", out=tmp_path / "out.jsonl", prompt="palr", model=MODEL, store=store)


def test_a_folder_that_cannot_be_written_is_noticed_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    expected = "file: cannot be written: .*file is not a folder\n  hint: name another"
    absent = tmp_path / "none.jsonl"
    for verb in (
        partial(lr.evaluate, absent, prompt="palr", model=MODEL, store=tmp_path / "store.sqlite"),
        partial(lr.run_audit, "history", absent, prompt="palr", model=MODEL, store=tmp_path / "store.sqlite"),
        partial(lr.score, absent, "titles"),
        partial(finetune, absent),
    ):
        with pytest.raises(InputError, match=expected):
            verb(out=tmp_path / "file")
    older = tmp_path / "older"
    older.mkdir()
    (older / "manifest.json").write_text('{"settings": {}}')
    with pytest.raises(InputError, match=r"made by llmrank 0\.1\.0"):
        lr.evaluate(absent, prompt="palr", model=MODEL, out=older)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "older"}
