"""Training a model for a prompt: LoRA, with the label of the correct answer as the target.

The prompts are those of an evaluation, token for token. Training maximises the log-probability that the method reads:
that of a candidate's letter (LlamaRec, 2311.02089 §3.3), of yes or no (TALLRec, 2305.00447 §3.2), or of a rating.
Ratings are learned as classes or by regression (Kang et al. 2023, 2305.06474), both through their labels, so that
inference needs no other head.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from llmrank.backends.adapter import CARD, PROMPT, learned_events
from llmrank.backends.decoder import linear_names, open_language_model, save_lora, with_lora
from llmrank.backends.models import Model
from llmrank.backends.vllm import VllmBackend
from llmrank.engine import rank_alone
from llmrank.errors import InputError, count_of
from llmrank.evaluation.cases import CaseSet, cases_hash, reachable
from llmrank.evaluation.fusing import MEASURE
from llmrank.evaluation.method import Method
from llmrank.evaluation.training_data import asked_for
from llmrank.files import write_json
from llmrank.finetune.export import SftExample, check_answer, sft_examples, solved_data
from llmrank.finetune.loop import Weights, batches_by_length, train
from llmrank.finetune.settings import PromptTraining
from llmrank.finetune.titles import PROPOSED, check_validation, mean_value
from llmrank.progress import Say
from llmrank.rankers.order import Order
from llmrank.types import Case, Request, Response

LEAST_EXAMPLES = 16
Loss = Callable[[Tensor, "Sequence[Example]"], Tensor]
"""Returns the mean loss of examples from float32[examples, vocabulary], the logits after each prompt."""


@dataclass(frozen=True, slots=True)
class AskedCases:
    """Cases, and the method for them."""

    cases: CaseSet
    method: Method

    @property
    def solved(self) -> Sequence[Case]:
        """The Cases with a correct answer: for a ranking, those with a relevant candidate."""
        return self.cases.cases if self.cases.task == "rating" else reachable(self.cases)

    def examples(self, order: Order) -> list[SftExample]:
        """Return the prompts with their correct answers."""
        assert self.method.prompt is not None
        return list(sft_examples(self.solved, self.method.prompt, order.arrange))


@dataclass(frozen=True, slots=True)
class Example:
    """The tokens of a prompt, and its correct answer."""

    tokens: tuple[int, ...]
    labels: tuple[int, ...]
    """The tokens of the labels."""
    right: float
    """Index of the correct label; in a regression, the rating."""
    ratings: tuple[float, ...] = ()
    """In a regression: the ratings of the labels."""
    history_dropped: int = 0
    """Number of oldest events that the prompt lacks, to fit the context length."""


def train_prompt(
    model: Model,
    backend: VllmBackend,
    learned: Sequence[AskedCases],
    validation: AskedCases,
    out: Path,
    settings: PromptTraining,
    *,
    say: Say,
) -> Mapping[str, Any]:
    """Train an adapter, and return its card. `out` then contains the adapter in PEFT format, and the card.

    If the method shuffles candidates, each epoch uses a different shuffle. The weights with the best NDCG@10 on the
    validation Cases are kept; for ratings, the best mean log-probability of the correct rating, or in a regression the
    best RMSE. The relevant items and ratings of the validation Cases are not in `learned`. `backend` provides the
    tokens; its engine is not started.

    Repeating the call continues a stopped training from its last checkpoint, or returns the card of a finished one.
    `say` receives progress messages with the remaining time.

    Raises:
        InputError: a prompt with text answers, or for a regression without expected ratings; too few examples or
            validation Cases; a prompt that does not fit the model; `out` has another training; the loss is not finite;
            the disk is full.
        FatalBackendError: a label is not a single token of the model.
        KeyboardInterrupt: interrupted; `say` received the point from which the same call continues.
    """
    check_answer(validation.method, regression=settings.regression)
    identity = _identity(model, learned, validation, settings)
    check_validation(len(validation.solved), "with a rating" if validation.cases.task == "rating" else PROPOSED)
    make = partial(PromptObjective, model, backend, learned, validation, settings, say)
    events: dict[str, set[str]] = {}
    for case in (case for one in (*learned, validation) for case in one.solved):
        events.setdefault(case.user_id, set()).update(asked_for(case))
    record = learned_events(events, events.__getitem__)
    return train(make, settings, out, identity, len(validation.solved), record, say=say)


def _identity(
    model: Model, learned: Sequence[AskedCases], validation: AskedCases, settings: PromptTraining
) -> dict[str, Any]:
    """Return what identifies a training."""
    plain = {name: value for name, value in asdict(settings).items() if name != "checkpoint_seconds"}
    # As the card has it: JSON has no tuples.
    asked = json.loads(json.dumps(dict(validation.method.settings)))
    return {
        "kind": PROMPT,
        "base": {"name": model.name, "revision": model.revision},
        "prompt": asked,
        "settings": plain,
        "data": {
            **solved_data(validation.cases),
            "cases_sha256": [cases_hash(one.cases.cases) for one in learned],
            "cases": sum(len(one.cases) for one in learned),
            "validation_sha256": cases_hash(validation.cases.cases),
        },
    }


class PromptObjective:
    """Predicts the label of the correct answer; in a regression, the rating."""

    def __init__(
        self,
        model: Model,
        backend: VllmBackend,
        learned: Sequence[AskedCases],
        validation: AskedCases,
        settings: PromptTraining,
        say: Say,
    ) -> None:
        self._backend, self._learned, self._validation = backend, learned, validation
        self._settings, self._base = settings, model.name
        self._loss, self.validate, self.measure = self._kind(validation.cases.task == "rating", settings.regression)
        self._first = self._examples(learned, 0)
        """The examples of the first epoch."""
        self.targets = len(self._first)
        if self.targets < LEAST_EXAMPLES:
            problem = f"examples made: {self.targets}; at least {LEAST_EXAMPLES} are needed"
            hint = "use more users, longer candidate lists (-k), or more events per user (--targets)"
            raise InputError(problem, field="data", hint=hint)
        if dropped := sum(one.history_dropped for one in self._first):
            say(f"{count_of(dropped, 'oldest event')} dropped from the prompts, to fit the context window")
        say(f"{count_of(self.targets, 'example')}; opening {model.name}")
        torch.manual_seed(settings.seed)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        whole = open_language_model(model.folder, cast(torch.dtype, getattr(torch, settings.dtype)))
        cast(nn.Module, whole).to(self._device)
        self._decoder = whole.base_model
        self._head = cast(nn.Module, whole.get_output_embeddings())
        layers = int(cast(Any, whole.config).num_hidden_layers)
        tuned = settings.tuned_layers or layers
        if tuned > layers:
            hint = f"use at most {layers}, or 0 for all"
            raise InputError(f"{model.name} has only {count_of(layers, 'layer')}", field="tuned_layers", hint=hint)
        upper = None if tuned == layers else range(layers - tuned, layers)
        self._model = with_lora(whole, settings.rank, linear_names(self._decoder), upper)
        self.weights = Weights(self._model)

    def _kind(self, rating: bool, regression: bool) -> tuple[Loss, Callable[[], float], str]:
        """Return the loss, the validation function (higher is better), and its name."""
        if not rating:
            return label_loss, self._ndcg, str(MEASURE)
        if regression:
            return regression_loss, lambda: -math.sqrt(self._mean(squared_error)), "negative RMSE"
        return label_loss, lambda: -self._mean(label_loss), "log-likelihood"

    # --- what is asked

    def _examples(self, asked: Iterable[AskedCases], epoch: int) -> list[Example]:
        found: list[Example] = []
        for one in asked:
            order = one.method.order
            again = replace(order, number=order.number + epoch) if order.is_shuffled else order
            found += [self._tokens(example) for example in one.examples(again)]
        return found

    def _tokens(self, example: SftExample) -> Example:
        labels, right = example.request.labels, right_label(example, self._settings.regression)
        tokens = self._backend.prompt_ids(example.request)
        most = self._backend.context_length
        if most is not None and len(tokens) >= most:
            problem = f"the prompt has {len(tokens)} tokens, but {self._base} has a context of {most}"
            hint = "show fewer candidates (-k), or a shorter history (--history)"
            raise InputError(problem, user=example.user_id, field="prompt", hint=hint)
        known = tuple(self._backend.label_ids(labels))
        regression = self._settings.regression
        return Example(
            tuple(tokens),
            known,
            float(right) if regression else labels.index(right),
            tuple(map(float, labels)) if regression else (),
            example.history_dropped,
        )

    def batches(self, epoch: int) -> Iterator[list[Example]]:
        """Yield the examples of an epoch in batches of similar length."""
        draw = np.random.default_rng([self._settings.seed, epoch])
        examples = self._examples(self._learned, epoch) if epoch else self._first
        shuffled = [examples[number] for number in draw.permutation(len(examples))]
        batches = list(batches_by_length([len(one.tokens) for one in shuffled], self._settings.tokens))
        for number in draw.permutation(len(batches)):
            yield [shuffled[index] for index in batches[number]]

    def tokens(self, batch: Sequence[Example]) -> int:
        """Return the number of tokens of the prompts."""
        return sum(len(one.tokens) for one in batch)

    # --- what is computed

    def _logits(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Return the logits after each prompt, float32[prompts, vocabulary]."""
        # With causal attention, tokens never see padding on their right, so no attention mask is needed.
        tokens = pad_sequence([torch.tensor(one) for one in prompts], batch_first=True)
        lengths = torch.tensor([len(one) for one in prompts])
        states = self._decoder(input_ids=tokens.to(self._device), use_cache=False).last_hidden_state
        return self._head(states[torch.arange(len(prompts)), lengths - 1]).float()

    def loss(self, batch: Sequence[Example]) -> tuple[Tensor, int]:
        """Return the mean loss and the number of the examples."""
        return self._loss(self._logits([one.tokens for one in batch]), batch), len(batch)

    @torch.inference_mode()
    def _answer(self, requests: Sequence[Request]) -> list[Response]:
        """Return the log-probability of each label, as vLLM would."""
        prompts = [self._backend.prompt_ids(request) for request in requests]
        found: dict[int, Response] = {}
        for batch in batches_by_length([len(one) for one in prompts], self._settings.tokens):
            known = functional.log_softmax(self._logits([prompts[index] for index in batch]), -1).cpu()
            for row, index in enumerate(batch):
                labels = requests[index].labels
                logprobs: list[float] = known[row, self._backend.label_ids(labels)].tolist()
                found[index] = Response("", label_logprobs=dict(zip(labels, logprobs, strict=True)))
        return [found[index] for index in range(len(requests))]

    def _ndcg(self) -> float:
        method, cases = self._validation.method, self._validation.solved
        self._model.eval()
        rankings = [rank_alone(case, method.ranker, method.order.arrange, self._answer).ranking for case in cases]
        self._model.train()
        return mean_value(rankings, cases)

    @torch.inference_mode()
    def _mean(self, loss: Loss) -> float:
        """Return the mean of a loss over the validation examples."""
        self._model.eval()
        examples, total = self._examples([self._validation], 0), 0.0
        for places in batches_by_length([len(one.tokens) for one in examples], self._settings.tokens):
            batch = [examples[place] for place in places]
            total += loss(self._logits([one.tokens for one in batch]), batch).item() * len(batch)
        self._model.train()
        return total / len(examples)

    def save(self, out: Path, card: Mapping[str, Any]) -> None:
        """Write the adapter and the card."""
        save_lora(out, self._model, self._base)
        write_json(out / CARD, card)


