from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llmrank as lr
from llmrank.answers import answer_format
from llmrank.backends import BaseBackend
from llmrank.backends.models import Model
from llmrank.data.candidate_writing import write_cases
from llmrank.data.dataset import Interactions, Split
from llmrank.data.splits import leave_last_out, validation_split
from llmrank.errors import InputError
from llmrank.evaluation.cases import reachable, validation_cases
from llmrank.evaluation.settings import CaseSettings, PromptSettings
from llmrank.finetune import export_sft, finetune
from llmrank.finetune.export import right_answer, sft_examples, write_sft
from llmrank.finetune.sequences import check_no_futures, title_sequences
from llmrank.prompting import View, load_template
from llmrank.rankers.fusion import WEIGHTS
from llmrank.rankers.prompt import Prompt
from llmrank.types import LABEL_LIMIT, Capabilities, Case, Event, Item, Question, Request, Response
from tests.finetune.conftest import write_dataset
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


def proposed(split: Split, recall: str = "random", k: int = 20) -> list[Case]:
    return reachable(validation_cases(split, CaseSettings(recall=recall, k=k), 0))


def test_nothing_of_the_test_side_reaches_the_validation_cases_or_the_sequences(split: Split) -> None:
    other = with_test_items(split, 5)
    assert not np.array_equal(split.test.item, other.test.item)
    assert title_sequences(validation_split(split)).sha256 == title_sequences(validation_split(other)).sha256
    assert proposed(split, "itemknn", 10) == proposed(other, "itemknn", 10)


def test_training_after_the_cut_off_is_refused(split: Split) -> None:
    check_no_futures(split)
    with pytest.raises(InputError, match=r"120 training events are also held out.*\n.*remove repeated rows"):
        check_no_futures(replace(split, train=split.dataset.interactions))


class Listener(BaseBackend):
    """Hears what is asked, and answers nothing that can be read."""

    def __init__(self) -> None:
        self.heard: list[list[dict[str, str]]] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(label_logprobs=LABEL_LIMIT)

    @property
    def identity(self) -> dict[str, str]:
        return {"kind": "listener"}

    async def answer(self, request: Request) -> Response:
        self.heard.append([{"role": message.role, "content": message.content} for message in request.messages])
        return Response("", label_logprobs=dict.fromkeys(request.labels, -1.0) or None)


@pytest.mark.parametrize(
    ("prompt", "settings"),
    [
        ("palr-recommend-retrieval", {}),
        ("palr", {"no_profile": True, "shots": 1, "order": "reversed"}),
        ("rankgpt", {"ids": "letters"}),
        ("first-token", {"history": 3}),
    ],
)
def test_exported_prompts_are_those_that_an_evaluation_sends_to_the_byte(
    circle: Path, split: Split, tmp_path: Path, prompt: str, settings: dict[str, Any]
) -> None:
    path, listener = tmp_path / "sft.jsonl", Listener()
    card = export_sft(circle, path, prompt=prompt, model="not-here", recall="random", k=20, **settings)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    drawn = validation_cases(split, CaseSettings(recall="random", k=20), 0)
    lr.evaluate(
        replace(drawn, cases=tuple(reachable(drawn)), settings={"data": "circle"}),
        prompt=prompt,
        backend=listener,
        store=tmp_path / "store.sqlite",
        out=tmp_path / "run",
        concurrency=1,
        progress=False,
        **settings,
    )
    assert [row["prompt"] for row in rows] == listener.heard and len(rows) > 50
    assert card["examples"] == len(rows)
    assert card == json.loads(path.with_name("sft.jsonl.card.json").read_text("utf-8"))
    assert {row["data_sha256"] for row in rows} == {card["data_sha256"]}


def test_a_prompt_about_one_item_is_exported_of_a_taken_and_of_another_candidate(
    circle: Path, split: Split, tmp_path: Path
) -> None:
    export_sft(circle, tmp_path / "sft.jsonl", prompt="tallrec", model="not-here", recall="random", k=20)
    rows = [json.loads(line) for line in (tmp_path / "sft.jsonl").read_text("utf-8").splitlines()]
    cases = reachable(validation_cases(split, CaseSettings(recall="random", k=20), 0))
    assert [row["completion"][0]["content"] for row in rows] == ["Yes.", "No."] * len(cases)
    asked = prompt("tallrec")
    for case, taken, other in zip(cases, rows[::2], rows[1::2], strict=True):
        listened = {
            asked.ask(replace(case, target=item)).request.messages[0].content: item.item_id in case.relevant
            for item in case.candidates
        }
        assert [listened[row["prompt"][0]["content"]] for row in (taken, other)] == [True, False]


