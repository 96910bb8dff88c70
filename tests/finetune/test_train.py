from __future__ import annotations

import io
import json
import os
import resource
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from llmrank.backends.models import Model
from llmrank.data.dataset import Split
from llmrank.data.splits import validation_split
from llmrank.errors import InputError
from llmrank.evaluation.settings import gather
from llmrank.files import claim
from llmrank.recall import candidates_for, recall_model
from llmrank.types import Case

pytest.importorskip("peft", reason="the extra `finetune` is not installed")

import torch
from safetensors.torch import load_file, save_file

from llmrank.backends.decoder import LORA, open_base, open_language_model
from llmrank.backends.title_model import PROJECTION, TitleReader, TitleShape, load_adapter, save_adapter
from llmrank.finetune import finetune
from llmrank.finetune.loop import CHECKPOINT, TrainingState, speed
from llmrank.finetune.sequences import title_sequences
from llmrank.finetune.settings import PromptTraining, TitleTraining
from llmrank.finetune.titles import rank_titles, train_titles, windows

SETTINGS = TitleTraining(
    shape=TitleShape(layers=2, item_layers=2, rank=2, window=8),
    epochs=6,
    learning_rate=1e-2,
    warm_up=5,
    events=64,
    dtype="float32",
    validations=2,
)


def hits(split: Split) -> list[Case]:
    cases = candidates_for(split, recall_model("random", seed=0), 10, split.dataset.users)
    return [case for case in cases if set(case.relevant) & {item.item_id for item in case.candidates}]


def test_the_loss_falls_and_the_trained_model_ranks_better_than_chance(
    tiny_model: Model, split: Split, tmp_path: Path
) -> None:
    inner = validation_split(split)
    lines: list[str] = []
    card = train_titles(
        tiny_model, title_sequences(inner), hits(inner), tmp_path / "adapter", SETTINGS, say=lines.append
    )
    first, last = card["curve"][0], card["curve"][-1]
    assert last["loss"] < first["loss"] < np.log(24)
    assert card["data"]["split"] == "leave-last-out"
    assert any("NDCG@10" in line for line in lines)
    # The test users' last events were in no training; the adapter read back ranks them nearly first.
    cases = hits(split)
    ranked = rank_titles(load_adapter(tmp_path / "adapter", tiny_model), cases)
    places = [ranking.order.index(case.relevant[0]) for case, ranking in zip(cases, ranked, strict=True)]
    assert np.mean(places) < 2.5  # chance is 4.5 of 10
    assert not (tmp_path / "adapter" / CHECKPOINT).exists()
    assert {"adapter_config.json", "adapter_model.safetensors", "card.json"} <= {
        path.name for path in (tmp_path / "adapter").iterdir()
    }


