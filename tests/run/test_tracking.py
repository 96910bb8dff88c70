"""A Run in MLflow and in Weights & Biases: what was logged is read back by the tracker itself."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmrank.errors import InputError, MissingError
from llmrank.run import Run
from llmrank.run.tracking import tracked_metrics, tracked_settings
from tests.run.making import SETTINGS, case, make_run, shuffled

CASES = [case(f"u{user:02}") for user in range(12)]
MADE = {
    **SETTINGS,
    "view": {"history": 20, "ids": None, "inner": {"deep": "x"}},
    "template": "long " * 200,
    "temperature": 0.0,
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path / "mine", CASES, [shuffled(one, 1) for one in CASES], settings=MADE)


def test_the_numbers_have_names_that_every_tracker_takes(run: Run) -> None:
    numbers, summary = tracked_metrics(run), run.metrics["NDCG@10"]
    assert summary.ci95 is not None and summary.value is not None
    assert numbers["NDCG_at_10"] == summary.value
    assert (numbers["NDCG_at_10_low"], numbers["NDCG_at_10_high"]) == summary.ci95
    for baseline in ("random", "recall_order", "ceiling"):
        assert numbers[f"NDCG_at_10_{baseline}"] == summary.baselines[baseline]
    assert (numbers["cases"], numbers["outcome_ok"], numbers["requests"]) == (12, 12, 12)
    assert "cost" not in numbers and not any("@" in name for name in numbers)
    settings = tracked_settings(run)
    assert settings["view.history"] == "20" and settings["view.inner.deep"] == "x" and settings["temperature"] == "0.0"
    assert "template" not in settings and "view.ids" not in settings


@pytest.mark.parametrize("store", ["sqlite", "folder"])
def test_a_real_mlflow_store_has_the_run(run: Run, tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow: Any = pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.chdir(tmp_path)
    if store == "sqlite":
        pytest.importorskip("sqlalchemy", reason="mlflow-skinny has no database stores")
        where = f"sqlite:///{tmp_path / 'mlflow.db'}"
    else:
        # MLflow keeps its file store for those who ask for it.
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        where = (tmp_path / "mlruns").as_uri()
    ids = [run.track("mlflow", where=where, project="rankers") for _ in range(2)]
    client = mlflow.MlflowClient(tracking_uri=where)
    experiment = client.get_experiment_by_name("rankers")
    assert sorted(one.info.run_id for one in client.search_runs([experiment.experiment_id])) == sorted(ids)
    found = client.get_run(ids[0])
    assert found.data.metrics == pytest.approx(tracked_metrics(run)) and found.data.params == tracked_settings(run)
    assert (found.info.run_name, found.info.status) == ("mine", "FINISHED")
    assert found.data.tags["llmrank.title"] == run.title
    there = {one.path for one in client.list_artifacts(ids[0])}
    assert there == {path.name for path in run.path.iterdir()}
    copied = Path(client.download_artifacts(ids[0], "metrics.json", str(tmp_path)))
    assert json.loads(copied.read_text()) == json.loads((run.path / "metrics.json").read_text())
    bare = run.track("mlflow", where=where, files=False)
    assert not client.list_artifacts(bare) and client.get_run(bare).info.experiment_id == "0"


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
    config: dict[str, str] = {}
    artifacts: set[str] = set()
    for data in logged(written.read_bytes()):
        record = protocol.Record()
        record.ParseFromString(data)
        summary |= {one.key or one.nested_key[0]: json.loads(one.value_json) for one in record.summary.update}
        config |= {one.key: json.loads(one.value_json) for one in record.run.config.update}
        artifacts |= {one.path for one in record.request.log_artifact.artifact.manifest.contents}
        artifacts |= {one.path for one in record.artifact.manifest.contents}
    assert {name: summary[name] for name in tracked_metrics(run)} == pytest.approx(tracked_metrics(run))
    assert {name: config[name] for name in tracked_settings(run)} == tracked_settings(run)
    assert artifacts == {path.name for path in run.path.iterdir()}


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
