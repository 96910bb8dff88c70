"""Training of a model that answers a prompt: the prompts are those of an evaluation, and labels are what is learned."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

import llmrank as lr
from llmrank.backends.adapter import CARD, read_card
from llmrank.backends.models import Model, resolve_model
from llmrank.backends.vllm import VllmBackend
from llmrank.data.candidate_writing import write_cases
from llmrank.data.dataset import Split
from llmrank.data.load import load_dataset
from llmrank.data.splits import leave_last_out, validation_split
from llmrank.errors import FatalBackendError, InputError
from llmrank.evaluation.cases import cases_hash, reachable, validation_cases
from llmrank.evaluation.settings import CaseSettings, PromptSettings
from llmrank.finetune import PromptTraining, export_sft, finetune, parted
from llmrank.rankers import RankerOptions
from llmrank.types import Message, Request
from tests.finetune.conftest import rated_films

pytest.importorskip("peft", reason="the extra `finetune` is not installed")
pytest.importorskip("vllm", reason="its adapter is asked in vLLM")

from llmrank.evaluation.evaluate import compose
from llmrank.finetune import loop, prompts
from llmrank.finetune.loop import CHECKPOINT

SETTINGS = PromptTraining(
    epochs=4, learning_rate=3e-2, warm_up=5, rank=4, dtype="float32", targets=2, validations=3, patience=3, tokens=600
)
DATA: dict[str, Any] = {"recall": "itemknn", "k": 4, "order": "recall"}
LETTERS = """---
name: letters
task: ranking
ranker: first_token
answer: label_logprobs
ids: letters
history: 1
---
{% block user %}
{% for event in history %}{{ event.title }}{% endfor %}:
{% for item in candidates %} {{ item.identifier }} {{ item.title }}{% endfor %}
{% endblock %}
"""


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prompts") / "letters.jinja"
    path.write_text(LETTERS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tiny_model: Model, circle: Path, letters: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an adapter: the recall stage is often right here, and what it puts first is shown as A."""
    out = tmp_path_factory.mktemp("letters") / "adapter"
    finetune(circle, out, prompt=letters, model=str(tiny_model.folder), settings=SETTINGS, **DATA)
    return out


def test_the_loss_falls_and_the_right_label_becomes_likely(trained: Path) -> None:
    card = read_card(trained)
    first, last = card["curve"][0], card["curve"][-1]
    assert last["loss"] < 2.0 < first["loss"] < np.log(256), "of 256 tokens the letters are likely, and of them A"
    assert card["validation"]["best"] > 0.8 and card["kind"] == "prompt"
    assert card["prompt"]["prompt"] == "letters" and card["prompt"]["order"] == "recall"
    assert {path.name for path in trained.iterdir()} == {"adapter_config.json", "adapter_model.safetensors", CARD}


def test_the_events_learned_from_lie_before_those_of_validation_and_those_before_the_test(
    trained: Path, circle: Path
) -> None:
    split = leave_last_out(load_dataset(str(circle)))
    read = CaseSettings(recall="itemknn", k=4)
    once = validation_split(split)
    wanted = [validation_cases(one, read, 0) for one in (once, validation_split(once))]
    card = read_card(trained)["data"]
    assert card["cases_sha256"] == [cases_hash(one.cases) for one in wanted]
    assert card["validation_sha256"] == cases_hash(validation_cases(split, read, 1000).cases)
    items = [item.item_id for item in split.dataset.items]
    for case in wanted[0].cases[:5]:
        user = split.dataset.users.index(case.user_id)
        events = [items[item] for item in split.train.item[split.train.user == user].tolist()]
        assert [event.item.item_id for event in case.history] == events[:-2]
        assert case.relevant == (events[-2],)


def test_the_card_counts_the_cases_that_the_validation_is_averaged_over(
    tiny_model: Model, circle: Path, letters: Path, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, epochs=0.1, validations=1)
    asked: dict[str, Any] = {"prompt": letters, "model": str(tiny_model.folder), "recall": "random", "k": 12}
    card = finetune(circle, tmp_path, settings=settings, **asked)
    drawn = validation_cases(leave_last_out(load_dataset(str(circle))), CaseSettings(recall="random", k=12), 1000)
    assert card["validation"]["cases"] == len(reachable(drawn)) < len(drawn)