def test_a_killed_training_continues_to_the_same_adapter(tiny_model: Model, split: Split, tmp_path: Path) -> None:
    inner = validation_split(split)
    sequences, cases = title_sequences(inner), hits(inner)
    settings = replace(SETTINGS, checkpoint_seconds=0.0, epochs=2)
    whole = tmp_path / "whole"
    card = train_titles(tiny_model, sequences, cases, whole, settings)

    class KilledError(Exception):
        pass

    steps = 0

    def step_counted(line: str) -> None:
        nonlocal steps
        steps += 1
        if "validation NDCG" in line and steps < 10:
            raise KilledError

    cut = tmp_path / "cut"
    with pytest.raises(KilledError):
        train_titles(tiny_model, sequences, cases, cut, settings, say=step_counted)
    assert (cut / CHECKPOINT).is_file() and not (cut / "card.json").exists()
    lines: list[str] = []
    again = train_titles(tiny_model, sequences, cases, cut, settings, say=lines.append)
    assert any(line.startswith("continuing after") for line in lines)
    assert again["curve"] == card["curve"]
    for name in (PROJECTION, "adapter_model.safetensors"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes()


def test_a_training_starts_from_another_adapter_of_the_same_model_however_that_was_fetched(
    tiny_model: Model, split: Split, tmp_path: Path
) -> None:
    inner = validation_split(split)
    sequences, cases = title_sequences(inner), hits(inner)
    train_titles(replace(tiny_model, name="tiny"), sequences, cases, tmp_path / "first", SETTINGS)
    little = replace(SETTINGS, epochs=0.5, validations=1)
    fetched = replace(tiny_model, name="tiny", revision="unpacked")
    card = train_titles(fetched, sequences, cases, tmp_path / "second", replace(little, start=tmp_path / "first"))
    fresh = train_titles(tiny_model, sequences, cases, tmp_path / "fresh", little)
    assert card["start"]["data"]["name"] == card["data"]["name"] and card["start"]["start"] is None
    assert (
        card["curve"][0]["loss"] < fresh["curve"][0]["loss"]
        and card["curve"][0]["NDCG@10"] > fresh["curve"][0]["NDCG@10"]
    )


def test_an_adapter_of_another_shape_or_model_is_no_start_and_nothing_is_read_before_that(
    tiny_model: Model, split: Split, tmp_path: Path
) -> None:
    inner = validation_split(split)
    sequences, cases = title_sequences(inner), hits(inner)
    train_titles(tiny_model, sequences, cases, tmp_path / "first", replace(SETTINGS, epochs=0.5, validations=1))
    start = replace(SETTINGS, start=tmp_path / "first")
    lines: list[str] = []
    with pytest.raises(InputError, match="rank 2"):
        wider = replace(start, shape=replace(start.shape, rank=3))
        train_titles(tiny_model, sequences, cases, tmp_path / "out", wider, say=lines.append)
    with pytest.raises(InputError, match="not on other"):
        other = replace(tiny_model, name="other", revision="2")
        train_titles(other, sequences, cases, tmp_path / "out", start, say=lines.append)
    assert not lines and not (tmp_path / "out").exists()


def test_an_adapter_without_some_weights_is_no_start(tiny_model: Model, split: Split, tmp_path: Path) -> None:
    inner = validation_split(split)
    sequences, cases = title_sequences(inner), hits(inner)
    first = tmp_path / "first"
    train_titles(tiny_model, sequences, cases, first, replace(SETTINGS, epochs=0.5, validations=1))
    weights = load_file(first / LORA)
    for name, tensor in ((max(weights), None), (min(weights), torch.zeros(1, 1))):
        changed = {one: weight for one, weight in weights.items() if one != name}
        save_file(changed | ({} if tensor is None else {name: tensor}), first / LORA)
        with pytest.raises(InputError, match=rf"{LORA}: the adapter is incomplete: its weights are not those"):
            train_titles(tiny_model, sequences, cases, tmp_path / "out", replace(SETTINGS, start=first))


def test_an_adapter_that_has_seen_the_test_events_is_no_start(circle: Path, tiny_model: Model, tmp_path: Path) -> None:
    """An evaluation would refuse what is trained from it, after the training."""
    given: dict[str, Any] = {"model": str(tiny_model.folder), "recall": "random", "k": 12}
    short = replace(SETTINGS, epochs=0.1, validations=1)
    finetune(circle, tmp_path / "seen", settings=short, split="user-ratio:0.95", **given)
    out = f"{tmp_path / 'out'}"
    with pytest.raises(InputError, match=r"trained on user-ratio\(0\.95\) of this data.*leave-last-out"):
        finetune(circle, out, settings=replace(short, start=tmp_path / "seen"), **given)
    assert not Path(out).exists()
    finetune(circle, out, settings=replace(short, start=tmp_path / "seen"), split="user-ratio:0.95", **given)
    with pytest.raises(InputError, match=r"adapters/ml-100k: trained on smollm2-135m-instruct"):
        finetune(circle, tmp_path / "other", settings=replace(short, start=Path("ml-100k")), **given)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"data": None}, "field 'data': expected the name of a dataset"),
        ({"data": [1]}, "field 'data': expected the name of a dataset"),
        ({"out": 5}, "field 'out': expected a path"),
        ({"out": ""}, "field 'out': the path is empty"),
        ({"model": 5}, "field 'model': expected text, got 5"),
        ({"validation_users": 30.5}, "field 'validation_users': expected a number of users"),
        ({"validation_users": -5}, "field 'validation_users': -5 users for validation; at least 20"),
        ({"settings": TitleTraining(shape=cast(Any, {"layers": 2}))}, "field 'shape': expected a TitleShape"),
        ({"settings": {"epochs": 2}}, "field 'settings': expected a TitleTraining"),
    ],
)
def test_an_argument_of_the_wrong_type_is_named(
    circle: Path, tiny_model: Model, tmp_path: Path, given: dict[str, Any], problem: str
) -> None:
    usual: dict[str, Any] = {"data": circle, "out": tmp_path / "out", "model": str(tiny_model.folder)}
    with pytest.raises(InputError, match=problem):
        finetune(**usual | {"settings": SETTINGS} | given)


