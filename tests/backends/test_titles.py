from __future__ import annotations

import asyncio
import json
import math
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("peft", reason="the extra `finetune` is not installed")

from safetensors.torch import load_file, save_file

import llmrank as lr
from llmrank.backends import BackendSettings, open_backend
from llmrank.backends.adapter import CARD, check_learned, check_split, learned_events, learned_from, read_card
from llmrank.backends.decoder import LORA, LORA_CONFIG
from llmrank.backends.models import DEFAULT_MODEL, Model
from llmrank.backends.title_model import PROJECTION, TitleModel, load_adapter
from llmrank.backends.titles import DEFAULT_ADAPTER, find_adapter, open_titles, shipped_adapter
from llmrank.data.dataset import Split
from llmrank.data.splits import k_core, validation_split
from llmrank.errors import FatalBackendError, InputError
from llmrank.evaluation.cases import CaseSet
from llmrank.evaluation.evaluate import compose
from llmrank.evaluation.training_data import TrainingData
from llmrank.finetune.sequences import split_data, title_sequences
from llmrank.finetune.titles import rank_titles, train_titles
from llmrank.rankers.fusion import Fused, Fusion
from llmrank.rankers.next_title import NextTitle, item_text
from llmrank.types import Message, Request, Response
from tests.finetune.conftest import split as split
from tests.finetune.conftest import tiny_model as tiny_model
from tests.finetune.test_train import SETTINGS, hits


