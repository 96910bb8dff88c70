"""A Run in MLflow and in Weights & Biases: what was logged is read back by the tracker itself, or by a stand-in with
the same refusals where it is not installed."""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Self

import pytest

from llmrank.errors import InputError, MissingError
from llmrank.run import Run
from llmrank.run.tables import optional
from llmrank.run.tracking import tracked_metrics, tracked_settings
from tests.run.making import SETTINGS, UNPARSED, case, make_run, shuffled

CASES = [case(f"u{user:02}") for user in range(12)]
MADE = {
    **SETTINGS,
    "view": {"history": 20, "ids": None, "inner": {"deep": "x"}},
    "template": "long " * 200,
    "profile": "two\nlines",
    "temperature": 0.0,
    "extra_body": {"a@b (c)": 1},
}
BEGUN = 1_767_323_045_000
"""What the Run's session says, in milliseconds."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = make_run(tmp_path / "mine", CASES, [shuffled(one, 1) for one in CASES], settings=MADE)
    change(made, "manifest.json", sessions=[{"started": "2026-01-02T03:04:05+00:00", "seconds": 60.0}])
    return Run(made.path)


def change(run: Run, name: str, **values: object) -> None:
    path = run.path / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_the_numbers_have_names_that_every_tracker_takes(run: Run) -> None:
    numbers, summary = tracked_metrics(run), run.metrics["NDCG@10"]
    assert summary.ci95 is not None and summary.value is not None
    assert numbers["NDCG_at_10"] == summary.value
    assert (numbers["NDCG_at_10_low"], numbers["NDCG_at_10_high"]) == summary.ci95
    for baseline in ("random", "recall_order", "ceiling"):
        assert numbers[f"NDCG_at_10_{baseline}"] == summary.baselines[baseline]
    assert (numbers["cases"], numbers["outcome_ok"], numbers["requests"]) == (12, 12, 12)
    assert not any(name.startswith("cost") or "@" in name for name in numbers)
    settings, texts = tracked_settings(run)
    assert settings["view.history"] == "20" and settings["view.inner.deep"] == "x" and settings["temperature"] == "0.0"
    assert "template" not in settings and "view.ids" not in settings and settings["extra_body.a_at_b _c_"] == "1"
    assert texts == {"template": MADE["template"], "profile": MADE["profile"]}


def test_what_the_method_gains_stands_beside_the_numbers(run: Run) -> None:
    numbers, summary = tracked_metrics(run), run.metrics["NDCG@10"]
    versus = summary.versus["recall_order"]
    assert versus.ci95 is not None and numbers["NDCG_at_10_minus_recall_order"] == versus.difference
    ends = (numbers["NDCG_at_10_minus_recall_order_low"], numbers["NDCG_at_10_minus_recall_order_high"])
    assert ends == versus.ci95 and numbers["NDCG_at_10_minus_recall_order_p"] == versus.p_holm
    beside = (summary.answered_only, summary.worst, summary.best)
    assert beside == tuple(numbers[f"NDCG_at_10_{name}"] for name in ("answered_only", "worst", "best"))


def test_a_run_without_an_answer_and_one_without_a_truth_have_their_numbers(tmp_path: Path) -> None:
    silent = make_run(tmp_path / "silent", CASES, [shuffled(one, 1, **UNPARSED) for one in CASES])
    numbers = tracked_metrics(silent)
    assert (numbers["answered_cases"], numbers["outcome_unparsed"]) == (0, 12)
    assert "NDCG_at_10" in numbers and "NDCG_at_10_answered_only" not in numbers
    blind = [case(f"u{user:02}", relevant=0) for user in range(3)]
    blind = [replace(one, relevant=()) for one in blind]
    numbers = tracked_metrics(make_run(tmp_path / "blind", blind, [shuffled(one, 1) for one in blind]))
    assert (numbers["cases"], numbers["judged_cases"]) == (3, 0) and "NDCG_at_10" not in numbers


class RefusedError(Exception):
    """What a tracker raises."""


class Mlflow:
    """What llmrank uses of MLflow, in memory, with MLflow's refusals; the real one passes the same test."""

    def __init__(self) -> None:
        self.runs: list[Any] = []
        self.experiments = {"Default": "0"}
        self.said = ""
        """Why it takes no files."""

    def __call__(self, tracking_uri: str | None) -> Self:
        return self

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id=self.experiments[name]) if name in self.experiments else None

    def create_experiment(self, name: str) -> str:
        return self.experiments.setdefault(name, str(len(self.experiments)))

    def search_runs(self, experiment_ids: list[str], filter_string: str = "", max_results: int = 9) -> list[Any]:
        wanted = re.fullmatch(r"tags\.`(.+)` = '(.+)'", filter_string)
        inside = [one for one in self.runs if one.info.experiment_id in experiment_ids]
        return [one for one in inside if wanted is None or one.data.tags.get(wanted[1]) == wanted[2]]

    def create_run(self, experiment_id: str, start_time: int | None, tags: dict[str, str], run_name: str) -> Any:
        info = {"run_id": str(len(self.runs)), "experiment_id": experiment_id, "start_time": start_time}
        data = SimpleNamespace(tags=tags, params={}, metrics={})
        made = SimpleNamespace(info=SimpleNamespace(**info, run_name=run_name, status="RUNNING"), data=data, files={})
        self.runs.append(made)
        return made

    def get_run(self, run_id: str) -> Any:
        return self.runs[int(run_id)]

    def log_batch(self, run_id: str, metrics: Sequence[Any] = (), params: Sequence[Any] = ()) -> None:
        data = self.get_run(run_id).data
        if len(metrics) > 1000 or len(params) > 100:
            raise RefusedError("too many in one call")
        if any(not re.fullmatch(r"[/\w.\- :]+", entry[0]) for entry in (*metrics, *params)):
            raise RefusedError("Names may only contain alphanumerics")
        if any(len(text) > 6000 or data.params.get(name, text) != text for name, text in params):
            raise RefusedError("Changing param values is not allowed")
        data.params |= dict(params)
        data.metrics |= {name: value for name, value, _, _ in metrics}

    def log_artifacts(self, run_id: str, folder: str) -> None:
        if self.said:
            raise RefusedError(self.said)
        self.get_run(run_id).files |= {one.name: one.read_text(errors="replace") for one in Path(folder).iterdir()}

    def log_text(self, run_id: str, text: str, name: str) -> None:
        self.get_run(run_id).files[name] = text

    def set_terminated(self, run_id: str, status: str, end_time: int | None) -> None:
        vars(self.get_run(run_id).info).update(status=status, end_time=end_time)

    def list_artifacts(self, run_id: str) -> list[Any]:
        return [SimpleNamespace(path=name) for name in {name.partition("/")[0] for name in self.get_run(run_id).files}]

    def download_artifacts(self, run_id: str, name: str, to: str) -> str:
        path = Path(to, Path(name).name)
        path.write_text(self.get_run(run_id).files[name])
        return str(path)


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **content: object) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> Mlflow:
    there = Mlflow()
    entities = SimpleNamespace(Metric=lambda *values: values, Param=lambda *values: values)  # type: ignore[reportUnknownLambdaType]
    content = {"MlflowClient": there, "entities": entities, "get_tracking_uri": lambda: "memory"}
    stand_in(monkeypatch, "mlflow", **content, exceptions=SimpleNamespace(MlflowException=RefusedError))
    return there


