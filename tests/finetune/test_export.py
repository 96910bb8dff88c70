from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llmrank.answers import answer_format
from llmrank.backends.models import Model
from llmrank.data.dataset import Interactions, Split
from llmrank.data.splits import leave_last_out
from llmrank.data.validation import validation_split
from llmrank.errors import InputError
from llmrank.finetune import export_sft, finetune
from llmrank.finetune.export import right_answer, sft_examples, training_cases, write_sft
from llmrank.finetune.sequences import check_no_futures, title_sequences
from llmrank.prompting import View, load_template
from llmrank.rankers.calls import with_candidates
from llmrank.rankers.fusion import WEIGHTS
from llmrank.rankers.listwise import Listwise
from llmrank.rankers.prompt import Prompt
from llmrank.recall import recall_model
from llmrank.types import Case, Response
from tests.finetune.test_train import SETTINGS


def prompt(name: str = "palr-recommend-retrieval") -> Prompt:
    template = load_template(name)
    assert template.front.answer is not None
    return Prompt(template, answer_format(template.front.answer), View(), template.front.sampling)


def with_test_items(split: Split, item: int) -> Split:
    """Return the dataset with every user's last event on another item, split again."""
    events = split.dataset.interactions
    last = np.append(events.user[1:] != events.user[:-1], True)
    changed = np.where(last, item, events.item).astype(np.int32)
    interactions = Interactions(events.user, changed, None, events.timestamp)
    return leave_last_out(replace(split.dataset, interactions=interactions))


def test_nothing_of_the_test_side_reaches_the_validation_cases_the_sequences_or_the_examples(split: Split) -> None:
    other = with_test_items(split, 5)
    assert not np.array_equal(split.test.item, other.test.item)
    assert title_sequences(validation_split(split)).sha256 == title_sequences(validation_split(other)).sha256
    assert training_cases(split, recall_model("itemknn"), 10) == training_cases(other, recall_model("itemknn"), 10)


def test_training_after_the_cut_off_is_refused(split: Split) -> None:
    check_no_futures(split)
    with pytest.raises(InputError, match="120 training events are held out as well"):
        check_no_futures(replace(split, train=split.dataset.interactions))


def test_exported_prompts_are_those_of_inference_to_the_byte(split: Split, tmp_path: Path) -> None:
    cases = training_cases(split, recall_model("random", seed=0), 20)

    def turned(case: Case) -> Case:
        return with_candidates(case, case.candidates[::-1])

    path = tmp_path / "sft.jsonl"
    write_sft(sft_examples(cases, prompt(), turned), path, "trl", split)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len(rows) == len(cases)
    for case, row in zip(cases, rows, strict=True):
        [request] = next(Listwise(prompt()).rank(turned(case).blinded()))
        assert [message.content for message in request.messages] == [message["content"] for message in row["prompt"]]
        assert row["data_sha256"] == split.dataset.sha256
    card = json.loads((tmp_path / "sft.jsonl.card.json").read_text("utf-8"))
    assert card["examples"] == len(cases) and card["data_sha256"] == split.dataset.sha256

    write_sft(sft_examples(cases, prompt(), turned), path, "openai", split)
    row = json.loads(path.read_text("utf-8").splitlines()[0])
    assert list(row) == ["messages"] and row["messages"][-1]["role"] == "assistant"


@pytest.mark.parametrize("name", ["palr-recommend-retrieval", "rankgpt", "first-token", "setwise"])
def test_the_right_answer_is_read_as_the_right_item(split: Split, name: str) -> None:
    asked = prompt(name)
    for case in training_cases(split, recall_model("random", seed=0), 20)[:5]:
        prepared = asked.ask(case.blinded())
        text = right_answer(asked.answer.name, prepared.question, case)
        labels = {label: 0.0 if label == text else -9.0 for label in prepared.request.labels}
        answer = asked.answer.read(Response(text, label_logprobs=labels or None), prepared.question)
        assert answer.ranked[0] == case.relevant[0]


def test_no_examples_are_an_error(split: Split, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no examples"):
        write_sft([], tmp_path / "sft.jsonl", "trl", split)


def test_the_whole_way_from_a_folder_to_an_adapter_and_to_a_file(
    tiny_model: Model, split: Split, tmp_path: Path
) -> None:
    folder = tmp_path / "circle"
    folder.mkdir()
    dataset = split.dataset
    events = zip(dataset.interactions.user, dataset.interactions.item, dataset.interactions.timestamp, strict=True)
    (folder / "items.csv").write_text("item,title\n" + "".join(f"{i.item_id},{i.title}\n" for i in dataset.items))
    (folder / "interactions.csv").write_text(
        "user,item,timestamp\n" + "".join(f"{dataset.users[u]},{i},{t}\n" for u, i, t in events)
    )
    settings = replace(SETTINGS, epochs=0.5)
    card = finetune(folder, tmp_path / "out", model=str(tiny_model.folder), recall="random", k=20, settings=settings)
    assert card["fusion"]["weight"] >= 0 and len(card["fusion"]["curve"]) == 2 * len(WEIGHTS)
    assert card["data"]["name"] == "circle" and (tmp_path / "out" / "adapter_model.safetensors").is_file()
    written = export_sft(folder, prompt(), tmp_path / "sft.jsonl", recall="random")
    assert written["data_sha256"] == card["data"]["sha256"]
    assert "/" not in (tmp_path / "out" / "adapter_config.json").read_text().replace(tiny_model.name, "")