def test_fewer_users_are_learned_from_among_the_same_films(split: Split) -> None:
    everyone = title_sequences(split)
    few, more, other = (title_sequences(split, users, seed) for users, seed in ((30, 0), (60, 0), (30, 1)))
    assert len(few.sequences) == 30 and few.texts == everyone.texts
    as_text = [{one.tobytes() for one in drawn.sequences} for drawn in (few, more, everyone)]
    assert as_text[0] <= as_text[1] <= as_text[2], "a larger sample holds the smaller one"
    assert len({few.sha256, more.sha256, other.sha256, everyone.sha256}) == 4
    assert title_sequences(split, 1000).sha256 == everyone.sha256


def test_ctrl_c_says_where_the_same_call_continues(tiny_model: Model, split: Split, tmp_path: Path) -> None:
    inner = validation_split(split)
    lines: list[str] = []

    def interrupted(line: str) -> None:
        lines.append(line)
        if len([one for one in lines if "validation NDCG" in one]) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_titles(tiny_model, title_sequences(inner), hits(inner), tmp_path, SETTINGS, say=interrupted)
    first = next(line for line in lines if "validation NDCG" in line).split()[0]
    assert lines[-1].endswith(f"the same call continues after {first}")
    again: list[str] = []
    train_titles(tiny_model, title_sequences(inner), hits(inner), tmp_path, SETTINGS, say=again.append)
    assert any(line.startswith(f"continuing after {first} of") for line in again)


def test_a_finished_training_is_not_done_again_and_another_one_is_refused(
    tiny_model: Model, split: Split, tmp_path: Path
) -> None:
    inner = validation_split(split)
    sequences, cases, settings = title_sequences(inner), hits(inner), replace(SETTINGS, epochs=0.5)
    card = train_titles(tiny_model, sequences, cases, tmp_path, settings)
    assert train_titles(tiny_model, sequences, cases, tmp_path, settings) == json.loads(json.dumps(card))
    with pytest.raises(InputError, match="another training"):
        train_titles(tiny_model, sequences, cases, tmp_path, replace(settings, seed=1))
    with pytest.raises(InputError, match="another training"):
        train_titles(tiny_model, sequences, cases[:-1], tmp_path, settings)


