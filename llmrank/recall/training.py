"""Training in epochs, with validation, early stopping, checkpoints and progress, for all trained recall models."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llmrank import files
from llmrank.data.dataset import Interactions, Split
from llmrank.data.rows import content_hash
from llmrank.data.splits import events_left
from llmrank.errors import InputError, as_path, count_of, differences, expect, module_of
from llmrank.files import check_folder, write_checkpoint
from llmrank.recall.model import Fitted, RecallModel, Setting, preferences

if TYPE_CHECKING:
    from torch import Tensor

VALIDATION_K = 10
LEAST_EVENTS = 3
"""Minimum training events of a user whose last event is held out for validation."""
LEAST_VALIDATION_USERS = 10
MAY_BE_ZERO = frozenset(
    {"validation_users", "seed", "dropout", "regularization", "weight_decay", "generation_weight", "head_epochs"}
)
SHARES = frozenset({"dropout", "mask_probability"})
"""Settings that must be below 1."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A finished pass over the training data."""

    model: str
    stage: str
    """`search` finds the best number of epochs on the validation events; `refit` trains on all training events."""
    number: int
    """Epoch number, from 1."""
    at_most: int
    loss: float
    quality_name: str
    validation: float | None
    """The measure `quality_name` on the validation events, over the full catalogue; None without validation."""
    best: bool
    """Whether this is the best validation measure so far."""
    seconds: float
    cpu_seconds: float
    """CPU time of all threads."""
    seconds_left: float
    """Upper bound, at the mean time per epoch of this stage."""

    @property
    def measured(self) -> str:
        """The validation measure in words; empty without validation."""
        if (value := self.validation) is None:
            return ""
        name = self.quality_name.removeprefix("-")
        return f", validation {name} {value if name == self.quality_name else -value:.4f}"

    def __str__(self) -> str:
        mark = " (best)" if self.best else ""
        where = f"{self.model} {self.stage}: epoch {self.number} of at most {self.at_most}"
        left = f"at most {timedelta(seconds=round(self.seconds_left))} left"
        return f"{where}, loss {self.loss:.4f}{self.measured}{mark}, {self.seconds:.1f} s, {left}"


OnEpoch = Callable[[Epoch], None]


Untyped = Any
"""A value of `implicit`, which has no types; or of torch, which is loaded only where it is needed."""
State = dict[str, Any]
"""Numbers, and torch tensors that are not modified later."""


class Learner(ABC):
    """A model during training. All randomness of an epoch comes from the seed and the epoch number, so that a training
    continued from a checkpoint ends in the same model."""

    @abstractmethod
    def epoch(self, number: int) -> float:
        """Run one epoch (numbers start at 1), and return the mean loss."""

    @abstractmethod
    def scores(self, users: NDArray[np.int32]) -> NDArray[np.floating]:
        """Return users x items in the order of `Dataset.items`; higher is better."""

    @abstractmethod
    def state(self) -> State:
        """Return the state that the next epoch depends on."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Restore a state."""