def label_loss(logits: Tensor, batch: Sequence[Example]) -> Tensor:
    """Return the cross-entropy of the correct labels among all tokens, so that the labels as a whole become likely."""
    right = torch.tensor([one.labels[int(one.right)] for one in batch], device=logits.device)
    return functional.cross_entropy(logits, right)


def squared_error(logits: Tensor, batch: Sequence[Example]) -> Tensor:
    """Return the mean squared error of the expected rating (`expected_rating`)."""
    ratings = torch.tensor([one.ratings for one in batch], device=logits.device)
    right = torch.tensor([one.right for one in batch], device=logits.device)
    expected = (functional.softmax(_of_labels(logits, batch), -1) * ratings).sum(-1)
    return functional.mse_loss(expected, right)


def regression_loss(logits: Tensor, batch: Sequence[Example]) -> Tensor:
    """Return the squared error plus a term that keeps the labels likely: an answer outside them would be a repair."""
    outside = logits.logsumexp(-1) - _of_labels(logits, batch).logsumexp(-1)
    return squared_error(logits, batch) + outside.mean()


def _of_labels(logits: Tensor, batch: Sequence[Example]) -> Tensor:
    """Return the logits of the labels, float32[examples, labels]."""
    return logits.gather(1, torch.tensor([one.labels for one in batch], device=logits.device))


def right_label(example: SftExample, regression: bool = False) -> str:
    """Return the label of an example's correct answer; in a regression, the rating, which need not be a label.

    Raises InputError if no label is correct.
    """
    labels, right = example.request.labels, example.completion.removesuffix(".")
    if regression:
        return right
    if (found := next((label for label in labels if label.strip() == right), None)) is None:
        problem = f"the correct answer {right!r} is not among the labels {', '.join(labels)}"
        hint = "use data with integer ratings, or a regression (--regression)"
        raise InputError(problem, user=example.user_id, field="answer", hint=hint)
    return found
