"""Training of a model that continues sequences of titles: LoRA and two projections, all events as targets."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from llmrank.backends.decoder import open_base, whitened_basis, with_lora
from llmrank.backends.models import Model, fingerprint
from llmrank.backends.title_model import (
    CARD,
    KIND,
    PROJECTION,
    Projection,
    TitleModel,
    TitleReader,
    batches_by_length,
    check_base,
    last_states,
    load_adapter,
    load_tensors,
    open_body,
    read_card,
    save_adapter,
    shape_fields,
)
from llmrank.backends.titles import TitleShape
from llmrank.errors import InputError
from llmrank.evaluation.cases import cases_hash
from llmrank.evaluation.fusing import MEASURE, Validation
from llmrank.files import cannot_write, write_json, write_whole
from llmrank.finetune.sequences import TitleSequences
from llmrank.finetune.settings import TitleTraining
from llmrank.measures import NDCG, Judgements
from llmrank.progress import Say, silent
from llmrank.rankers.fusion import choose_fusion
from llmrank.rankers.next_title import item_text
from llmrank.types import Case, Ranking

CHECKPOINT = "checkpoint.pt"
LEAST_VALIDATION = 20
EMBEDDING_SCALE = 0.05
"""About the standard deviation of a token embedding: what the projected inputs start at."""


@dataclass(slots=True)
class Progress:
    """Where a training stands: everything that its continuation depends on, weights and optimiser apart."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    """Batches of the epoch that are done."""
    targets: int = 0
    seconds: float = 0.0
    best: float = -1.0
    best_targets: int = 0
    worse: int = 0
    """Validations since the best one."""
    curve: list[dict[str, float]] = field(default_factory=list[dict[str, float]])


def train_titles(
    model: Model,
    sequences: TitleSequences,
    validation: Sequence[Case],
    out: Path,
    settings: TitleTraining | None = None,
    *,
    say: Say = silent,
) -> Mapping[str, Any]:
    """Train an adapter and return its card. The folder `out` then holds the adapter in the PEFT format, the projections
    and the card.

    A training that was stopped continues from its last checkpoint when it is called again with the same arguments; a
    finished one returns its card. Lines about progress, with the time that is left, go to `say`.

    Args:
        model: The base model.
        sequences: What to learn from.
        validation: Cases whose relevant items are not in `sequences`; NDCG@10 on them decides which weights are kept.
        out: Folder of the adapter.
        settings: None: the defaults.

    Raises:
        InputError: `out` holds another training; `settings.start` does not fit; too few validation Cases; the loss is
            no number any more; the disk is full.
        MissingError: a package is not installed.
        KeyboardInterrupt: interrupted; `say` was told from where the same call continues.
    """
    settings = settings or TitleTraining()
    identity = _identity(model, sequences, validation, settings)
    if (out / CARD).is_file():
        card = read_card(out)
        if {name: card.get(name) for name in identity} != identity:
            hint = "name another folder, or remove this one"
            raise InputError("the folder holds an adapter of another training", path=out, hint=hint)
        say(f"already trained: {out}")
        return card
    found = sum(bool(set(case.relevant) & {item.item_id for item in case.candidates}) for case in validation)
    if found < LEAST_VALIDATION:
        raise InputError(
            f"{found} of {len(validation)} validation Cases have a relevant item among their candidates; "
            f"at least {LEAST_VALIDATION} are needed",
            hint="use more users or longer candidate lists",
            field="validation",
        )
    if settings.start is not None:
        _check_start(settings.start, model, settings.shape)
    out.mkdir(parents=True, exist_ok=True)
    trainer = _Trainer(model, sequences, settings, say)
    progress = trainer.restore(out, identity)
    try:
        best = trainer.run(progress, validation, out, identity)
    except KeyboardInterrupt:
        say(f"stopped after {progress.targets:,} targets; the same call continues after {trainer.saved:,}")
        raise
    card = {
        **identity,
        "targets": progress.targets,
        "best_targets": progress.best_targets,
        "validation": {"measure": "NDCG@10", "cases": len(validation), "best": progress.best},
        "curve": progress.curve,
        "minutes": round(progress.seconds / 60, 1),
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
    }
    trainer.load(best)
    try:
        save_adapter(out, trainer.body, trainer.projection(), card)
        (out / CHECKPOINT).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    return card


def _check_start(folder: Path, model: Model, shape: TitleShape) -> None:
    """Raise InputError for an adapter from whose weights a training of this shape cannot start."""
    card = read_card(folder)
    check_base(card, model, folder)
    if card["shape"] != shape_fields(shape):
        had = ", ".join(f"{name} {value}" for name, value in card["shape"].items())
        raise InputError("an adapter of another shape", path=folder, field="start", hint=f"train with {had}")


def _identity(
    model: Model, sequences: TitleSequences, validation: Sequence[Case], settings: TitleTraining
) -> dict[str, Any]:
    """What makes a training this one."""
    apart = ("shape", "checkpoint_seconds", "start")
    plain = {name: value for name, value in asdict(settings).items() if name not in apart}
    start = None
    if settings.start is not None:
        start = {"sha256": fingerprint(settings.start), "data": read_card(settings.start)["data"]}
    return {
        "kind": KIND,
        "base": {"name": model.name, "revision": model.revision},
        "shape": shape_fields(settings.shape),
        "settings": plain,
        "start": start,
        "data": {
            "name": sequences.data,
            "sha256": sequences.data_sha256,
            "split": sequences.split,
            "sequences_sha256": sequences.sha256,
            "sequences": len(sequences.sequences),
            "items": len(sequences.texts),
            "targets": sequences.targets,
            "validation_sha256": cases_hash(validation),
        },
    }


class _Trainer:
    """The weights and what is done with them."""

    def __init__(self, model: Model, sequences: TitleSequences, settings: TitleTraining, say: Say) -> None:
        self._sequences, self._settings, self._say = sequences, settings, say
        self.saved = 0
        """Targets that were learned from when the last checkpoint was written."""
        shape = settings.shape
        self._dtype = cast(torch.dtype, getattr(torch, settings.dtype))
        torch.manual_seed(settings.seed)
        decoder, tokenizer = open_base(model.folder, shape.item_layers, self._dtype)
        self._reader = TitleReader(decoder, tokenizer, shape.item_layers)
        say(f"reading {len(sequences.texts)} titles")
        self._read = self._reader.read(sequences.texts).clone()
        self.body = with_lora(open_body(model.folder, shape.layers, self._dtype), shape.rank)
        self._lora = [one for one in self.body.parameters() if one.requires_grad]
        # Updates of 1e-3 of a weight are lost in bfloat16, so the optimiser works on float32 copies.
        self._masters = [one.detach().float().clone().requires_grad_() for one in self._lora]
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
        self._weights = [*self._masters, self._into, self._out]
        self._optimiser = torch.optim.AdamW(
            self._weights, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0
        )
        self._total = math.ceil(settings.epochs * sequences.targets)

    def _start_from(self, folder: Path) -> dict[str, Tensor]:
        """Put another adapter's weights in place and return its projections."""
        tensors = load_tensors(folder / PROJECTION)
        peft = import_module("peft")
        peft.set_peft_model_state_dict(self.body, load_tensors(folder / "adapter_model.safetensors"))
        self._masters = [one.detach().float().clone().requires_grad_() for one in self._lora]
        self._mean = tensors["mean"]
        return tensors

    # --- weights

    def projection(self) -> Projection:
        """Return the projections as they are used: from what is read of a title, without the whitening between."""
        scale = EMBEDDING_SCALE
        return Projection(
            self._mean, scale * (self._into @ self._basis.T).detach(), (self._out @ self._basis.T).detach()
        )

    def weights(self) -> list[Tensor]:
        """Return a copy of what is trained."""
        return [one.detach().clone() for one in self._weights]

    def load(self, weights: Sequence[Tensor]) -> None:
        """Put weights in place."""
        with torch.no_grad():
            for mine, given in zip(self._weights, weights, strict=True):
                mine.copy_(given)
            for used, master in zip(self._lora, self._masters, strict=True):
                used.copy_(master)

    # --- checkpoints

    def save(self, out: Path, identity: Mapping[str, Any], progress: Progress, best: Sequence[Tensor]) -> None:
        """Write a checkpoint whole or not at all; raises InputError where the disk refuses."""
        state = {
            "identity": identity,
            "progress": asdict(progress),
            "weights": self.weights(),
            "best": list(best),
            "optimiser": self._optimiser.state_dict(),
            "generator": torch.get_rng_state(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_whole(out / CHECKPOINT, buffer.getvalue())
        self.saved = progress.targets

    def restore(self, out: Path, identity: Mapping[str, Any]) -> Progress:
        """Return where the training in `out` stands, with the weights in place; a new one where there is none.

        Raises InputError for the checkpoint of another training.
        """
        self._best = self.weights()
        path = out / CHECKPOINT
        if not path.is_file():
            return Progress()
        state = cast("dict[str, Any]", torch.load(path, weights_only=True))
        if state["identity"] != identity:
            hint = "name another folder, or remove the checkpoint"
            raise InputError(
                "the checkpoint of another training (data, model or settings differ)", path=path, hint=hint
            )
        self.load(state["weights"])
        self._best = list(state["best"])
        self._optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["generator"])
        progress = Progress(**state["progress"])
        self.saved = progress.targets
        self._say(f"continuing after {progress.targets:,} of {self._total:,} targets")
        return progress

    # --- training

    def run(
        self, progress: Progress, validation: Sequence[Case], out: Path, identity: Mapping[str, Any]
    ) -> list[Tensor]:
        """Train to the end, or until validation stops it, and return the best weights."""
        settings = self._settings
        saved = said = begun = time.monotonic()
        before, started = progress.seconds, progress.targets
        every = self._total / settings.validations
        losses: list[float] = []
        while progress.targets < self._total and progress.worse < settings.patience:
            for number, batch in enumerate(self._batches(progress.epoch)):
                if number < progress.batch:
                    continue
                loss, targets = self._step(batch, progress)
                losses.append(loss)
                progress.step, progress.batch = progress.step + 1, number + 1
                earlier, progress.targets = progress.targets, progress.targets + targets
                progress.seconds = before + time.monotonic() - begun
                if not math.isfinite(loss):
                    raise InputError(
                        f"the loss is {loss} after {progress.targets:,} targets",
                        field="learning_rate",
                        hint="lower the learning rate; the last checkpoint is kept",
                    )
                if time.monotonic() - said > 20:
                    said = time.monotonic()
                    rate = (progress.targets - started) / (said - begun)
                    left = (self._total - progress.targets) / rate / 60
                    self._say(
                        f"{progress.targets:,}/{self._total:,} targets, loss {np.mean(losses[-50:]):.3f}, "
                        f"{rate:,.0f} targets/s, {left:.0f} min left"
                    )
                done = progress.targets >= self._total
                validated = progress.targets // every > earlier // every or done
                if validated:
                    self._validate(progress, validation, float(np.mean(losses[-200:])))
                if validated or time.monotonic() - saved > settings.checkpoint_seconds:
                    self.save(out, identity, progress, self._best)
                    saved = time.monotonic()
                if done or progress.worse >= settings.patience:
                    break
            else:
                progress.epoch, progress.batch = progress.epoch + 1, 0
        self.save(out, identity, progress, self._best)
        return self._best

    def _validate(self, progress: Progress, validation: Sequence[Case], loss: float) -> None:
        self.body.eval()
        model = TitleModel(self._reader, self.body, self.projection(), self._settings.shape.window, self._dtype)
        value = validation_ndcg(model, validation)
        self.body.train()
        progress.curve.append({"targets": progress.targets, "loss": round(loss, 4), "NDCG@10": round(value, 5)})
        self._say(f"{progress.targets:,} targets: validation NDCG@10 {value:.4f}, loss {loss:.3f}")
        if value > progress.best:
            progress.best, progress.best_targets, progress.worse = value, progress.targets, 0
            self._best = self.weights()
        else:
            progress.worse += 1

    def _batches(self, epoch: int) -> Iterator[list[NDArray[np.int32]]]:
        """Yield the batches of an epoch, the same whenever they are asked for."""
        draw = np.random.default_rng([self._settings.seed, epoch])
        pieces = list(windows(self._sequences.sequences, self._settings.shape.window, draw))
        draw.shuffle(pieces)
        batches = list(batches_by_length([len(one) - 1 for one in pieces], self._settings.events))
        for number in draw.permutation(len(batches)):
            yield [pieces[index] for index in batches[number]]

    def _step(self, batch: Sequence[NDArray[np.int32]], progress: Progress) -> tuple[float, int]:
        """Take one step and return the loss (nats per target) and the number of targets."""
        settings = self._settings
        share = progress.targets / self._total
        rise = min(1.0, (progress.step + 1) / settings.warm_up)
        for group in self._optimiser.param_groups:
            group["lr"] = settings.learning_rate * rise * max(0.02, (1 + math.cos(math.pi * share)) / 2)
        longest = max(map(len, batch)) - 1
        shown = torch.zeros(len(batch), longest, dtype=torch.long)
        wanted = torch.full((len(batch), longest), -1)
        for row, one in enumerate(batch):
            sequence = torch.from_numpy(one.astype(np.int64))
            shown[row, : len(one) - 1], wanted[row, : len(one) - 1] = sequence[:-1], sequence[1:]
        inputs = self._read[shown, 0] + EMBEDDING_SCALE * self._white[shown] @ self._into.T
        seen = functional.dropout(inputs, settings.dropout)
        there = wanted >= 0
        states = functional.dropout(last_states(self.body, seen.to(self._dtype))[there], settings.dropout)
        # States to the titles' side first: cheaper than bringing every item of the catalogue to the states' side.
        logits = (states @ self._out[:-1]) @ self._white.T + self._white @ self._out[-1]
        logits = logits.masked_fill(already_seen(shown, wanted, there, len(self._white)), -1e9)
        loss = functional.cross_entropy(logits, wanted[there])
        loss.backward()
        for used, master in zip(self._lora, self._masters, strict=True):
            master.grad = None if used.grad is None else used.grad.float()
            used.grad = None
        nn.utils.clip_grad_norm_(self._weights, 1.0)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            for used, master in zip(self._lora, self._masters, strict=True):
                used.copy_(master)
        return loss.item(), int(there.sum())


def windows(
    sequences: Sequence[NDArray[np.int32]], window: int, draw: np.random.Generator
) -> Iterator[NDArray[np.int32]]:
    """Yield each sequence in pieces of at most `window` targets, cut at places that `draw` moves in every epoch.

    Neighbours share the event at the cut, so that every event but a sequence's first is a target exactly once.
    """
    for one in sequences:
        start = 0
        step = window if len(one) <= window + 1 else int(draw.integers(window // 2, window + 1))
        while start < len(one) - 1:
            yield one[start : start + step + 1]
            start, step = start + step, window


def already_seen(shown: Tensor, wanted: Tensor, there: Tensor, items: int) -> Tensor:
    """Return bool[targets, items]: what the user already had at that position, the target itself excepted.

    Recall stages leave such items out of the list, so the model need not learn to do so.
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
    found: list[Ranking] = []
    for case in cases:
        history = [item_text(event.item) for event in case.history]
        scores = model.scores(history, [item_text(item) for item in case.candidates])
        best = sorted(range(len(scores)), key=lambda place: -scores[place])
        order = tuple(case.candidates[place].item_id for place in best)
        found.append(Ranking(order, tuple(scores[place] for place in best)))
    return found


def choose_title_fusion(
    out: Path, model: Model, validation: Validation, recall: str, *, say: Say = silent
) -> Mapping[str, Any]:
    """Choose on validation Cases how much the recall stage counts, add that to the card, and return the card.

    The card's `fusion` is `FusionChoice.to_dict`, with what it was chosen on.
    """
    cases = validation.asked
    choice = choose_fusion(cases, rank_titles(load_adapter(out, model), cases), validation.value)
    say(validation.describe(choice))
    measured = {"recall": recall, "measure": f"{MEASURE} over all users", "cases": len(cases)}
    fusion = {**choice.to_dict(), **measured}
    card = read_card(out) | {"fusion": fusion}
    write_json(out / CARD, card)
    return card


def validation_ndcg(model: TitleModel, cases: Sequence[Case]) -> float:
    """Return the mean NDCG@10 of the model over the Cases."""
    judged = Judgements.from_rankings(rank_titles(model, cases), [case.relevant for case in cases])
    return float(NDCG(10).per_case(judged).mean())