class NetworkLearner(Learner):
    """A torch network during training with Adam, for all models except those of `implicit`."""

    def __init__(self, seed: int, examples: int, build: Callable[[], Untyped], **adam: Any) -> None:
        """Train on this number of `examples`, shuffled in every epoch. `build` makes the network lazily; `adam` are the
        optimizer's settings."""
        self.seed, self.examples, self._build, self._adam = seed, examples, build, adam

    @cached_property
    def network(self) -> Untyped:
        """The network, built with the seed."""
        torch = library("torch")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed % 2**63)
            return self._build()

    @cached_property
    def optimizer(self) -> Untyped:
        """Adam over the network's weights."""
        return library("torch").optim.Adam(self.network.parameters(), **self._adam)

    @abstractmethod
    def steps(self, order: NDArray[np.int64], rng: np.random.Generator) -> Iterator[tuple[Tensor, int]]:
        """Yield the mean loss and the number of examples of each step; the weights change after each."""

    @abstractmethod
    def predictions(self, users: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return `scores`. Called without gradients and dropout."""

    def epoch(self, number: int) -> float:
        """Run all steps; stop at a loss that is not finite."""
        torch, rng = library("torch"), np.random.default_rng((self.seed, number))
        order, total, count = rng.permutation(self.examples), 0.0, 0
        self.network.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**62)))
            for loss, examples in self.steps(order, rng):
                if not math.isfinite(value := float(loss.detach())):
                    return value
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total, count = total + value * examples, count + examples
        return total / count

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the predictions of the current network."""
        self.network.eval()
        with library("torch").inference_mode():
            return self.predictions(users)

    def state(self) -> State:
        """Return copies of the weights and of Adam's moments."""
        return copy.deepcopy({"weights": dict(self.network.state_dict()), "adam": self.optimizer.state_dict()})

    def restore(self, state: State) -> None:
        """Restore weights and moments."""
        self.network.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(copy.deepcopy(state["adam"]))


class ItemLearner(NetworkLearner):
    """A network that scores one item at a time, and has its own fallbacks for users and items without training
    events."""

    items: int
    """In the catalogue."""

    @abstractmethod
    def predicted(self, user: int, items: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return a user's scores of these items (indices into `Dataset.items`). Called as `predictions` is."""

    def predictions(self, users: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the score of every item."""
        every, found = np.arange(self.items), np.empty((len(users), self.items))
        for row, user in enumerate(users.tolist()):
            found[row] = self.predicted(user, every)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class FittedByItem(Fitted):
    """A fitted model that need not score the whole catalogue for a few items."""

    learner: ItemLearner

    def _scores_of(self, user: int, items: NDArray[np.int32]) -> NDArray[np.float64]:
        self.learner.network.eval()
        with library("torch").inference_mode():
            return self._finite(self.learner.predicted(user, items))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel(RecallModel):
    """A recall model that is trained in epochs.

    The last training event of up to `validation_users` users is held out, and training stops when `quality` on these
    events has not improved for `patience` epochs. Test data are never used. Without `refit`, the result is the best of
    these epochs; with `refit`, the model is trained again on all training events for the same number of epochs.
    """

    quality_name: ClassVar[str] = f"NDCG@{VALIDATION_K}"
    alternatives: ClassVar[str] = ", or ease or itemknn"
    """Models for less data, as the end of a hint."""
    knows_new_items: ClassVar[bool] = False
    """Whether items without training events get regular scores, from their text."""
    least: ClassVar[Mapping[str, int]] = MappingProxyType({})
    """Minimum values of settings, if not 0 or 1."""
    training_version: ClassVar[int] = 1
    """Increase this when the same settings train a different model, so that old checkpoints are rejected."""
    epochs: int = 100
    """Maximum number of epochs; the exact number without validation."""
    patience: int = 5
    validation_users: int = 1000
    """0: no validation and no early stopping."""
    refit: bool
    seed: int = 0

    def __post_init__(self) -> None:
        RecallModel.__post_init__(self)
        for name, value in self.settings.items():
            if isinstance(value, str | bool):
                continue
            least = self.least.get(name, 0)
            below = 1.0 if name in SHARES else math.inf
            if not (max(0, least - 1) < value < below or (value == 0 and name in MAY_BE_ZERO)):
                allowed = f"{least} or more" if least or name in MAY_BE_ZERO else "more than 0"
                allowed += " and below 1" if name in SHARES else ", and finite" * (value == math.inf)
                raise InputError(f"{name} of {self.name} is {value}", hint=f"give it a value of {allowed}")
        heads, dimension = self.settings.get("heads", 1), self.settings.get("dimension", 1)
        if int(dimension) % int(heads):
            hint = f"give heads a value that divides the dimension, {dimension}"
            raise InputError(f"heads of {self.name} is {heads}", hint=hint)

    def check(self, split: Split) -> None:
        """Raise InputError for too little data."""
        if self.validation_users:
            hold_out(split, self.validation_users, self.seed, self.alternatives)

    @property
    def first_stage(self) -> int:
        """Epochs that prepare for the others, which `patience` does not count."""
        return 0

    def identity(self, split: Split) -> Mapping[str, Setting]:
        """Return everything that decides what the trained model is: name, version, training events, settings."""
        name = {"model": self.name, "training_version": self.training_version}
        data = content_hash(split.dataset.users, split.dataset.items, split.train)
        return {**name, "data": data, **self.settings}

    def file_name(self, split: Split) -> str:
        """Return a name for the checkpoint, which no other settings and no other training events give."""
        content = json.dumps(self.identity(split), sort_keys=True)
        return f"{self.name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.pt"

    @abstractmethod
    def learner(self, split: Split) -> Learner:
        """Return an untrained model for `split.train`; MissingError where its library is not installed."""

    def fitted(self, learner: Learner, split: Split) -> Fitted:
        """Return the learner as a fitted model, with its fallbacks for items and users without training events.

        The learner must have been made for this very split: it scores what follows the histories that it was made with.
        """
        known, name = preferences(split), f"the recall model {self.name}"
        if isinstance(learner, ItemLearner):
            return FittedByItem(known, lambda rows: learner.scores(rows)[:, known.items], learner, name=name)
        counts = known.popularity.astype(np.float64)
        untrained = np.count_nonzero(counts)  # the first such column
        has_events = np.diff(known.matrix.indptr) > 0

        def score(rows: NDArray[np.int32]) -> NDArray[np.float64]:
            dense = learner.scores(rows).take(known.items, axis=1).astype(np.float64)
            if untrained < len(counts) and not self.knows_new_items:
                dense[:, untrained:] = dense.min(axis=1, keepdims=True) - 1
            dense[~has_events[rows]] = counts
            return dense

        return Fitted(known, score, name=name)

    def quality(self, fitted: Fitted, wanted: Interactions) -> float:
        """Return the validation measure; higher is better."""
        return ndcg(fitted, wanted)

    def fit(
        self, split: Split, *, checkpoint: str | Path | None = None, on_epoch: OnEpoch = lambda epoch: None
    ) -> Fitted:
        """Return the model trained on `split.train`.

        The fitted model scores items without training events below all others (unless it `knows_new_items`), and
        proposes popular items to users without training events.

        Args:
            split: Only its training events are used.
            checkpoint: File to write after every epoch. If it exists, training continues from it and ends in the same
                model, or the finished model is loaded.
            on_epoch: Called after every epoch.

        Raises:
            InputError: too few training events; a loss that is not finite; a checkpoint of other training events,
                settings or training version, or one that cannot be read or written.
            MissingError: the library of the model is not installed.
        """
        return _Training(self, split, None if checkpoint is None else as_path(checkpoint, "checkpoint"), on_epoch).run()


@dataclass(slots=True)
class _Progress:
    """The content of a checkpoint."""

    stage: str = "search"
    """`search`, `refit` or `done`."""
    epoch: int = 0
    """Number of finished epochs of this stage."""
    state: State | None = None
    """The state after that epoch; None before the first."""
    best_epoch: int = 0
    best_value: float = -math.inf
    best_state: State | None = None
    history: list[list[Any]] = field(default_factory=list[list[Any]])
    """Stage, number, loss, validation measure, seconds and CPU seconds of every epoch."""


class _Training:
    def __init__(self, model: TrainedModel, split: Split, checkpoint: Path | None, on_epoch: OnEpoch) -> None:
        expect(split, Split, "a Split of a Dataset", "split")
        self.model, self.split, self.path, self.on_epoch = model, split, checkpoint, on_epoch
        if not len(split.train):
            raise InputError(f"{split.dataset.name} has no training events", hint="check the split")
        self.now = self._read()
        if self.path is not None and self.now.stage != "done":
            check_folder(self.path.parent)  # before an epoch is lost

    @cached_property
    def identity(self) -> Mapping[str, Setting]:
        return dict(self.model.identity(self.split))

    def run(self) -> Fitted:
        model, now = self.model, self.now
        if now.stage == "search" and (fitted := self._search()):
            return fitted
        learner = self._learner(self.split)
        while now.stage == "refit" and now.epoch < now.best_epoch:
            self._epoch(learner, now.best_epoch, lambda: None)
        if now.stage != "done":
            now.stage, now.best_state = "done", None
            self._write()
        return model.fitted(learner, self.split)

    def _search(self) -> Fitted | None:
        """Train until the validation measure no longer improves. Without validation, return the model: it has learned
        from all events."""
        model, now, validated = self.model, self.now, self.model.validation_users > 0
        inner = self.split
        if validated:
            inner = hold_out(self.split, model.validation_users, model.seed, model.alternatives)
        learner = self._learner(inner)
        fitted = model.fitted(learner, inner)

        def validate() -> float | None:
            return model.quality(fitted, inner.test) if validated and now.epoch > model.first_stage else None

        while now.epoch < model.epochs and now.epoch - now.best_epoch < model.patience:
            self._epoch(learner, model.epochs, validate)
        if model.refit and validated:
            now.stage, now.epoch, now.state = "refit", 0, None
        else:
            now.stage, now.state = "done", now.best_state or now.state
        self._write()
        return None if validated else fitted

    def _learner(self, split: Split) -> Learner:
        learner = self.model.learner(split)
        if self.now.state is not None:
            learner.restore(self.now.state)
        return learner

    def _epoch(self, learner: Learner, at_most: int, validate: Callable[[], float | None]) -> None:
        now, started, busy = self.now, time.perf_counter(), time.process_time()
        loss = learner.epoch(now.epoch + 1)
        if not math.isfinite(loss):
            rates = [name for name in self.model.settings if name.endswith("_rate") or name == "alpha"]
            hint = f"lower {' or '.join(rates)}"
            if now.epoch and self.path is not None:
                hint += "; the checkpoint still has the previous epoch"
            raise InputError(f"the loss of {self.model.name} is {loss} after epoch {now.epoch + 1}", hint=hint)
        now.epoch += 1
        now.state = learner.state()
        value = validate()
        best = value is not None and value > now.best_value
        if value is not None and best:
            now.best_epoch, now.best_value, now.best_state = now.epoch, value, now.state
        elif value is None and now.stage == "search":
            now.best_epoch = now.epoch  # without validation, there is no early stopping
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
        now.history.append([now.stage, now.epoch, loss, value, seconds, busy])
        self._write()
        left = (at_most - now.epoch) * statistics.mean(line[4] for line in now.history if line[0] == now.stage)
        name, measure = self.model.name, self.model.quality_name
        self.on_epoch(Epoch(name, now.stage, now.epoch, at_most, loss, measure, value, best, seconds, busy, left))

    def _read(self) -> _Progress:
        if self.path is None or not self.path.exists():
            return _Progress()
        content = read_checkpoint(self.path)
        if changed := differences(content["identity"], self.identity):
            problem = "this checkpoint belongs to another training: " + "; ".join(changed)
            raise InputError(problem, path=self.path, hint="choose another file, or delete this one")
        return _Progress(**content["progress"])

    def _write(self) -> None:
        if self.path is not None:
            write_checkpoint(self.path, {"identity": self.identity, "progress": asdict(self.now)})


def hold_out(split: Split, most: int, seed: int, alternatives: str = "") -> Split:
    """Split the training events again, holding out the last event of up to `most` users.

    Users with fewer than 3 training events keep them all. Raises InputError, which names models that need less data
    (`alternatives`), if fewer than 10 users have 3 or more.
    """
    train = split.train
    left, count = events_left(train)
    users = np.unique(train.user[count >= LEAST_EVENTS])
    if len(users) < LEAST_VALIDATION_USERS:
        having = count_of(len(users), "user has", "users have")
        problem = f"too little data for validation: {having} {LEAST_EVENTS} or more training events"
        hint = f"use more data{alternatives}; or, from Python, validation_users=0 and a fixed number of epochs"
        raise InputError(f"{problem}, and {LEAST_VALIDATION_USERS} are needed", hint=hint)
    if len(users) > most:
        users = np.sort(np.random.default_rng(seed).choice(users, most, replace=False))
    held = (left == 0) & np.isin(train.user, users)
    return Split(split.dataset, train.take(~held), train.take(held), f"{split.name}, validation", split.note)


def ndcg(model: Fitted, wanted: Interactions) -> float:
    """Return NDCG@10 for one wanted event per user, over the full catalogue without seen items."""
    items, _ = model.recommend(wanted.user, VALIDATION_K)
    _, places = np.nonzero(items == wanted.item[:, None])
    return float((1 / np.log2(places + 2)).sum() / len(wanted))


library = partial(module_of, "recall")
"""Returns a module of the extra `recall` (see `module_of`)."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint. Raises InputError if it is invalid or corrupt."""
    library("torch")
    return files.read_checkpoint(path, _Progress)
