"""NoteLLM: its pairs, its two losses, and what it says of items that nobody has had yet."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmrank.errors import InputError
from llmrank.recall.notellm import NoteLearner, NoteLLM, note, related_items
from llmrank.types import Item
from tests.recall.test_trained import ITEMS, USERS, model_of, ring, tiny_model

for package in ("torch", "transformers", "peft"):
    pytest.importorskip(package, reason="needs the extras finetune and cpu or gpu: pip install 'llmrank[finetune,cpu]'")

EVERYONE = np.arange(USERS, dtype=np.int32)


def learner_of(**changes: Any) -> NoteLearner:
    model = model_of("notellm", **changes)
    assert isinstance(model, NoteLLM)
    return NoteLearner(model, ring())


def test_items_are_related_by_who_takes_one_after_the_other_and_busy_users_count_no_more() -> None:
    own = [np.array(items) for items in ([1, 2], [1, 2, 3, 4], [3, 1], [])]
    model = NoteLLM(window=2, related=2)
    # 1 before 2: 1/2 + 1/4; 1 before 3: 1/4, and not before 4, three events later; 3 before 1: 1/2, before 4: 1/4.
    found = [related.tolist() for related in related_items(own, 5, model)]
    assert found == [[1, 2], [2, 3], [0, 3], [], []]
    assert related_items(own, 5, replace(model, related=1))[0].tolist() == [1]
    assert related_items(own, 5, replace(model, least_score=0.5))[0].tolist() == [1]
    assert related_items(own, 5, replace(model, most_score=0.5))[0].tolist() == [2]
    assert related_items(own, 5, replace(model, window=9))[0].tolist() == [1, 2]
    assert related_items([np.array([1, 1, 2])], 2, model)[0].tolist() == [1]  # an item is not related to itself


def test_the_contrastive_loss_is_that_of_the_paper() -> None:
    import torch

    from llmrank.recall.note_encoder import contrastive_loss

    embedded = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    pairs = torch.tensor([7, 8, 9, 1, 2, 1])  # 1 is the partner of 7 and of 9
    similar = torch.nn.functional.cosine_similarity(embedded[:, None], embedded[None], dim=2).numpy() * 5
    left_out = {(0, 5), (2, 3), (3, 5), (5, 3)}  # copies of the partner, and of the item itself
    losses: list[float] = []
    for row in range(6):
        partner = (row + 3) % 6
        others = [other for other in range(6) if other != row and (row, other) not in left_out]
        losses.append(-math.log(math.exp(similar[row, partner]) / sum(math.exp(similar[row, one]) for one in others)))
    assert float(contrastive_loss(embedded, pairs, torch.tensor(5.0))) == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_shared_instruction_and_the_kept_lower_layers_change_nothing() -> None:
    import torch
    from transformers import AutoModelForCausalLM

    encoder = learner_of().network
    whole = AutoModelForCausalLM.from_pretrained(tiny_model()).eval()
    with torch.no_grad():
        states = encoder._states([3, 12, 30])
        for item, found in zip((3, 12, 30), states, strict=True):
            text = [*encoder._beginning, *encoder._notes[item]]
            plain = whole.model(input_ids=torch.tensor([text])).last_hidden_state[0, len(encoder._beginning) :]
            assert torch.allclose(found[: len(plain)], plain, atol=1e-5)


def test_both_losses_make_the_loss_and_the_topic_is_learned() -> None:
    import torch

    def losses(learner: NoteLearner) -> tuple[float, float]:
        """The contrastive and the generation loss of the first pairs."""
        queries = torch.from_numpy(learner.queries[:8])
        others = torch.tensor([int(learner.related[query][0]) for query in learner.queries[:8]])
        with torch.no_grad():
            alone, both = (float(learner.network.loss(queries, others, weight)) for weight in (0.0, 1.0))
        return alone, 2 * both - alone

    learner = learner_of(generation_weight=1.0, head_epochs=0)
    before = losses(learner)
    for number in range(1, 17):
        learner.epoch(number)
    after = losses(learner)
    assert after[0] < before[0]
    assert after[1] < before[1] - 0.3


def test_the_linear_layer_learns_first_and_then_the_language_model_with_it() -> None:
    learner = learner_of(head_epochs=2)
    state = learner.network.state_dict()

    def changed_by(epoch: int) -> set[str]:
        before = {name: weight.clone() for name, weight in state.items()}
        learner.epoch(epoch)
        return {name.partition(".")[0] for name, weight in state.items() if not (weight == before[name]).all()}

    assert changed_by(1) == {"projection", "temperature"}
    assert changed_by(3) == {"projection", "temperature", "lora", "token"}


def test_a_catalogue_without_the_topic_has_the_contrastive_loss_alone() -> None:
    import torch

    learner = learner_of(topic="brand")
    queries, others = torch.tensor([0, 1]), torch.tensor([2, 3])
    with torch.no_grad():
        alone, both = (float(learner.network.loss(queries, others, weight)) for weight in (0.0, 1.0))
    assert both == pytest.approx(alone / 2)


def test_the_topic_is_no_part_of_what_is_read() -> None:
    film = Item("1", "Schindler's List", {"genres": "Drama, War", "year": "1993"})
    assert note(film, "genres") == """{'title': "Schindler's List", 'year': '1993'}"""


def test_new_items_are_scored_by_their_text_and_a_finished_model_needs_no_language_model(tmp_path: Path) -> None:
    base, split = tmp_path / "base", ring()
    shutil.copytree(tiny_model(), base)
    model = model_of("notellm", base=str(base), refit=False)
    trained = model.fit(split, checkpoint=tmp_path / "notellm.pt").score(EVERYONE)
    shutil.rmtree(base)
    served = model.fit(split, checkpoint=tmp_path / "notellm.pt")
    assert (served.score(EVERYONE) == trained).all()
    assert np.bincount(split.train.item, minlength=ITEMS + 1)[ITEMS] == 0
    new = np.array([served.score_items(user, np.array([ITEMS], np.int32))[0] for user in range(USERS)])
    others = np.array([served.score_items(user, np.arange(ITEMS, dtype=np.int32)) for user in range(USERS)])
    assert (new > others.min(1)).any()
    assert new.std() > 0


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(InputError, match=r"tuned_layers is 3, but the model has 2 layers"):
        NoteLLM(layers=2, tuned_layers=3)
    with pytest.raises(InputError, match=r"dtype of notellm is 'int8'\n.*bfloat16 or float32"):
        NoteLLM(dtype="int8")
    with pytest.raises(InputError, match="give it a value of more than 0"):
        NoteLLM(rank=0)
    with pytest.raises(InputError, match="the model has 3 layers, fewer than the 9 requested"):
        learner_of(layers=9).epoch(1)
    with pytest.raises(InputError, match="no two items co-occur"):
        learner_of(least_score=20.0)