@pytest.mark.parametrize("store", ["sqlite", "folder", "memory"])
def test_an_mlflow_store_has_the_run(
    run: Run, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)  # where a client of MLflow begins, it keeps files
    where = {"sqlite": f"sqlite:///{tmp_path / 'mlflow.db'}", "folder": (tmp_path / "mlruns").as_uri()}.get(store, "m")
    if store == "memory":
        client: Any = request.getfixturevalue("in_memory")
    else:
        mlflow: Any = pytest.importorskip("mlflow", reason="mlflow is not installed")
        if store == "sqlite":
            pytest.importorskip("sqlalchemy", reason="mlflow-skinny has no database stores")
        # MLflow keeps its file store for those who ask for it.
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        client = mlflow.MlflowClient(tracking_uri=where)
    made = run.track("mlflow", where=where, project="rankers")
    # Read again by a newer parser, and moved: the run that is there has the new numbers.
    measures = run.metrics.to_dict()["measures"]
    change(run, "metrics.json", measures=measures | {"NDCG@10": measures["NDCG@10"] | {"value": 0.125}})
    change(run, "manifest.json", files={})
    run = Run(run.path.rename(tmp_path / "moved"))
    assert run.track("mlflow", where=where, project="rankers") == made
    experiment = client.get_experiment_by_name("rankers")
    assert [one.info.run_id for one in client.search_runs([experiment.experiment_id])] == [made]
    found = client.get_run(made)
    assert found.data.metrics == pytest.approx(tracked_metrics(run)) and found.data.metrics["NDCG_at_10"] == 0.125
    assert found.data.params == tracked_settings(run)[0]
    assert (found.info.run_name, found.info.status) == ("mine", "FINISHED")
    assert (found.info.start_time, found.info.end_time) == (BEGUN, BEGUN + 60_000)
    assert found.data.tags["llmrank.title"] == run.title
    there = {one.path for one in client.list_artifacts(made)}
    assert there == {*(path.name for path in run.path.iterdir()), "summary.md", "settings"}
    copied = Path(client.download_artifacts(made, "metrics.json", str(tmp_path)))
    assert json.loads(copied.read_text()) == json.loads((run.path / "metrics.json").read_text())
    summary = Path(client.download_artifacts(made, "summary.md", str(tmp_path))).read_text()
    assert run.metrics.verdict()[0] in summary and run.to_markdown() in summary
    template = Path(client.download_artifacts(made, "settings/template.txt", str(tmp_path))).read_text()
    assert template == MADE["template"]
    bare = run.track("mlflow", where=where, files=False)
    assert not client.list_artifacts(bare) and client.get_run(bare).info.experiment_id == "0"