def test_a_file_of_rated_targets_is_exported_with_yes_from_three_quarters_of_its_scale(tmp_path: Path) -> None:
    """As TALLRec parts the ratings of MovieLens: above 3 is liked."""
    path, film = tmp_path / "rated.parquet", Item("1", "Heat")
    cases = [
        Case(str(rating), (Event(Item("2", "Alien"), 5), Event(Item("3", "Babe"), 1)), target=film, rating=rating)
        for rating in (1, 2, 3, 4, 5)
    ]
    write_cases(path, cases)
    card = export_sft(path, tmp_path / "sft.jsonl", prompt="tallrec", model="not-here")
    rows = [json.loads(line) for line in (tmp_path / "sft.jsonl").read_text("utf-8").splitlines()]
    assert [row["completion"][0]["content"] for row in rows] == ["No.", "No.", "No.", "Yes.", "Yes."]
    assert card["data"] == "rated.parquet" and card["split"] is None and card["data_sha256"]


def test_of_a_file_invalid_rows_are_skipped_and_rows_without_an_answer_are_refused(tmp_path: Path) -> None:
    path, said = tmp_path / "rows.jsonl", list[str]()
    row = {"user_id": "u", "candidates": [{"item_id": "1", "title": "Heat"}, {"item_id": "2", "title": "Alien"}]}
    asked: dict[str, Any] = {"prompt": "rankgpt", "model": "not-here", "say": said.append}
    path.write_text(f"{json.dumps(row)}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"field 'relevant': none of 1 Case has[\s\S]*hint: add the relevant items"):
        export_sft(path, tmp_path / "sft.jsonl", **asked)
    path.write_text(f'{json.dumps(row | {"relevant": ["2"]})}\n{{"user_id": "v"}}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2[\s\S]*skip_bad_rows=True"):
        export_sft(path, tmp_path / "sft.jsonl", **asked)
    assert export_sft(path, tmp_path / "sft.jsonl", skip_bad_rows=True, **asked)["examples"] == 1
    assert "1 invalid row was skipped." in said


def test_a_target_without_a_rating_is_not_learned_as_no(tmp_path: Path) -> None:
    path, about = tmp_path / "half-rated.parquet", Case("a", (), target=Item("1", "Heat"), rating=5)
    write_cases(path, [about, replace(about, user_id="b", case_id="b", rating=None)])
    with pytest.raises(InputError, match=r"field 'rating', user 'b': 1 of 2 targets have no rating to learn"):
        export_sft(path, tmp_path / "sft.jsonl", prompt="tallrec", model="not-here")
    with pytest.raises(InputError, match=r"1 of 2 targets have no rating to learn"):
        finetune(path, tmp_path / "adapter", prompt="tallrec")


def test_a_repeated_last_event_is_refused_wherever_it_would_choose_or_be_learned(circle: Path, tmp_path: Path) -> None:
    twice = tmp_path / "twice"
    twice.mkdir()
    (twice / "items.csv").write_text((circle / "items.csv").read_text())
    lines = (circle / "interactions.csv").read_text().splitlines()
    (twice / "interactions.csv").write_text("\n".join([*lines, lines[-1]]))
    wrong = r"1 training event is also held out, of 1 user \(first: 'u119'\)\n  hint: remove repeated rows"
    with pytest.raises(InputError, match=wrong):
        finetune(twice, tmp_path / "titles", settings=SETTINGS, recall="random", model="not-here")
    with pytest.raises(InputError, match=wrong):
        finetune(twice, tmp_path / "letters", prompt="first-token", recall="random", model="not-here")
    with pytest.raises(InputError, match=wrong):
        export_sft(twice, tmp_path / "sft.jsonl", prompt="tallrec", recall="random", model="not-here")
    with pytest.raises(InputError, match=wrong):
        lr.evaluate(twice, prompt="first-token", fuse="validation", recall="random", model="not-here", progress=False)


def test_one_half_star_in_the_data_does_not_make_a_three_liked() -> None:
    about = Case("u", (), target=Item("1", "Heat"))
    for scale, liked in (((1.0, 5.0), 4.0), ((0.5, 5.0), 4.0), ((0.0, 1.0), 1.0), ((1.0, 10.0), 8.0)):
        texts = [
            right_answer("yes_no", Question(scale=scale), replace(about, rating=rating))
            for rating in (liked - 1, liked)
        ]
        assert texts == ["No.", "Yes."]


def test_a_rating_prompt_is_exported_with_the_rating_of_the_last_training_event(
    circle: Path, split: Split, tmp_path: Path
) -> None:
    lines = (circle / "interactions.csv").read_text().splitlines()
    rated = [f"{line},{1 + number % 5}" for number, line in enumerate(lines[1:])]
    folder = tmp_path / "rated"
    folder.mkdir()
    (folder / "items.csv").write_text((circle / "items.csv").read_text())
    (folder / "interactions.csv").write_text("\n".join([lines[0] + ",rating", *rated]))
    card = export_sft(folder, tmp_path / "sft.jsonl", prompt="google-zero-shot", model="not-here")
    rows = [json.loads(line) for line in (tmp_path / "sft.jsonl").read_text("utf-8").splitlines()]
    assert card["examples"] == len(rows) == 120
    events: dict[str, list[str]] = {}
    for line in rated:
        events.setdefault(line.split(",")[0], []).append(line)
    titles = dict(line.split(",")[:2] for line in (circle / "items.csv").read_text().splitlines())
    for row in rows:
        _, item, _, rating = events[row["user_id"]][-2].split(",")  # the last one is the test event
        assert row["completion"] == [{"role": "assistant", "content": rating}]
        asked, known = row["prompt"][0]["content"].split("Candidate ")
        assert titles[item] in known and titles[item] not in asked


def test_the_openai_format_has_messages_alone(circle: Path, tmp_path: Path) -> None:
    export_sft(circle, tmp_path / "sft.jsonl", form="openai", prompt="rankgpt", model="not-here", users=50)
    for line in (tmp_path / "sft.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        assert list(row) == ["messages"] and row["messages"][-1]["role"] == "assistant"
    with pytest.raises(InputError, match="already exists"):
        export_sft(circle, tmp_path / "sft.jsonl", prompt="rankgpt", model="not-here")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"prompt": "palr"}, "first call for a profile[\\s\\S]*no_profile=True"),
        ({"prompt": "setwise"}, "makes up to"),
        ({"prompt": "google-zero-shot"}, "circle has no ratings"),
        (
            {"prompt": "pointwise-rating"},
            "'rating' has no known correct answer[\\s\\S]*to learn ratings, use a rating prompt",
        ),
        ({"ranker": "next_title"}, "field 'ranker': this method has no prompt"),
        ({"prompt": "rankgpt", "form": "openia"}, "openia"),
        ({"prompt": "rankgpt", "draw": 2}, "field 'draw': a training learns[\\s\\S]*it is for eval"),
    ],
)
def test_what_cannot_be_exported_is_refused(circle: Path, tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        export_sft(circle, tmp_path / "sft.jsonl", model="not-here", recall="random", **settings)
    assert not list(tmp_path.glob("sft*"))


def test_the_default_prompt_is_exported_without_its_profile_and_that_is_said(circle: Path, tmp_path: Path) -> None:
    said: list[str] = []
    asked: list[dict[str, Any]] = [{}, {"prompt": PromptSettings()}, {"prompt": "palr", "no_profile": True}]
    for number, settings in enumerate(asked):
        export_sft(circle, tmp_path / f"{number}", model="not-here", recall="random", say=said.append, **settings)
    files = [(tmp_path / f"{number}").read_bytes() for number in range(3)]
    assert files[0] == files[1] == files[2]
    told = "palr is written without its profile: evaluate the trained model with --no-profile"
    assert [line for line in said if "profile" in line] == [told, told]


@pytest.mark.parametrize("name", ["palr-recommend-retrieval", "rankgpt", "first-token", "setwise"])
def test_the_right_answer_is_read_as_the_right_item(split: Split, name: str) -> None:
    asked = prompt(name)
    for case in proposed(split)[:5]:
        prepared = asked.ask(case.blinded())
        text = right_answer(asked.answer.name, prepared.question, case)
        labels = {label: 0.0 if label == text else -9.0 for label in prepared.request.labels}
        answer = asked.answer.read(Response(text, label_logprobs=labels or None), prepared.question)
        assert answer.ranked[0] == case.relevant[0]


@pytest.mark.parametrize("name", ["palr-recommend-retrieval", "rankgpt", "first-token", "tallrec"])
def test_of_graded_items_the_best_is_the_right_answer(split: Split, name: str) -> None:
    asked = prompt(name)
    items = split.dataset.items[:5]
    for best in (1, 3):  # shown before the other relevant item, and after it
        other = items[4 - best].item_id
        case = Case("u", (), items, relevant=(other, items[best].item_id), gains=(1.0, 3.0))
        first = next(sft_examples([case], asked, lambda one: one))
        prepared = asked.ask(replace(case, target=items[best]) if name == "tallrec" else case)
        assert first.request == prepared.request
        if name == "tallrec":
            assert first.completion == "Yes."
        else:
            labels = {label: 0.0 if label == first.completion else -9.0 for label in prepared.request.labels}
            answer = asked.answer.read(Response(first.completion, label_logprobs=labels or None), prepared.question)
            assert answer.ranked[0] == items[best].item_id
            assert labels or answer.ranked[1] == other


def test_where_the_card_cannot_be_written_no_file_stands_in_the_way(split: Split, tmp_path: Path) -> None:
    cases = validation_cases(split, CaseSettings(recall="random", k=5), 0)
    example = next(sft_examples(reachable(cases), prompt(), lambda one: one))
    (tmp_path / "sft.jsonl.card.json").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_sft([example], tmp_path / "sft.jsonl", "trl", cases)
    assert not (tmp_path / "sft.jsonl").exists()


def test_the_card_names_the_split_that_is_held_out_and_counts_what_was_left_out(circle: Path, tmp_path: Path) -> None:
    card = export_sft(
        circle, tmp_path / "sft.jsonl", prompt="rankgpt", model="not-here", recall="random", k=5, split="user-ratio:0.6"
    )
    rows = [json.loads(line) for line in (tmp_path / "sft.jsonl").read_text("utf-8").splitlines()]
    assert {card["split"], *(row["split"] for row in rows)} == {"user-ratio(0.6)"}
    assert (card["cases"], card["not_proposed"]) == (120, 120 - len(rows)) and 0 < len(rows) < 100


def test_what_an_evaluation_notes_about_its_prompts_is_said_of_training_files_too(split: Split, tmp_path: Path) -> None:
    """Their wording is fixed once it is learned."""
    first, *others = split.dataset.items
    folder = write_dataset(replace(split.dataset, items=(replace(first, title=""), *others)), tmp_path / "untitled")
    said: list[str] = []
    export_sft(folder, tmp_path / "sft.jsonl", prompt="rankgpt", model="not-here", recall="random", say=said.append)
    assert said[-2:] == [
        "items are called 'items' in the prompt; --domain products changes that",
        "1 item has no title: the id is shown instead.",
    ]


def test_no_examples_are_an_error(split: Split, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no examples"):
        write_sft([], tmp_path / "sft.jsonl", "trl", validation_cases(split, CaseSettings(recall="random", k=4), 0))


def test_the_whole_way_from_a_folder_to_an_adapter(tiny_model: Model, circle: Path, tmp_path: Path) -> None:
    settings = replace(SETTINGS, epochs=0.5)
    card = finetune(circle, tmp_path / "out", model=str(tiny_model.folder), recall="random", k=20, settings=settings)
    assert float(card["fusion"]["weight"]) >= 0 and len(card["fusion"]["curve"]) == 2 * len(WEIGHTS)
    assert card["data"]["name"] == "circle" and (tmp_path / "out" / "adapter_model.safetensors").is_file()
    assert "/" not in (tmp_path / "out" / "adapter_config.json").read_text().replace(tiny_model.name, "")
