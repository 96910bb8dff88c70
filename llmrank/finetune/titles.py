"""Training a model that continues sequences of titles: LoRA and two projections, with all events as targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from llmrank.backends.adapter import CARD, NEXT_TITLE, check_base, learned_events, read_card
from llmrank.backends.decoder import open_base, training_module, whitened_basis, with_lora
from llmrank.backends.models import Model, fingerprint
from llmrank.backends.title_model import (
    PROJECTION,
    Projection,
    TitleModel,
    TitleReader,
    last_states,
    load_adapter,
    load_lora,
    load_tensors,
    open_body,
    save_adapter,
)
from llmrank.backends.titles import TitleShape
from llmrank.data.cases import histories
from llmrank.errors import InputError, count_of
from llmrank.evaluation.cases import cases_hash, reachable
from llmrank.evaluation.fusing import MEASURE, Validation, fusion_settings
from llmrank.evaluation.training_data import asked_for
from llmrank.files import write_json
from llmrank.finetune.loop import Weights, batches_by_length, train
from llmrank.finetune.sequences import TitleSequences, split_data
from llmrank.finetune.settings import LEAST_VALIDATION, TitleTraining
from llmrank.measures import Judgements
from llmrank.progress import Say, silent
from llmrank.rankers.baselines import by_score
from llmrank.rankers.fusion import choose_fusion
from llmrank.rankers.next_title import item_text
from llmrank.types import Case, Ranking

PROPOSED = "with a relevant item among the candidates"
EMBEDDING_SCALE = 0.05
"""Initial scale of the projected inputs: about the standard deviation of a token embedding."""


def train_titles(
    model: Model,
    sequences: TitleSequences,
    validation: Sequence[Case],
    out: Path,
    settings: TitleTraining,
    *,
    say: Say = silent,
) -> Mapping[str, Any]:
    """Train an adapter, and return its card. `out` then contains the adapter in PEFT format, the projections and the
    card.

    The weights with the best NDCG@10 on the validation Cases, whose relevant items are not in `sequences`, are kept.

    Repeating the call continues a stopped training from its last checkpoint, or returns the card of a finished one.
    `say` receives progress messages with the remaining time.

    Raises:
        InputError: `out` has another training; `settings.start` does not fit; too few validation Cases; the loss is not
            finite; the disk is full.
        MissingError: a package is not installed.
        KeyboardInterrupt: interrupted; `say` received the point from which the same call continues.
    """
    identity = _identity(model, sequences, validation, settings)
    check_validation(len(reachable(validation)), PROPOSED)
    if settings.start is not None:
        _check_start(settings.start, model, settings.shape)
    make = partial(TitleObjective, model, sequences, validation, settings, say)
    past, chosen = histories(sequences.split), {case.user_id: asked_for(case) for case in validation}

    def items(user: str) -> set[str]:
        events = past[user] if user in sequences.users else ()
        return {event.item.item_id for event in events} | chosen.get(user, set())

    record = learned_events((*sequences.users, *chosen), items)
    return train(make, settings, out, identity, len(validation), record, say=say)


def check_validation(found: int, of: str) -> None:
    """Raise InputError if too few validation Cases, described by `of`, were found for choosing the weights."""
    if found < LEAST_VALIDATION:
        problem = f"{count_of(found, 'validation Case')} {of}; at least {LEAST_VALIDATION} are needed"
        hint = "sample more users (--validation-users N), propose more candidates (-k N), or add users to the file"
        raise InputError(problem, field="validation_users", hint=hint)


def _check_start(folder: Path, model: Model, shape: TitleShape) -> None:
    """Raise InputError if a training of this shape cannot start from the adapter."""
    card = read_card(folder, NEXT_TITLE)
    check_base(card, model, folder)
    if card["shape"] != asdict(shape):
        had = ", ".join(f"{name} {value}" for name, value in card["shape"].items())
        raise InputError(f"the adapter {folder} has another shape", field="start", hint=f"train with {had}")


def _identity(
    model: Model, sequences: TitleSequences, validation: Sequence[Case], settings: TitleTraining
) -> dict[str, Any]:
    """Return what identifies a training."""
    apart = ("shape", "checkpoint_seconds", "start")
    plain = {name: value for name, value in asdict(settings).items() if name not in apart}
    start = None
    if settings.start is not None:
        card = read_card(settings.start, NEXT_TITLE)
        kept = {name: card[name] for name in ("data", "start", "learned") if name in card}
        start = {"sha256": fingerprint(settings.start), **kept}
    return {
        "kind": NEXT_TITLE,
        "base": {"name": model.name, "revision": model.revision},
        "shape": asdict(settings.shape),
        "settings": plain,
        "start": start,
        "data": {
            **split_data(sequences.split),
            "sequences_sha256": sequences.sha256,
            "sequences": len(sequences.sequences),
            "items": len(sequences.texts),
            "targets": sequences.targets,
            "validation_sha256": cases_hash(validation),
        },
    }


class TitleObjective:
    """Predicts every event of a user's history from the events before it."""

    measure = str(MEASURE)

    def __init__(
        self, model: Model, sequences: TitleSequences, validation: Sequence[Case], settings: TitleTraining, say: Say
    ) -> None:
        self._sequences, self._settings = sequences.sequences, settings
        self._validation, self.targets = validation, sequences.targets
        shape = settings.shape
        self._dtype = cast(torch.dtype, getattr(torch, settings.dtype))
        torch.manual_seed(settings.seed)
        decoder, tokenizer = open_base(model.folder, shape.item_layers, self._dtype)
        self._reader = TitleReader(decoder, tokenizer, shape.item_layers)
        say(f"reading {count_of(len(sequences.texts), 'title')}")
        self._read = self._reader.read(sequences.texts).clone()
        self._body = with_lora(open_body(model.folder, shape.layers, self._dtype), shape.rank)
        self._basis, self._mean = whitened_basis(self._read[:, 1], settings.whitening)
        given = None if settings.start is None else self._start_from(settings.start)
        width = self._read.shape[-1]
        self._white = (self._read[:, 1] - self._mean) @ self._basis
        self._into = nn.Parameter(torch.randn(width, self._basis.shape[1]) * 10 * EMBEDDING_SCALE)
        self._out = nn.Parameter(torch.randn(width + 1, self._basis.shape[1]) * 0.02)
        if given is not None:
            back = torch.linalg.pinv(self._basis.T)
            self._into = nn.Parameter(given["into"] @ back / EMBEDDING_SCALE)
            self._out = nn.Parameter(given["out"] @ back)
        self.weights = Weights(self._body, [self._into, self._out])

    def _start_from(self, folder: Path) -> dict[str, Tensor]:
        """Load another adapter's weights, and return its projections."""
        tensors, lora = load_tensors(folder / PROJECTION), load_lora(folder, self._body)
        training_module("peft").set_peft_model_state_dict(self._body, lora)
        self._mean = tensors["mean"]
        return tensors

    def _projection(self) -> Projection:
        """Return the projections for inference, with the whitening folded in."""
        scale = EMBEDDING_SCALE
        return Projection(
            self._mean, scale * (self._into @ self._basis.T).detach(), (self._out @ self._basis.T).detach()
        )

    def save(self, out: Path, card: Mapping[str, Any]) -> None:
        """Write the adapter, the projections and the card."""
        save_adapter(out, self._body, self._projection(), card)

    def validate(self) -> float:
        """Return NDCG@10 on the validation Cases."""
        self._body.eval()
        model = TitleModel(self._reader, self._body, self._projection(), self._settings.shape.window, self._dtype)
        value = mean_value(rank_titles(model, self._validation), self._validation)
        self._body.train()
        return value

    def batches(self, epoch: int) -> Iterator[list[NDArray[np.int32]]]:
        """Yield the batches of an epoch, deterministically."""
        draw = np.random.default_rng([self._settings.seed, epoch])
        pieces = list(windows(self._sequences, self._settings.shape.window, draw))
        draw.shuffle(pieces)
        batches = list(batches_by_length([len(one) - 1 for one in pieces], self._settings.events))
        for number in draw.permutation(len(batches)):
            yield [pieces[index] for index in batches[number]]

    def tokens(self, batch: Sequence[NDArray[np.int32]]) -> int:
        """Return 0: it reads events, as many as there are targets."""
        return 0

    def loss(self, batch: Sequence[NDArray[np.int32]]) -> tuple[Tensor, int]:
        """Return the cross-entropy over all items that the user has not had, and the number of targets."""
        settings = self._settings
        pieces = [torch.from_numpy(one.astype(np.int64)) for one in batch]
        shown = pad_sequence([one[:-1] for one in pieces], batch_first=True)
        wanted = pad_sequence([one[1:] for one in pieces], batch_first=True, padding_value=-1)
        inputs = self._read[shown, 0] + EMBEDDING_SCALE * self._white[shown] @ self._into.T
        seen = functional.dropout(inputs, settings.dropout)
        there = wanted >= 0
        states = functional.dropout(last_states(self._body, seen.to(self._dtype))[there], settings.dropout)
        # Project the states: cheaper than projecting every item of the catalogue.
        logits = (states @ self._out[:-1]) @ self._white.T + self._white @ self._out[-1]
        logits = logits.masked_fill(already_seen(shown, wanted, there, len(self._white)), -1e9)
        return functional.cross_entropy(logits, wanted[there]), int(there.sum())


