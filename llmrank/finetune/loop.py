"""The training loop: steps, validations, checkpoints, and early stopping."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from llmrank.backends.adapter import CARD, read_card
from llmrank.errors import InputError, count_of
from llmrank.files import NO_ROOM_HINT, cannot_write, locked, read_checkpoint, write_checkpoint
from llmrank.finetune.settings import Training
from llmrank.progress import Say

CHECKPOINT = "checkpoint.pt"
SAID_EVERY = 20.0
"""Seconds between two lines of progress."""
KEPT_LOSSES = 200
"""Number of steps whose mean loss is in the card's curve."""
Batch = TypeVar("Batch")


class Weights:
    """The trained weights: a LoRA adapter, with float32 master copies, and further float32 weights."""

    def __init__(self, model: nn.Module, beside: Sequence[nn.Parameter] = ()) -> None:
        self._lora = [one for one in model.parameters() if one.requires_grad]
        # bfloat16 loses updates of 1e-3 of a weight, so the optimiser works on float32 copies.
        self._masters = [one.detach().float().clone().requires_grad_() for one in self._lora]
        self.all: list[Tensor] = [*self._masters, *beside]

    def copy(self) -> list[Tensor]:
        """Return a copy of the weights."""
        return [one.detach().clone() for one in self.all]

    def load(self, weights: Sequence[Tensor]) -> None:
        """Replace the weights."""
        with torch.no_grad():
            for mine, given in zip(self.all, weights, strict=True):
                mine.copy_(given)
        self.use()

    @property
    def are_finite(self) -> bool:
        """Whether all weights are finite, also after rounding."""
        return all(bool(one.isfinite().all()) for one in (*self._lora, *self.all))

    def take_gradients(self) -> None:
        """Move the gradients of the adapter to the master copies."""
        for used, master in zip(self._lora, self._masters, strict=True):
            master.grad = None if used.grad is None else used.grad.float()
            used.grad = None

    def use(self) -> None:
        """Copy the master weights, rounded, into the adapter."""
        with torch.no_grad():
            for used, master in zip(self._lora, self._masters, strict=True):
                used.copy_(master)


class Objective(Protocol[Batch]):
    """The training objective."""

    weights: Weights
    targets: int
    """Number of targets in one pass over the data."""
    measure: str
    """Name of the measure that `validate` returns."""

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, deterministically."""
        ...

    def tokens(self, batch: Batch) -> int:
        """Return the number of tokens that a step on the batch reads, without padding; 0 if it reads none."""
        ...

    def loss(self, batch: Batch) -> tuple[Tensor, int]:
        """Return the mean loss over the batch's targets (nats), and the number of targets."""
        ...

    def validate(self) -> float:
        """Return the measure on the validation Cases; higher is better."""
        ...

    def save(self, out: Path, card: Mapping[str, Any]) -> None:
        """Write the adapter and its card. Raises OSError if writing fails."""
        ...


@dataclass(slots=True)
class TrainingState:
    """The state of a training that is needed to continue it, apart from weights and optimiser."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    """Finished batches of the epoch."""
    targets: int = 0
    seconds: float = 0.0
    best: float = -math.inf
    best_targets: int = 0
    worse: int = 0
    """Number of validations since the best one."""
    curve: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    losses: list[float] = field(default_factory=list[float])
    """Losses of the latest steps, at most `KEPT_LOSSES`."""


def _finished(out: Path, identity: Mapping[str, Any], say: Say) -> Mapping[str, Any] | None:
    """Return the card if `out` has the adapter of this training. Raises InputError for another training's adapter."""
    if not (out / CARD).is_file():
        return None
    card = read_card(out)
    if {name: card.get(name) for name in identity} != identity:
        hint = "choose another folder, or remove this one"
        raise InputError("the folder has an adapter from another training", path=out, hint=hint)
    say(f"already trained: {out}")
    return card