def test_the_experiment_that_is_set_holds_for_the_store_that_is_set(
    run: Run, in_memory: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "7")  # as `mlflow.set_experiment` does
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    for where, project in ((None, None), ("memory", None), ("elsewhere", None), (None, "mine")):
        run.track("mlflow", where=where, project=project)
    named, mine = in_memory.experiments["named"], in_memory.experiments["mine"]
    assert [one.info.experiment_id for one in in_memory.runs] == ["7", named, mine]


def test_a_run_that_could_not_be_logged_whole_has_failed_and_is_continued(run: Run, in_memory: Mlflow) -> None:
    in_memory.said = "no room at https://me:secret@there/x"
    with pytest.raises(InputError, match="MLflow: no room at https://…@there/x") as error:
        run.track("mlflow")
    assert "secret" not in str(error.value) and in_memory.runs[0].info.status == "FAILED"
    in_memory.said = ""
    assert run.track("mlflow") == in_memory.runs[0].info.run_id and in_memory.runs[0].info.status == "FINISHED"


@pytest.mark.parametrize(
    ("raised", "hint"),
    [
        (ModuleNotFoundError("no module", name="boto3"), "pip install boto3"),
        (ImportError("cannot import name 'Pool'", name="sqlalchemy.pool"), "upgrade it"),
    ],
)
def test_what_mlflow_itself_lacks_is_named(
    run: Run, in_memory: Mlflow, monkeypatch: pytest.MonkeyPatch, raised: ImportError, hint: str
) -> None:
    def lacks(*_: object) -> None:
        raise raised

    monkeypatch.setattr(in_memory, "log_artifacts", lacks)
    with pytest.raises(MissingError, match=hint) as error:
        run.track("mlflow")
    assert "pip install sqlalchemy.pool" not in str(error.value)


@pytest.mark.usefixtures("in_memory")
def test_a_server_that_is_not_there_is_said_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(MissingError, match=f"no MLflow server answers at http://127.0.0.1:{port}/x\n") as error:
        run.track("mlflow", where=f"http://me:secret@127.0.0.1:{port}/x")
    assert "secret" not in str(error.value)


def test_a_database_of_mlflow_needs_its_package(run: Run, in_memory: Mlflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MissingError, match="needs sqlalchemy") as error:
        run.track("mlflow", where="postgresql+psycopg://me@there/x")
    assert error.value.hint == "pip install 'llmrank[mlflow]'" and not in_memory.runs