def windows(
    sequences: Sequence[NDArray[np.int32]], window: int, draw: np.random.Generator
) -> Iterator[NDArray[np.int32]]:
    """Yield each sequence in pieces of at most `window` targets, cut at different positions in every epoch (`draw`).

    Neighbouring pieces share the event at the cut, so that every event but the first is a target exactly once.
    """
    for one in sequences:
        start = 0
        step = window if len(one) <= window + 1 else int(draw.integers(max(1, window // 2), window + 1))
        while start < len(one) - 1:
            yield one[start : start + step + 1]
            start, step = start + step, window


def already_seen(shown: Tensor, wanted: Tensor, there: Tensor, items: int) -> Tensor:
    """Return bool[targets, items]: the items that the user already had at that position, except the target.

    Recall stages do not propose such items, so the model need not learn to avoid them.
    """
    rows, length = shown.shape
    positions = torch.arange(length).expand(rows, length)
    first = torch.full((rows, items), length).scatter_reduce(1, shown, positions, "amin")
    row = torch.arange(rows)[:, None].expand(rows, length)[there]
    seen = first[row] <= positions[there][:, None]
    seen[torch.arange(len(row)), wanted[there]] = False
    return seen


def rank_titles(model: TitleModel, cases: Sequence[Case]) -> list[Ranking]:
    """Return the Ranking of each Case by the model's scores."""

    def scores(case: Case) -> list[float]:
        return model.scores([item_text(event.item) for event in case.history], [*map(item_text, case.candidates)])

    return [by_score(case, scores(case)) for case in cases]


def choose_title_fusion(out: Path, model: Model, validation: Validation, recall: str, *, say: Say) -> Mapping[str, Any]:
    """Choose the fusion with the recall stage on validation Cases, add it to the card, and return the card.

    The card's `fusion` is `fusion_settings`, plus a description of the validation.
    """
    cases = validation.asked
    ranked = rank_titles(load_adapter(out, model), cases)
    choice = choose_fusion(lambda fusion: fusion.fuse_all(cases, ranked), validation.values)
    say(validation.describe_fusion(choice))
    measured = {"recall": recall, "measure": f"{MEASURE} over all users", "cases": len(cases)}
    fusion = {**fusion_settings(choice), **measured}
    card = read_card(out, NEXT_TITLE) | {"fusion": fusion}
    write_json(out / CARD, card)
    return card


def mean_value(rankings: Sequence[Ranking], cases: Sequence[Case]) -> float:
    """Return the mean NDCG@10 of the Rankings of these Cases."""
    return float(MEASURE.per_case(Judgements.from_cases(rankings, cases)).mean())