def train(
    make: Callable[[], Objective[Any]],
    settings: Training,
    out: Path,
    identity: Mapping[str, Any],
    validation_cases: int,
    learned: Mapping[str, Any],
    *,
    say: Say,
) -> Mapping[str, Any]:
    """Train the objective from `make`, write the adapter with the best weights into `out`, and return its card.

    `learned` is the card's record of events (see `learned_events`).
    A stopped training with this `identity` continues from its last checkpoint; a finished one returns its card.

    Raises InputError for an adapter or checkpoint of another training, a folder in use by another process, a loss that
    is not finite, and a full disk; KeyboardInterrupt if interrupted.
    """

    def taken() -> None:
        hint = "wait for it, or choose another folder"
        raise InputError("another process is training into this folder", path=out, hint=hint)

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    with locked(out, taken):
        if (card := _finished(out, identity, say)) is not None:
            return card
        return _train(_Loop(make(), settings, out, identity, say), identity, validation_cases, learned)


def _train(
    loop: _Loop, identity: Mapping[str, Any], validation_cases: int, learned: Mapping[str, Any]
) -> Mapping[str, Any]:
    say, out = loop.say, loop.out
    try:
        progress = loop.run()
    except KeyboardInterrupt:
        say(f"stopped after {count_of(loop.progress.targets, 'target')}; the same call continues after {loop.saved:,}")
        raise
    objective = loop.objective
    card = {
        **identity,
        "targets": progress.targets,
        "best_targets": progress.best_targets,
        "validation": {"measure": objective.measure, "cases": validation_cases, "best": progress.best},
        "curve": progress.curve,
        "minutes": round(progress.seconds / 60, 1),
        "learned": learned,
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
    }
    objective.weights.load(loop.best)
    try:
        objective.save(out, card)
        (out / CHECKPOINT).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    except SafetensorError as error:
        # SafetensorError wraps file system errors as text.
        raise InputError(f"cannot be written: {error}", path=out, hint=NO_ROOM_HINT) from error
    return card