@pytest.fixture(scope="module")
def adapter(tiny_model: Model, split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    inner = validation_split(split)
    train_titles(tiny_model, title_sequences(inner), hits(inner), folder, SETTINGS)
    return folder


def test_an_evaluation_with_a_trained_adapter_is_a_run_like_any_other(
    tiny_model: Model, split: Split, adapter: Path, tmp_path: Path
) -> None:
    cases = hits(split)
    runs = {
        name: lr.evaluate(
            cases,
            ranker=ranker,
            backend=open_titles(adapter, str(tiny_model.folder)),
            store=tmp_path / "store.sqlite",
            out=tmp_path / name,
            progress=False,
        )
        for name, ranker in (("alone", NextTitle()), ("fused", Fused(NextTitle(), Fusion(1.0))))
    }
    model = load_adapter(adapter, tiny_model)
    expected = [ranking.order[0] for ranking in rank_titles(model, cases)]
    alone = runs["alone"].records
    assert [alone[case.case_id].ranking.order[0] for case in cases] == expected
    assert runs["alone"].metrics["NDCG@10"].value > 0.6  # 0.45 is chance for one of ten
    assert len(runs["fused"].per_case("NDCG@10")) == len(cases)


def test_histories_longer_than_what_is_read_are_noted(
    tiny_model: Model, split: Split, adapter: Path, tmp_path: Path
) -> None:
    wide, cases = tmp_path / "wide", hits(split)
    shutil.copytree(adapter, wide)
    card = read_card(adapter)
    card["shape"]["window"] = 128
    (wide / CARD).write_text(json.dumps(card), encoding="utf-8")
    longer = sum(len(case.history) > 8 for case in cases)
    assert 0 < longer < len(cases)
    for folder, expected in (
        (adapter, [f"The model reads the newest 8 events: {longer} of {len(cases)} histories are longer."]),
        (wide, []),
    ):
        backend = open_titles(folder, str(tiny_model.folder))
        asked: dict[str, Any] = {"store": tmp_path / "store.sqlite", "out": tmp_path / f"run-{folder.name}"}
        run = lr.evaluate(cases, ranker=NextTitle(), backend=backend, progress=False, **asked)
        assert [note for note in run.metrics.notes if "newest" in note] == expected


def test_the_dry_run_counts_the_events_that_are_read(
    tiny_model: Model, split: Split, adapter: Path, tmp_path: Path
) -> None:
    """Each event is one token, whatever its title; those beyond the adapter's window are not read."""
    cases = hits(split)
    backend = open_titles(adapter, str(tiny_model.folder))
    planned = compose(cases, ranker=NextTitle(), backend=backend, store=tmp_path / "store.sqlite", out=tmp_path / "run")
    counted = planned.estimate()
    run = planned.run()
    read = sum(min(8, len(case.history)) for case in cases)
    assert counted.exact and counted.counted.most.prompt_tokens == read == run.metrics.usage.prompt_tokens


def test_the_labels_share_one_probability_and_the_order_shown_changes_nothing(tiny_model: Model, adapter: Path) -> None:
    backend = open_titles(adapter, str(tiny_model.folder))
    labels = ("Aa film (1970): Drama", "Bb film (1971): Drama", "a title nobody saw")
    message = Message("user", "Aa film (1970): Drama\nBb film (1971): Drama")

    def ask(labels: tuple[str, ...]) -> dict[str, float]:
        return dict(asyncio.run(backend.answer(Request((message,), labels=labels))).label_logprobs or {})

    found = ask(labels)
    assert math.fsum(map(math.exp, found.values())) == pytest.approx(1)
    assert ask(labels[::-1]) == pytest.approx(found, abs=1e-5)
    empty = asyncio.run(backend.answer(Request((Message("user", ""),), labels=labels)))
    assert len(empty.label_logprobs or {}) == 3


def test_the_history_is_read_once_however_many_candidates_there_are(tiny_model: Model, adapter: Path) -> None:
    model: TitleModel = load_adapter(adapter, tiny_model)
    positions: list[int] = []
    model.body.register_forward_hook(
        lambda module, args, kwargs, output: positions.append(kwargs["inputs_embeds"].shape[1]), with_kwargs=True
    )
    history = [f"film {n}" for n in range(20)]
    model.scores(history, ["one", "two"])
    model.scores(history, [f"candidate {n}" for n in range(200)])
    assert positions == [8, 8]  # the newest events, as many as the adapter's window


def test_another_prompt_is_refused_with_what_to_do(tiny_model: Model, adapter: Path) -> None:
    backend = open_titles(adapter, str(tiny_model.folder))
    with pytest.raises(FatalBackendError, match="use ranker='next_title'"):
        asyncio.run(backend.answer(Request((Message("user", "Rank these films."),))))


def test_the_backend_opens_by_its_kind(tiny_model: Model, adapter: Path, tmp_path: Path) -> None:
    settings = BackendSettings(f"titles:{adapter}", str(tiny_model.folder))
    identity = asyncio.run(open_backend(settings)).identity
    assert identity["kind"] == "titles" and identity["adapter"] == adapter.name
    with pytest.raises(InputError, match="no adapter trained by llmrank"):
        open_titles(tmp_path, str(tiny_model.folder))


def test_another_adapter_of_the_same_name_is_asked_anew(
    tiny_model: Model, split: Split, adapter: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(adapter, tmp_path / "copy" / adapter.name))
    changed = Path(shutil.copytree(adapter, tmp_path / "changed" / adapter.name))
    weights = load_file(changed / PROJECTION)
    save_file({name: one * 2 for name, one in weights.items()}, changed / PROJECTION)

    def calls(folder: Path, out: str) -> int:
        run = lr.evaluate(
            hits(split),
            ranker="next_title",
            model=str(tiny_model.folder),
            adapter=folder,
            store=tmp_path / "store.sqlite",
            out=tmp_path / out,
            progress=False,
        )
        return run.sessions[-1]["calls"]

    asked = [calls(folder, name) for folder, name in ((adapter, "a"), (copied, "b"), (changed, "c"))]
    assert asked == [len(hits(split)), 0, len(hits(split))]


def test_a_run_whose_answers_are_all_stored_loads_no_model(
    tiny_model: Model, split: Split, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(out: str) -> lr.Run:
        backend, store = open_titles(adapter, str(tiny_model.folder)), tmp_path / "store.sqlite"
        method = {"ranker": "next_title", "backend": backend, "store": store}
        return lr.evaluate(hits(split), **method, out=tmp_path / out, progress=False)

    first = run("first")
    monkeypatch.setattr("llmrank.backends.title_model.load_adapter", lambda *_: pytest.fail("the model was loaded"))
    assert run("again").per_case("NDCG@10").tolist() == first.per_case("NDCG@10").tolist()


def test_a_model_is_loaded_once_however_many_wait_for_it(
    tiny_model: Model, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = Path(shutil.copytree(adapter, tmp_path / adapter.name))
    (damaged / LORA).write_bytes(b"")
    loads: list[Path] = []

    def load(folder: Path, base: Model) -> TitleModel:
        loads.append(folder)
        time.sleep(0.1)
        return load_adapter(folder, base)

    monkeypatch.setattr("llmrank.backends.title_model.load_adapter", load)

    async def ask(folder: Path) -> list[Response | BaseException]:
        backend = open_titles(folder, str(tiny_model.folder))
        request = Request((Message("user", "Aa film (1970): Drama"),), labels=("Bb film (1971): Drama",))
        first = asyncio.create_task(backend.answer(request))
        await asyncio.sleep(0.02)
        first.cancel()
        return await asyncio.gather(*(backend.answer(request) for _ in range(8)), return_exceptions=True)

    assert all(isinstance(one, Response) for one in asyncio.run(ask(adapter)))
    assert all(isinstance(one, InputError) and "incomplete" in str(one) for one in asyncio.run(ask(damaged)))
    assert loads == [adapter, damaged]


def test_an_adapter_that_is_replaced_before_it_is_loaded_is_refused(
    tiny_model: Model, adapter: Path, tmp_path: Path
) -> None:
    """Its answers would be stored as those of the one before it."""
    replaced = Path(shutil.copytree(adapter, tmp_path / adapter.name))
    backend = open_titles(replaced, str(tiny_model.folder))
    save_file({name: one * 2 for name, one in load_file(adapter / PROJECTION).items()}, replaced / PROJECTION)
    with pytest.raises(InputError, match="has changed since"):
        asyncio.run(backend.load())


def test_what_is_wrong_with_an_adapter_is_said_before_the_model_is_loaded(adapter: Path, tiny_model: Model) -> None:
    backend = open_titles(adapter, str(tiny_model.folder))
    asyncio.run(backend.load())
    asyncio.run(backend.load())
    with pytest.raises(InputError, match="trained on"):
        open_titles(shipped_adapter(DEFAULT_ADAPTER), str(tiny_model.folder))


def test_an_adapter_that_was_trained_on_another_split_of_the_data_is_refused(
    tiny_model: Model, split: Split, adapter: Path, tmp_path: Path
) -> None:
    backend = open_titles(adapter, str(tiny_model.folder))
    check_split(backend.card, split.dataset.sha256, "leave-last-out")
    check_split(backend.card, "1" * 64, "time(1998-03-01)")
    # Nor may it know it from an adapter that its training started from.
    earlier = {"data": {"sha256": "1" * 64, "split": "leave-last-out"}, "start": {"data": backend.card["data"]}}
    for card in (earlier, {"data": earlier["data"], "start": earlier}):
        check_split(card, split.dataset.sha256, "leave-last-out")
        with pytest.raises(InputError, match="may have seen the test data"):
            check_split(card, split.dataset.sha256, "time(1998-03-01)")
    cases = CaseSet(
        tuple(hits(split)),
        TrainingData(list),
        "recall-limited(random@10)",
        "ranking",
        False,
        (),
        {"data": "circle", "data_sha256": split.dataset.sha256, "split": "user-ratio(0.5)"},
    )
    with pytest.raises(InputError, match=r"evaluated on user-ratio\(0.5\): it may have seen the test data"):
        lr.evaluate(cases, ranker="next_title", backend=backend, out=tmp_path / "run", progress=False)


def test_an_adapter_is_not_measured_on_events_that_it_learned_wherever_these_are_written(
    tiny_model: Model, split: Split, adapter: Path, tmp_path: Path
) -> None:
    """A candidate file, or the data less one row, has another hash."""
    options = {"ranker": "next_title", "backend": open_titles(adapter, str(tiny_model.folder)), "progress": False}
    learned, chosen = hits(validation_split(validation_split(split))), hits(validation_split(split))
    for cases, counted in ((learned, "learned"), (chosen, "was chosen by"), ([*hits(split), learned[0]], "1 of")):
        several = [replace(case, case_id=f"{place}") for place, case in enumerate(cases)]
        evaluation = compose(several, out=tmp_path / "run", **options)
        for refused in (evaluation.estimate, evaluation.run):
            with pytest.raises(InputError, match=rf"{counted}.*\(first: user 'u\d+'\)(\n.*)+train an adapter without"):
                refused()
    assert not (tmp_path / "run").exists()
    assert lr.evaluate(hits(split), out=tmp_path / "other", **options).metrics.cases


def test_users_that_other_data_number_alike_are_not_taken_for_those_that_were_learned_from() -> None:
    draw = Random(0)

    def data(density: float) -> dict[str, set[str]]:
        return {f"{user}": {f"{item}" for item in range(200) if draw.random() < density} for user in range(300)}

    ours, theirs = data(0.1), data(0.05)
    record = learned_events(ours, ours.__getitem__)
    assert record == learned_events([*ours][::-1], lambda user: sorted(ours[user]))
    check_learned(record, [(user, min(items)) for user, items in theirs.items() if items])
    with pytest.raises(InputError, match=r"300 of the 300 events asked for \(first: user '0'\)"):
        check_learned(record, [(user, min(items)) for user, items in ours.items()])
    many = {f"{user}": [f"{user} {item}" for item in range(50)] for user in range(2000)}
    large = learned_events(many, many.__getitem__)
    assert (large["users"], large["kept"], len(json.dumps(large)) < 300_000) == (2000, 400, True)
    with pytest.raises(InputError, match=r"at least \d+ of the 2,000 events"):
        check_learned(large, [(user, f"{user} 7") for user in many])


def test_a_k_core_of_the_data_is_another_split_of_it(split: Split) -> None:
    """An event that a user's last one hides from training may be the last one that a k-core leaves."""
    core = k_core(split.dataset, 2)
    thinned, whole = split_data(replace(split, dataset=core)), split_data(split)
    assert thinned["whole_sha256"] == k_core(core, 3).whole_sha256 == split.dataset.sha256
    check_split({"data": thinned}, core.sha256, split.name, core.whole_sha256)
    for trained, dataset in ((whole, core), (thinned, split.dataset), (thinned, replace(core, sha256="of another k"))):
        with pytest.raises(InputError, match="another k-core of this data"):
            check_split({"data": trained}, dataset.sha256, split.name, dataset.whole_sha256)


@pytest.mark.parametrize("damage", ["no weights", "no settings", "no number", "weights of fewer layers"])
def test_an_adapter_that_is_not_whole_is_refused_without_a_look_at_the_hub(
    tiny_model: Model, adapter: Path, tmp_path: Path, damage: str
) -> None:
    folder = Path(shutil.copytree(adapter, tmp_path / "damaged"))
    weights = load_file(path := folder / LORA)
    if damage == "no weights":
        path.unlink()
    elif damage == "no settings":
        (folder / LORA_CONFIG).unlink()
    elif damage == "no number":
        save_file({name: one * math.nan for name, one in weights.items()}, path)
    else:
        save_file({name: one for name, one in weights.items() if "layers.0" in name}, path)
    with pytest.raises(InputError, match="incomplete"):
        load_adapter(folder, tiny_model)


def test_the_hub_is_not_asked_about_the_base_model_of_an_adapter(
    tiny_model: Model, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = Path(shutil.copytree(adapter, tmp_path / "named"))
    config = json.loads((named / "adapter_config.json").read_text())
    (named / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "name-on-the-hub"}))
    asked: list[str] = []
    monkeypatch.setattr("peft.utils.save_and_load.check_file_exists_on_hf_hub", lambda name, _: asked.append(name))
    load_adapter(named, tiny_model)
    assert asked == []


def test_a_folder_comes_before_the_adapter_that_is_shipped_under_its_name(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_adapter("ml-100k") == find_adapter(None) == shipped_adapter(DEFAULT_ADAPTER)
    shutil.copytree(adapter, tmp_path / "ml-100k")
    assert find_adapter("ml-100k") == Path("ml-100k") and find_adapter(None) == shipped_adapter(DEFAULT_ADAPTER)


def test_the_lines_of_items_and_of_labels_are_the_same(split: Split) -> None:
    case = hits(split)[0]
    [request] = next(NextTitle().rank(case.blinded()))
    assert request.messages[0].content.split("\n") == [item_text(event.item) for event in case.history]


@pytest.mark.parametrize("learned", [{"users": 1, "kept": 1, "events": "+/=="}, {"events": "00"}, ["0000000000"]])
@pytest.mark.parametrize("inner", [False, True], ids=["its own", "that of its start"])
def test_a_card_whose_record_cannot_be_read_is_refused(
    adapter: Path, tmp_path: Path, learned: Any, inner: bool
) -> None:
    card = read_card(adapter)
    changed = {**card, "start": {**card, "learned": learned}} if inner else {**card, "learned": learned}
    (tmp_path / CARD).write_text(json.dumps(changed))
    with pytest.raises(InputError, match="holds no adapter"):
        read_card(tmp_path)


def test_the_shipped_adapter_is_whole_small_and_names_no_place_of_a_machine() -> None:
    folder = shipped_adapter("ml-100k")
    assert folder is not None
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2.5 * 2**20
    card = read_card(folder)
    assert card["base"]["name"] == DEFAULT_MODEL and card["data"]["split"] == "leave-last-out"
    assert Fusion(card["fusion"]["weight"], card["fusion"]["term"]).weight > 0
    # Without a record of what it learned, a file with the very events of its training would go through.
    assert [(one["name"], one["learned"]["users"]) for one in learned_from(card)] == [("ml-100k", 943), ("ml-1m", 6040)]
    for path in folder.glob("*.json"):
        assert not re.search(r'"/|\\\\|~/', path.read_text("utf-8"))
    assert shipped_adapter("no-such") is None