def test_a_shuffled_list_is_shown_in_another_order_in_each_pass(
    tiny_model: Model, circle: Path, letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[list[prompts.Example]] = []

    class Watched(prompts.PromptObjective):
        def _examples(self, asked: Any, epoch: int) -> list[prompts.Example]:
            found = super()._examples(asked, epoch)
            passes.append(found)
            return found

    monkeypatch.setattr(prompts, "PromptObjective", Watched)
    settings = replace(SETTINGS, epochs=2, targets=1, validations=1)
    finetune(circle, tmp_path, prompt=letters, model=str(tiny_model.folder), settings=settings, recall="itemknn", k=4)
    first, second = passes
    assert first != second and len(first) == len(second) > 50
    assert all(sorted(one.tokens) == sorted(other.tokens) for one, other in zip(first, second, strict=True))
    assert {one.right for one in first} == {ord(letter) for letter in "ABCD"} or len({one.right for one in first}) == 4


def test_a_stopped_training_continues_to_the_same_adapter(
    tiny_model: Model, circle: Path, letters: Path, trained: Path, tmp_path: Path
) -> None:
    def interrupted(line: str) -> None:
        lines.append(line)
        if "validation NDCG@10" in line:
            raise KeyboardInterrupt

    lines: list[str] = []
    settings = replace(SETTINGS, checkpoint_seconds=0)
    again: dict[str, Any] = {"prompt": letters, "model": str(tiny_model.folder), "settings": settings, **DATA}
    with pytest.raises(KeyboardInterrupt):
        finetune(circle, tmp_path, say=interrupted, **again)
    with pytest.raises(KeyboardInterrupt):
        finetune(circle, tmp_path, say=interrupted, **again)
    finetune(circle, tmp_path, say=lines.append, **again)
    assert any("continuing after" in line for line in lines) and not (tmp_path / CHECKPOINT).exists()
    assert read_card(tmp_path)["curve"] == read_card(trained)["curve"]
    name = "adapter_model.safetensors"
    assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()
    finetune(circle, tmp_path, say=lines.append, **again)
    assert lines[-1].startswith("already trained")


def test_an_adapter_may_be_in_the_upper_layers_alone(
    tiny_model: Model, circle: Path, letters: Path, tmp_path: Path
) -> None:
    from safetensors import safe_open

    settings = replace(SETTINGS, epochs=0.5, validations=1, tuned_layers=1)
    finetune(circle, tmp_path / "a", prompt=letters, model=str(tiny_model.folder), settings=settings, **DATA)
    with safe_open(tmp_path / "a" / "adapter_model.safetensors", "pt") as tensors:
        assert {name.split(".layers.")[1].split(".")[0] for name in tensors.keys()} == {"2"}  # noqa: SIM118 - no mapping
    with pytest.raises(InputError, match=r"has only 3 layers[\s\S]*at most 3"):
        settings = replace(settings, tuned_layers=4)
        finetune(circle, tmp_path / "b", prompt=letters, model=str(tiny_model.folder), settings=settings, **DATA)


@pytest.mark.parametrize(
    ("prompt", "given", "problem"),
    [
        ("palr-recommend-retrieval", {}, r"text answers[\s\S]*export-sft"),
        ("pairwise", {}, r"makes up to \d+ calls[\s\S]*\(k\)"),
        ("palr", {"no_profile": False}, r"needs a first call for a profile[\s\S]*no_profile=True"),
        ("first-token", {"order": "target-at-0"}, "at the same position"),
        ("first-token", {"first": "bm25"}, "field 'first': a training learns .* a single call.*no effect"),
        ("first-token", {"temperature": 0.7}, "field 'temperature': a training learns the correct answer"),
        ("first-token", {"draw": 2}, "field 'draw': a training learns the correct answer"),
        ("first-token", {"validation_users": 19}, "field 'validation_users': 19 users for validation; at least 20"),
        (
            "first-token",
            {"validation_users": 20, "recall": "random"},
            r"field 'validation_users': \d+ validation Cases? with a relevant item among the candidates",
        ),
        ("first-token", {"repeats": 3}, "field 'repeats': a training learns .* a single call"),
        ("first-token", {"calibrate": 1.0}, "field 'calibrate': a training learns .* a single call"),
        ("first-token", {"recall": "random", "k": 1}, "at least 16 are needed|at least 20 are needed"),
        (
            "first-token",
            {"settings": replace(SETTINGS, targets=11)},
            r"field 'targets': .*only 10 events[\s\S]*at most 10",
        ),
        ("first-token", {"users": 5}, r"no such setting[\s\S]*training settings"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_the_model_is_opened(
    tiny_model: Model, circle: Path, tmp_path: Path, prompt: str, given: dict[str, Any], problem: str
) -> None:
    lines: list[str] = []
    with pytest.raises(InputError, match=problem):
        finetune(circle, tmp_path, prompt=prompt, model=str(tiny_model.folder), say=lines.append, **DATA | given)
    assert not any("opening" in line for line in lines)
    # What the settings alone rule out is refused before the recall stage is fitted.
    alone = not given.keys() & {"recall", "settings"}
    assert any("fitting" in line for line in lines) != alone, lines


def test_an_adapter_for_other_prompts_is_another_training(
    tiny_model: Model, circle: Path, letters: Path, trained: Path
) -> None:
    """A shorter history or other identifiers leave the template and the Cases as they are."""
    again: dict[str, Any] = {"prompt": letters, "model": str(tiny_model.folder), "settings": SETTINGS, **DATA}
    assert finetune(circle, trained, **again)["prompt"]["view"]["history"] is None
    others: list[dict[str, Any]] = [{"history": 3}, {"ids": "numbers"}, {"shots": 1}, {"fuse": 1.0}]
    for other in others:
        with pytest.raises(InputError, match="another training"):
            finetune(circle, trained, **again, **other)


def test_a_label_of_several_tokens_is_named(tiny_model: Model, circle: Path, tmp_path: Path) -> None:
    with pytest.raises(FatalBackendError, match="Yes"):
        finetune(circle, tmp_path, prompt="pointwise-yes-no", model=str(tiny_model.folder), history=1, **DATA)


def test_settings_of_the_other_training_are_refused(circle: Path, tmp_path: Path) -> None:
    from llmrank.finetune import TitleTraining

    with pytest.raises(InputError, match="expected a"):
        finetune(circle, tmp_path, prompt="first-token", settings=TitleTraining())


def test_a_weight_for_fusion_alone_is_no_prompt(circle: Path, tmp_path: Path) -> None:
    """As `finetune DATA --fuse 3` gives it: the method that nobody named is not to blame."""
    with pytest.raises(InputError, match=r"training on titles chooses a weight itself[\s\S]*it is for eval"):
        finetune(circle, tmp_path, prompt=PromptSettings(options=RankerOptions(fuse=3.0)))


def test_ratings_are_learned_as_classes(tiny_model: Model, split: Split, tmp_path: Path) -> None:
    folder, template = rated_films(split, tmp_path)
    settings = replace(SETTINGS, epochs=12, validations=2)
    card = finetune(folder, tmp_path / "a", prompt=template, model=str(tiny_model.folder), settings=settings)
    assert card["validation"]["measure"] == "log-likelihood"
    assert card["validation"]["best"] > -np.log(5), "better than not to know"


def test_ratings_are_learned_by_regression(tiny_model: Model, split: Split, tmp_path: Path) -> None:
    """A rating of 2.25 is no label, and is learned all the same."""
    folder, template = rated_films(split, tmp_path, add=0.25)
    named: dict[str, Any] = {"prompt": template, "model": str(tiny_model.folder)}
    settings = replace(SETTINGS, epochs=12, validations=3, patience=3)
    with pytest.raises(InputError, match=r"2\.25.*not among the labels"):
        finetune(folder, tmp_path / "a", settings=settings, **named)
    with pytest.raises(InputError, match=r"19 users for validation; at least 20"):
        finetune(folder, tmp_path / "b", settings=settings, validation_users=19, **named)
    rows = tmp_path / "rows.jsonl"
    asked = ({"user_id": f"u{n}", "target": {"item_id": "1", "title": "film of 2"}, "rating": 2} for n in range(95))
    rows.write_text("".join(f"{json.dumps(row)}\n" for row in asked), encoding="utf-8")
    with pytest.raises(InputError, match=r"19 validation Cases with a rating; at least 20"):
        finetune(rows, tmp_path / "b", settings=replace(settings, targets=1), **named)
    lines: list[str] = []
    regression = replace(settings, regression=True)
    card = finetune(folder, tmp_path / "b", settings=regression, say=lines.append, **named)
    assert any(f": validation RMSE {-card['validation']['best']:.4f}, loss" in line for line in lines)
    assert card["validation"]["measure"] == "negative RMSE"
    assert card["settings"]["regression"]
    assert -card["validation"]["best"] < np.std([1, 2.25, 3, 4, 5]) / 2, "better than their mean"


def test_what_a_regression_learns_is_what_is_read() -> None:
    """The squared error of the expectation over the labels alone; the loss adds the probability beside them."""
    import torch

    from llmrank.answers.formats.expected_rating import ExpectedRating
    from llmrank.finetune.prompts import Example, regression_loss, squared_error
    from llmrank.types import Question, Response

    logits = torch.tensor([[0.3, 2.0, -1.0, 0.5], [1.5, 0.0, 0.2, 3.0]])
    batch = [Example((), (1, 3), 4.0, (1.0, 5.0)), Example((), (0, 2), 2.5, (1.0, 5.0))]
    known = torch.log_softmax(logits, -1)
    errors, beside = [], []
    for row, one in zip(known, batch, strict=True):
        labels = {f"{rating:g}": float(row[token]) for rating, token in zip(one.ratings, one.labels, strict=True)}
        question = Question((), (), scale=(1.0, 5.0))
        value = ExpectedRating().read(Response("", label_logprobs=labels), question).value
        assert value is not None
        errors.append((value - one.right) ** 2)
        beside.append(-np.log(sum(np.exp(one) for one in labels.values())))
    assert squared_error(logits, batch).item() == pytest.approx(np.mean(errors), rel=1e-5)
    assert regression_loss(logits, batch).item() == pytest.approx(np.mean(errors) + np.mean(beside), rel=1e-5)


def test_a_regression_needs_ratings(tiny_model: Model, circle: Path, letters: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, regression=True)
    with pytest.raises(InputError, match="regression does not support the answer format 'label_logprobs'"):
        finetune(circle, tmp_path, prompt=letters, model=str(tiny_model.folder), settings=settings, **DATA)


def test_the_tokens_are_those_that_vllm_is_sent(tiny_model: Model) -> None:
    request = Request((Message("user", "Aa film"),))
    backend = VllmBackend(tiny_model, "float32")
    assert backend.count_tokens(request.messages) == len(backend.prompt_ids(request)) == len("Aa film")


def test_events_that_do_not_fit_the_context_are_counted_and_said(
    tiny_model: Model, circle: Path, tmp_path: Path
) -> None:
    short, whole, lines = tmp_path / "short", tmp_path / "letters.jinja", list[str]()
    copytree(tiny_model.folder, short)
    config = short / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_position_embeddings": 150}))
    whole.write_text(LETTERS.replace("history: 1\n", ""), encoding="utf-8")
    settings = replace(SETTINGS, epochs=0.1, validations=1)
    finetune(circle, tmp_path / "a", prompt=whole, model=str(short), settings=settings, say=lines.append, **DATA)
    said = "oldest events dropped from the prompts, to fit the context window"
    assert sum(said in line for line in lines) == 1
    asked: dict[str, Any] = {"prompt": whole, "overwrite": True, **DATA}
    assert export_sft(circle, tmp_path / "sft", model=str(short), **asked)["history_dropped"] > 100
    assert export_sft(circle, tmp_path / "sft", model=str(tiny_model.folder), **asked)["history_dropped"] == 0


def test_progress_of_a_training_has_tokens_where_it_reads_tokens(
    tiny_model: Model, circle: Path, letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAID_EVERY", 0.0)
    lines: list[str] = []
    settings = replace(SETTINGS, epochs=1, validations=1)
    model = str(tiny_model.folder)
    finetune(circle, tmp_path, prompt=letters, model=model, settings=settings, say=lines.append, **DATA)
    found = [match for line in lines if (match := re.search(r"loss .*, ([\d,.]+) targets/s, ([\d,.]+) tokens/s", line))]
    targets, tokens = (float(found[-1][number].replace(",", "")) for number in (1, 2))
    assert 60 < tokens / targets < 120, "as long as a prompt is, in characters"


COUNT = """
import sys
from llmrank.backends.models import resolve_model
from llmrank.backends.vllm import VllmBackend
from llmrank.types import Message

print(VllmBackend(resolve_model(sys.argv[1]), "float32").count_tokens((Message("user", "Aa film"),)))
"""


def test_counting_the_tokens_of_a_long_prompt_prints_nothing_else(tiny_model: Model, tmp_path: Path) -> None:
    copytree(tiny_model.folder, tmp_path / "short")
    config = tmp_path / "short" / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_max_length": 4}))
    ran = subprocess.run([sys.executable, "-c", COUNT, tmp_path / "short"], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == (f"{len('Aa film')}\n", "")


def test_an_adapter_is_refused_for_another_prompt_or_split(
    tiny_model: Model, circle: Path, letters: Path, trained: Path, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"adapter": trained, "model": str(tiny_model.folder), "progress": False, **DATA}
    asked |= {"store": tmp_path / "store.sqlite", "out": tmp_path / "run"}
    other = tmp_path / "other.jinja"
    other.write_text(LETTERS.replace("name: letters", "name: other"), encoding="utf-8")
    with pytest.raises(InputError, match="trained for the prompt letters"):
        lr.evaluate(circle, prompt=other, **asked)
    with pytest.raises(InputError, match="trained for the prompt letters"):
        lr.Reranker(prompt=other, adapter=trained, model=str(tiny_model.folder))
    with pytest.raises(InputError, match=r"leave-last-out of this data[\s\S]*may have\s+seen the test data"):
        lr.evaluate(circle, prompt=letters, split="user-ratio:0.9", **asked)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("adapter_config.json", "{", "adapter_config.json: not the configuration of a LoRA adapter"),
        ("adapter_config.json", '{"r": "four"}', "adapter_config.json: not the configuration of a LoRA adapter"),
        ("adapter_model.safetensors", "cut off", "adapter_model.safetensors: not a complete safetensors file"),
        ("adapter_model.safetensors", None, "adapter_model.safetensors is missing"),
    ],
)
def test_a_damaged_adapter_is_refused_before_the_engine_starts(
    tiny_model: Model, trained: Path, tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    damaged = tmp_path / "adapter"
    copytree(trained, damaged)
    (damaged / name).unlink()
    if content is not None:
        (damaged / name).write_text(content)
    with pytest.raises(InputError, match=message):
        VllmBackend(tiny_model, "float32", damaged)


def test_an_adapter_named_as_the_model_is_told_apart(trained: Path) -> None:
    with pytest.raises(
        InputError, match=r"an adapter, not a model\n  hint: give it as adapter, and its base model as model"
    ):
        resolve_model(str(trained))


def test_what_is_shown_otherwise_than_in_training_is_noted(
    tiny_model: Model, circle: Path, letters: Path, trained: Path
) -> None:
    asked: dict[str, Any] = {"prompt": letters, "adapter": trained, "model": str(tiny_model.folder), **DATA}
    for settings, note in (
        ({}, None),
        (
            {"history": 3, "history_order": "newest-first"},
            "The adapter was trained with history as in the template (here 3), history_order oldest-first (here "
            "newest-first).",
        ),
    ):
        evaluation = compose(circle, progress=False, **asked, **settings)
        with evaluation.session() as session:
            method = evaluation.setup.method(session, evaluation.cases.training, 0, evaluation.cases.domain)
        assert evaluation.setup.differs_from_training(method) == note


def test_a_file_of_solved_cases_is_learned_from_and_never_asked_about_again(
    tiny_model: Model, circle: Path, letters: Path, tmp_path: Path
) -> None:
    path, listed = tmp_path / "solved.parquet", lr.load_cases(circle, recall="itemknn", k=4, users=0)
    write_cases(path, reachable(listed))
    asked: dict[str, Any] = {"model": str(tiny_model.folder), "order": "recall", "prompt": letters}
    settings = replace(SETTINGS, targets=1, users=40)
    card = finetune(path, tmp_path / "adapter", settings=settings, validation_users=20, **asked)
    assert card["data"] | {"name": "solved.parquet", "cases": 40, "split": None} == card["data"]
    first, last = card["curve"][0], card["curve"][-1]
    assert last["loss"] < first["loss"] - 0.5
    with pytest.raises(InputError, match="trained on the Cases in this file"):
        lr.evaluate(path, adapter=tmp_path / "adapter", out=tmp_path / "run", progress=False, **asked)
    for data in (circle, lr.load_cases(circle, recall="popularity", k=4, users=0)):
        with pytest.raises(InputError, match="events asked for"):
            compose(data, adapter=tmp_path / "adapter", progress=False, **asked).estimate()


def test_the_users_of_a_file_who_decide_are_not_learned_from(circle: Path) -> None:
    cases = lr.load_cases(circle, recall="itemknn", k=4, users=0)
    [learned], validation = parted(cases, 0, PromptTraining())
    assert len(validation) == len(cases) // 5 and len(learned) + len(validation) == len(cases)
    assert {case.user_id for case in learned}.isdisjoint({case.user_id for case in validation})
    assert len(parted(cases, 7, PromptTraining())[1]) == 7
    with pytest.raises(InputError, match="too few for validation"):
        parted(replace(cases, cases=cases.cases[:4]), 0, PromptTraining())
    with pytest.raises(InputError, match="no effect on a file of Cases"):
        parted(cases, 0, PromptTraining(targets=2))


def test_titles_are_not_learned_from_a_file_of_cases(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(InputError, match="needs all events of the users"):
        finetune(path, tmp_path / "adapter")


@pytest.mark.vllm
@pytest.mark.usefixtures("default_model")
def test_vllm_ranks_with_an_adapter_of_the_real_model(circle: Path, letters: Path, tmp_path: Path) -> None:
    """Without the adapter the letters are unlikely answers. Which rule it learns differs by processor: that the recall
    stage's first, shown as A, is often right; or which film follows. Either is far better than chance."""
    settings = PromptTraining(epochs=2, learning_rate=2e-3, warm_up=5, tuned_layers=4, validations=1, tokens=400)
    finetune(circle, tmp_path / "adapter", prompt=letters, settings=settings, validation_users=40, **DATA)
    asked: dict[str, Any] = {"users": 0, "store": tmp_path / "store.sqlite", "progress": False, **DATA}
    tuned = lr.evaluate(circle, prompt=letters, adapter=tmp_path / "adapter", out=tmp_path / "tuned", **asked)
    assert tuned.metrics.repairs.get("low_label_mass", 0) == 0, "the letters together are likely"
    assert tuned.metrics.outcomes["ok"] == len(tuned) == 120, "each letter has a log-probability"
    ndcg = tuned.metrics["NDCG@10"]
    chance = ndcg.baselines["random"]
    assert ndcg.ci95 is not None and chance is not None and ndcg.ci95[0] > chance


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        finetune(tmp_path / "solved.parquet", tmp_path / "adapter", prompt="tallrec")