def test_too_few_validation_cases_a_loss_that_is_no_number_and_a_full_disk_are_named(
    tiny_model: Model, split: Split, tmp_path: Path
) -> None:
    inner = validation_split(split)
    sequences, cases = title_sequences(inner), hits(inner)
    with pytest.raises(InputError, match="1 validation Case with a relevant item"):
        train_titles(tiny_model, sequences, cases[:1], tmp_path / "few", SETTINGS)
    with pytest.raises(InputError, match=r"the loss is (nan|inf)"):
        train_titles(tiny_model, sequences, cases, tmp_path / "nan", replace(SETTINGS, learning_rate=1e30))
    with pytest.raises(InputError, match=r"hint: lower the learning rate$"):  # there is no checkpoint to remove
        train_titles(tiny_model, sequences, cases, tmp_path / "nan", replace(SETTINGS, learning_rate=1e30))
    with pytest.raises(InputError, match=r"not finite"):  # the only step is the last one
        train_titles(tiny_model, sequences, cases, tmp_path / "1", replace(SETTINGS, learning_rate=np.inf, epochs=0.01))
    # The kernel refuses to let a file grow beyond the limit, as it does on a full disk.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(InputError, match="cannot be written: File too large\n  hint: make room"):
            train_titles(tiny_model, sequences, cases, tmp_path / "full", replace(SETTINGS, epochs=0.5))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_is_full_when_the_adapter_is_written_loses_nothing(
    tiny_model: Model, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, settings = validation_split(split), replace(SETTINGS, epochs=0.1)
    sequences, cases = title_sequences(inner), hits(inner)

    def on_a_full_disk(*args: Any) -> None:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            save_adapter(*args)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    (tmp_path / "README.md").write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr("llmrank.finetune.titles.save_adapter", on_a_full_disk)
        with pytest.raises(InputError, match=r"cannot be written.*\n  hint: make room"):
            train_titles(tiny_model, sequences, cases, tmp_path, settings)
    lines: list[str] = []
    train_titles(tiny_model, sequences, cases, tmp_path, settings, say=lines.append)
    assert any(line.startswith("continuing after") for line in lines)
    assert load_adapter(tmp_path, tiny_model) and (tmp_path / "README.md").read_text() == "mine"


def test_a_folder_that_another_process_trains_into_and_one_that_cannot_be_are_refused(
    tiny_model: Model, split: Split, tmp_path: Path
) -> None:
    inner = validation_split(split)
    sequences, cases = title_sequences(inner), hits(inner)
    handle = os.open(tmp_path, os.O_RDONLY)
    assert claim(handle)
    with pytest.raises(InputError, match="another process is training into this folder"):
        train_titles(tiny_model, sequences, cases, tmp_path, SETTINGS)
    os.close(handle)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot be written"):
        train_titles(tiny_model, sequences, cases, tmp_path / "file", SETTINGS)
    buffer = io.BytesIO()
    torch.save({"identity": {}, "progress": asdict(TrainingState()), "weights": torch.ones(999)}, buffer)
    flipped = buffer.getvalue().replace(b"\x80?\0\0", b"\x81?\0\0", 1)
    for damaged in (b"PK\x03\x04 half of one", flipped):
        (tmp_path / CHECKPOINT).write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read as a checkpoint"):
            train_titles(tiny_model, sequences, cases, tmp_path, SETTINGS)


@pytest.mark.parametrize(
    ("training", "wrong"),
    [
        (TitleTraining, {"rank": 0}),
        (TitleTraining, {"layers": 0}),
        (TitleTraining, {"item_layers": -1}),
        (TitleTraining, {"seed": -1}),
        (TitleTraining, {"epochs": float("inf")}),
        (PromptTraining, {"learning_rate": float("inf")}),
        (PromptTraining, {"rank": 513}),  # vLLM would not take it
        (TitleTraining, {"dropout": 1.0}),
        (TitleTraining, {"whitening": 1.5}),
        (TitleTraining, {"checkpoint_seconds": float("nan")}),
    ],
)
def test_settings_that_no_training_can_have_are_refused_before_it(
    training: type[TitleTraining | PromptTraining], wrong: dict[str, float]
) -> None:
    with pytest.raises(InputError, match="expected a"):
        gather(training, wrong)


@pytest.mark.parametrize(
    "settings",
    [
        replace(SETTINGS, patience=0),
        replace(SETTINGS, epochs=0.0),
        replace(SETTINGS, validations=0),
        replace(SETTINGS, users=-3),
        PromptTraining(patience=0),
    ],
)
def test_a_record_with_such_settings_is_refused_too(settings: TitleTraining | PromptTraining, tmp_path: Path) -> None:
    """Without patience, say, the untrained weights would be the best ones."""
    with pytest.raises(InputError, match="expected a"):
        finetune("ml-100k", tmp_path / "out", settings=settings)
    assert not (tmp_path / "out").exists()


def test_an_adapter_of_another_base_model_and_a_broken_one_are_refused(
    tiny_model: Model, split: Split, tmp_path: Path
) -> None:
    inner = validation_split(split)
    train_titles(tiny_model, title_sequences(inner), hits(inner), tmp_path, replace(SETTINGS, epochs=0.5))
    card = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(card | {"base": {"name": "other", "revision": "abc"}}))
    other = replace(tiny_model, name="other")
    assert load_adapter(tmp_path, other)  # fetched by the same name, in other files
    with pytest.raises(InputError, match="trained on other"):
        load_adapter(tmp_path, tiny_model)
    (tmp_path / "card.json").write_text(json.dumps(card))
    (tmp_path / PROJECTION).write_bytes((tmp_path / PROJECTION).read_bytes()[:100])
    with pytest.raises(InputError, match="incomplete"):
        load_adapter(tmp_path, tiny_model)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json", "card.json", "card without base"])