class _Loop:
    def __init__(
        self, objective: Objective[Any], settings: Training, out: Path, identity: Mapping[str, Any], say: Say
    ) -> None:
        self.objective, self._settings, self.out, self._identity, self.say = objective, settings, out, identity, say
        self._optimiser = torch.optim.AdamW(
            objective.weights.all, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0
        )
        self._total = math.ceil(settings.epochs * objective.targets)
        self.best = objective.weights.copy()
        self.saved = 0
        """Number of targets done at the last checkpoint."""
        self.progress = self._restored()

    # --- checkpoints

    def _save(self) -> None:
        """Write a checkpoint atomically. Raises InputError if writing fails."""
        state = {
            "identity": self._identity,
            "progress": asdict(self.progress),
            "weights": self.objective.weights.copy(),
            "best": self.best,
            "optimiser": self._optimiser.state_dict(),
            "generator": torch.get_rng_state(),
        }
        write_checkpoint(self.out / CHECKPOINT, state)
        self.saved = self.progress.targets

    def _restored(self) -> TrainingState:
        """Restore the last checkpoint, and return its state; a new state if there is none."""
        path = self.out / CHECKPOINT
        if not path.is_file():
            return TrainingState()
        state = read_checkpoint(path, TrainingState)
        if state["identity"] != self._identity:
            problem = "the checkpoint belongs to another training (data, model or settings differ)"
            raise InputError(problem, path=path, hint="choose another folder, or remove the checkpoint")
        self.objective.weights.load(state["weights"])
        self.best = list(state["best"])
        self._optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["generator"])
        progress = TrainingState(**state["progress"])
        self.saved = progress.targets
        self.say(f"continuing after {progress.targets:,} of {count_of(self._total, 'target')}")
        return progress

    # --- training

    def run(self) -> TrainingState:
        """Train until the end, or until validation stops improving."""
        progress, settings, total = self.progress, self._settings, self._total
        saved = said = begun = time.monotonic()
        before, started, read = progress.seconds, progress.targets, 0
        every = total / settings.validations
        while progress.targets < total and progress.worse < settings.patience:
            for number, batch in enumerate(self.objective.batches(progress.epoch)):
                if number < progress.batch:
                    continue
                loss, targets = self._step(batch)
                progress.losses = [*progress.losses[1 - KEPT_LOSSES :], loss]
                progress.step, progress.batch = progress.step + 1, number + 1
                earlier, progress.targets = progress.targets, progress.targets + targets
                read += self.objective.tokens(batch)
                progress.seconds = before + time.monotonic() - begun
                if not math.isfinite(loss):
                    raise self._diverged(f"the loss is {loss}")
                if time.monotonic() - said > SAID_EVERY:
                    said = time.monotonic()
                    rate = (progress.targets - started) / (said - begun)
                    tokens = f"{speed(read / (said - begun))} tokens/s, " if read else ""
                    left = (total - progress.targets) / rate / 60
                    self.say(
                        f"{progress.targets:,}/{count_of(total, 'target')}, loss {np.mean(progress.losses[-50:]):.3f}, "
                        f"{speed(rate)} targets/s, {tokens}{f'{left:.0f}' if left >= 1 else 'less than 1'} min left"
                    )
                done = progress.targets >= total
                validated = progress.targets // every > earlier // every or done
                if validated:
                    self._validate(float(np.mean(progress.losses)))
                if validated or time.monotonic() - saved > settings.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
                if done or progress.worse >= settings.patience:
                    break
            else:
                progress.epoch, progress.batch = progress.epoch + 1, 0
        self._save()
        return progress

    def _validate(self, loss: float) -> None:
        progress, measure = self.progress, self.objective.measure
        if not self.objective.weights.are_finite:
            raise self._diverged("the weights are not finite")
        value = self.objective.validate()
        if not math.isfinite(value):
            raise self._diverged(f"{measure} is {value}")
        progress.curve.append({"targets": progress.targets, "loss": round(loss, 4), measure: round(value, 5)})
        self.say(f"{count_of(progress.targets, 'target')}: validation {measured(measure, value)}, loss {loss:.3f}")
        if value > progress.best:
            progress.best, progress.best_targets, progress.worse = value, progress.targets, 0
            self.best = self.objective.weights.copy()
        else:
            progress.worse += 1

    def _diverged(self, problem: str) -> InputError:
        done = count_of(self.progress.targets, "target")
        hint = "lower the learning rate"
        if (path := self.out / CHECKPOINT).is_file():
            hint += f", and remove {path} or choose another folder"
        return InputError(f"{problem} after {done}", field="learning_rate", hint=hint)

    def _step(self, batch: Any) -> tuple[float, int]:  # noqa: ANN401 - the objective's
        """Take one step and return the loss (nats per target) and the number of targets."""
        settings, progress, weights = self._settings, self.progress, self.objective.weights
        rise = min(1.0, (progress.step + 1) / settings.warm_up)
        fall = max(0.02, (1 + math.cos(math.pi * progress.targets / self._total)) / 2)
        for group in self._optimiser.param_groups:
            group["lr"] = settings.learning_rate * rise * fall
        loss, targets = self.objective.loss(batch)
        loss.backward()
        weights.take_gradients()
        nn.utils.clip_grad_norm_(weights.all, 1.0)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        weights.use()
        return loss.item(), targets


def measured(measure: str, value: float) -> str:
    """Return the measure of a validation with its value. An error, which is negated so that higher is better, is shown
    as it is."""
    name = measure.removeprefix("negative ")
    return f"{name} {value if name == measure else -value:.4f}"


def speed(rate: float) -> str:
    """Return a number per second with at least two digits that say something."""
    return f"{rate:,.0f}" if rate > 10 else f"{rate:.2g}"


def batches_by_length(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Yield batches of indices, shortest sequences first, of padded size at most `most` (but at least one sequence)."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: (lengths[index], index)):
        if batch and lengths[index] * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
