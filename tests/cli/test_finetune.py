"""The tuned model from the command line: the shipped adapter, one of one's own, and files for other trainers."""

from __future__ import annotations

import json
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmrank.backends.models import Model
from llmrank.data.dataset import Split
from llmrank.run import load_run
from tests.cli.command import command, environment, run
from tests.finetune.conftest import circle as circle
from tests.finetune.conftest import rated_films
from tests.finetune.conftest import split as split
from tests.finetune.conftest import tiny_model as tiny_model

pytestmark = pytest.mark.skipif(find_spec("peft") is None, reason="the extra `finetune` is not installed")
SHAPE = ("--layers", "2", "--item-layers", "2", "--rank", "2")
STAGE = ("--recall", "random", "-k", "12")


@pytest.mark.usefixtures("default_model")
def test_the_shipped_adapter_ranks_and_its_weight_is_chosen(tmp_path: Path) -> None:
    words = ("eval", "--ranker", "next_title", "--fuse", "validation", "--fuse-users", "25", "--users", "8", "-k", "8")
    ran = run(tmp_path, *words, "--store", "store.sqlite", "--out", "run")
    assert ran.returncode == 0, ran.stderr
    assert "chosen on 25 validation users" in " ".join(ran.stdout.split()) and "\npower " in ran.stdout
    found = load_run(tmp_path / "run")
    assert found.settings["backend"]["adapter"] == "ml-100k" and found.metrics.outcomes["ok"] == 8
    assert run(tmp_path, "show", "run").stdout.splitlines()[0].startswith("next_title+recall on ml-100k")


def test_a_training_is_stopped_continued_and_asked(tiny_model: Model, circle: Path, tmp_path: Path) -> None:
    model = ("--model", str(tiny_model.folder))
    words = ("finetune", str(circle), "-o", "adapter", *model, *SHAPE, *STAGE, "--epochs", "20", "--validations", "10")
    with subprocess.Popen(
        command(*words), cwd=tmp_path, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        measured = (line for line in process.stderr if "validation NDCG@10" in line)
        first = next(measured).split()[0]
        next(measured)  # by then the checkpoint of the first is whole
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout) == (130, "")
    assert "the same call continues after" in stderr and "the same command continues" in stderr
    ran = run(tmp_path, *words)
    assert ran.returncode == 0 and "continuing after" in ran.stderr and first != "0", ran.stderr
    use = ran.stdout.splitlines()[-1].partition(", with the data options of this training")[0]
    assert use.startswith(f"Use it: llmrank eval --data {circle} --ranker next_title --fuse ")
    assert use.endswith(f" --adapter adapter --model {tiny_model.folder}")
    asked = ("eval", "--data", str(circle), "--ranker", "next_title", "--adapter", "adapter", *model, *STAGE)
    ran = run(tmp_path, *asked, "--users", "0", "--store", "store.sqlite", "--out", "run")
    assert ran.returncode == 0, ran.stderr
    found = load_run(tmp_path / "run")
    assert found.metrics["NDCG@10"].value > found.metrics["NDCG@10"].baselines["random"]
    ran = run(tmp_path, *asked[: -len(STAGE) - 2], *STAGE, "--store", "store.sqlite", "--out", "other")
    assert ran.returncode == 2 and "trained on" in ran.stderr and "hint: use --model" in ran.stderr


def test_the_line_after_a_training_names_the_template_and_its_error(
    tiny_model: Model, split: Split, tmp_path: Path
) -> None:
    pytest.importorskip("vllm", reason="it gives the tokens of a prompt")
    data, template = rated_films(split, tmp_path)
    words = ("finetune", str(data), "-o", "my adapter", "--prompt", str(template), "--model", str(tiny_model.folder))
    ran = run(tmp_path, *words, "--regression", "--epochs", "0.5", "--validations", "1")
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout.partition("\nvalidation RMSE ")[2].split()[0]) > 0
    use = f"--data {data} --prompt {template} --adapter 'my adapter' --model {tiny_model.folder}, with the options of"
    assert f"Use it: llmrank eval {use}" in ran.stdout


def test_prompts_are_exported(circle: Path, tmp_path: Path) -> None:
    words = ("export-sft", str(circle), "--prompt", "rankgpt", "--model", "not-here", *STAGE, "-o", "sft.jsonl")
    ran = run(tmp_path, *words, "--format", "openai")
    assert ran.returncode == 0, ran.stderr
    rows = [json.loads(line) for line in (tmp_path / "sft.jsonl").read_text().splitlines()]
    assert (
        "circle" in ran.stdout
        and f"; examples: {len(rows)}. " in ran.stdout
        and {len(row["messages"]) for row in rows} == {3}
    )
    ran = run(tmp_path, *words, "--order", "sideways")
    assert ran.returncode == 2 and "unknown order 'sideways'" in ran.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--prompt", "first-token", "--item-layers", "2"), "--item-layers: training with --prompt"),
        (("--targets", "4"), "--targets: training without --prompt"),
    ],
)
def test_an_option_of_the_other_training_is_named(tmp_path: Path, words: tuple[str, ...], problem: str) -> None:
    ran = run(tmp_path, "finetune", "ml-100k", "-o", "adapter", *words)
    assert ran.returncode == 2 and problem in ran.stderr.replace("field '", "").replace("'", ""), ran.stderr
    assert not (tmp_path / "adapter").exists()


@pytest.mark.parametrize("verb", ["finetune", "export-sft", "eval"])
def test_the_help_fits_80_columns(tmp_path: Path, verb: str) -> None:
    shown = run(tmp_path, verb, "--help", COLUMNS="80").stdout.splitlines()
    assert len(shown) > 20 and max(map(len, shown)) <= 80