def test_a_damaged_adapter_is_named(tiny_model: Model, split: Split, tmp_path: Path, name: str) -> None:
    inner = validation_split(split)
    train_titles(tiny_model, title_sequences(inner), hits(inner), tmp_path, replace(SETTINGS, epochs=0.5))
    if name == "card without base":
        (tmp_path / "card.json").write_text('{"kind": "next_title", "base": {}}')
    else:
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:100])
    with pytest.raises(InputError, match=r"incomplete|holds no adapter"):
        load_adapter(tmp_path, tiny_model)


@pytest.mark.parametrize("window", [1, 2, 8])
def test_every_event_but_the_first_is_a_target_once(window: int) -> None:
    sequences = [np.arange(length, dtype=np.int32) for length in (2, 9, 10, 50)]
    pieces = list(windows(sequences, window, np.random.default_rng(0)))
    assert {len(piece) - 1 for piece in pieces} <= {*range(1, window + 1)}
    targets = sorted(int(event) for piece in pieces for event in piece[1:])
    assert targets == sorted(event for one in sequences for event in range(1, len(one)))


def test_titles_are_read_in_the_same_batches_whatever_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last bits of a state depend on its batch, and the order of a set on the process."""
    batches: list[list[str]] = []

    def read(_: TitleReader, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        batches.append(["".join(map(chr, one)) for one in ids])
        return torch.zeros(len(ids), 2, 1)

    class Letters:
        def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
            return [ord(letter) for letter in text]

    monkeypatch.setattr(TitleReader, "_read", read)
    decoder: Any = None
    tokenizer: Any = Letters()
    texts = [f"film {number:03}" for number in range(50)]
    for given in (texts, texts[::-1]):
        TitleReader(decoder, tokenizer, 1).read(given)
    assert batches == [texts[:32], texts[32:]] * 2


def test_titles_are_read_before_the_final_norm_and_without_further_layers(tiny_model: Model) -> None:
    decoder, tokenizer = open_base(tiny_model.folder, 2, torch.float32)
    whole = open_language_model(tiny_model.folder, torch.float32, output=False)
    tokens = torch.tensor([tokenizer.encode("Heat (1995)")])
    with torch.inference_mode():
        states = whole(input_ids=tokens, output_hidden_states=True).hidden_states
    assert len(cast(Any, decoder).layers) == 2
    found = TitleReader(decoder, tokenizer, 2).read(["Heat (1995)"])[0]
    assert torch.allclose(found, torch.stack([states[0][0].mean(0), states[2][0, 1:].mean(0)]), atol=1e-6)


def test_a_slow_training_says_how_slow() -> None:
    assert [speed(rate) for rate in (1234.5, 12.3, 0.123, 0.0123)] == ["1,234", "12", "0.12", "0.012"]