def test_a_folder_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Weights & Biases leaves a folder `wandb` where it was used.
    (tmp_path / "no_tracker").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingError, match="a test needs no_tracker"):
        optional("no_tracker", "no_tracker", "a test")
    (tmp_path / "no_tracker" / "__init__.py").write_text("THERE = True")
    assert vars(optional("no_tracker", "no_tracker", "a test"))["THERE"]
    del sys.modules["no_tracker"]


def logged(written: bytes) -> Iterator[bytes]:
    """Yield the records of a `.wandb` file: a log of LevelDB's form behind a head of seven bytes."""
    place, part = 7, b""
    while place + 7 <= len(written):
        if (left := -place % 32_768) < 7:
            place += left  # no head begins in the last bytes of a block
            continue
        length, kind = struct.unpack("<HB", written[place + 4 : place + 7])
        part += written[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield part
            part = b""


def test_wandb_offline_has_the_run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb: Any = pytest.importorskip("wandb", reason="wandb is not installed")
    protocol: Any = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    for name in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    made = run.track("wandb", where=tmp_path / "here", project="rankers")
    wandb.teardown()
    [written] = (tmp_path / "here").glob(f"**/run-{made}.wandb")
    summary: dict[str, Any] = {}
    config: dict[str, Any] = {}
    said: set[tuple[str, str]] = set()
    artifacts: set[str] = set()
    for data in logged(written.read_bytes()):
        record = protocol.Record()
        record.ParseFromString(data)
        summary |= {one.key or one.nested_key[0]: json.loads(one.value_json) for one in record.summary.update}
        config |= {one.key: json.loads(one.value_json) for one in record.run.config.update}
        said.add((record.run.display_name, record.run.notes))
        artifacts |= {one.path for one in record.request.log_artifact.artifact.manifest.contents}
        artifacts |= {one.path for one in record.artifact.manifest.contents}
    assert {name: summary[name] for name in tracked_metrics(run)} == pytest.approx(tracked_metrics(run))
    assert {name: config[name] for name in MADE} == MADE  # numbers as numbers, and templates too
    assert artifacts == {path.name for path in run.path.iterdir()} and ("mine", run.title) in said


class Wandb:
    """What llmrank uses of Weights & Biases, in memory."""

    def __init__(self) -> None:
        self.opened: list[dict[str, Any]] = []
        self.summary: dict[str, float] = {}
        self.resumed, self.name, self.notes, self.id = False, "", "", ""

    def init(self, **about: Any) -> Self:
        if "/" in (about["project"] or ""):
            raise RefusedError("Invalid project name")
        self.opened.append(about)
        self.id = about["id"]
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.resumed = True


def test_wandb_finds_a_run_again_and_leaves_what_a_person_wrote(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Wandb()
    stand_in(monkeypatch, "wandb", init=there.init, Error=RefusedError, Settings=dict)
    made = run.track("wandb", files=False)
    assert (there.name, there.notes, there.summary) == ("mine", run.title, tracked_metrics(run))
    there.notes = "the best so far"
    assert Run(run.path.rename(tmp_path / "moved")).track("wandb", project="p", files=False) == made
    assert there.notes == "the best so far" and [one["resume"] for one in there.opened] == ["allow", "allow"]
    other = make_run(tmp_path / "other", CASES, [shuffled(one, 2) for one in CASES], settings=MADE)
    assert other.track("wandb", files=False) != made  # the same settings, but not the same evaluation
    with pytest.raises(InputError, match="Weights & Biases: Invalid project name"):
        other.track("wandb", project="a/b", files=False)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        other.track("wandb", where=tmp_path / "file")


def test_what_cannot_be_tracked_is_refused(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="unknown tracker 'neptune'"):
        run.track("neptune")  # type: ignore[arg-type]
    half = make_run(tmp_path / "half", CASES, [], finish=False)
    with pytest.raises(InputError, match="not finished"):
        half.track("mlflow")
    for name, said in (("mlflow", "a run in MLflow needs mlflow"), ("wandb", "Weights & Biases needs wandb")):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(MissingError, match=said):
            run.track(name)  # type: ignore[arg-type]
