"""Training of a model that answers a prompt: LoRA, and the label of the right answer as the target.

The prompts are those of an evaluation, token for token. What is learned is the log-probability that the method reads:
that of a candidate's letter (LlamaRec, 2311.02089 §3.3), of yes or no (TALLRec, 2305.00447 §3.2), of a rating. Ratings
are learned as classes or by regression (Kang et al. 2023, 2305.06474), both through their labels, so that no other head
is needed where the model is asked.
"""

from __future__ import annotations

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

from llmrank.backends.adapter import CARD, PROMPT
from llmrank.backends.decoder import linear_names, open_language_model, save_lora, with_lora
from llmrank.backends.models import Model
from llmrank.backends.vllm import VllmBackend
from llmrank.engine import rank_alone
from llmrank.errors import InputError
from llmrank.evaluation.cases import CaseSet, cases_hash, reachable
from llmrank.evaluation.fusing import MEASURE
from llmrank.evaluation.method import Method
from llmrank.files import write_json
from llmrank.finetune.export import SftExample, sft_examples, solved_data
from llmrank.finetune.loop import Weights, batches_by_length, train
from llmrank.finetune.settings import PromptTraining
from llmrank.finetune.titles import check_validation, mean_value
from llmrank.progress import Say
from llmrank.rankers.order import Order
from llmrank.types import Request, Response

LEAST_EXAMPLES = 16
Loss = Callable[[Tensor, "Sequence[Example]"], Tensor]
"""The mean loss of examples, from float32[examples, vocabulary], what the model says after each prompt."""


@dataclass(frozen=True, slots=True)
class AskedCases:
    """Cases, and how a model is asked about them."""

    cases: CaseSet
    method: Method

    def examples(self, order: Order) -> list[SftExample]:
        """Return the solved prompts; of a ranking, those whose relevant item is among the candidates."""
        assert self.method.prompt is not None
        cases = self.cases.cases if self.cases.task == "rating" else reachable(self.cases)
        return list(sft_examples(cases, self.method.prompt, order.arrange))


@dataclass(frozen=True, slots=True)
class Example:
    """The tokens of a prompt, and its right answer."""

    tokens: tuple[int, ...]
    labels: tuple[int, ...]
    """The tokens of the labels that are read."""
    right: float
    """The place of the right label, counted from 0; in a regression the rating."""
    ratings: tuple[float, ...] = ()
    """In a regression: what the labels stand for."""


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
    """Train an adapter and return its card. The folder `out` then holds the adapter in the PEFT format, and the card.

    Where the method shows candidates shuffled, each pass over the data shows them in another shuffle. NDCG@10 on the
    validation Cases, whose relevant items or ratings are in none of `learned`, decides which weights are kept; for
    ratings it is the mean log-probability of the right one, in a regression the RMSE. `backend` tells the model's
    tokens; its engine is not started.

    A training that was stopped continues from its last checkpoint when it is called again with the same arguments; a
    finished one returns its card. Lines about progress, with the time that is left, go to `say`.

    Raises:
        InputError: a prompt whose answers are read as text, or for a regression otherwise than as expected ratings;
            too few examples or validation Cases; a prompt that does not fit the model; `out` holds another training;
            the loss is no number any more; the disk is full.
        FatalBackendError: a label is several tokens of this model.
        KeyboardInterrupt: interrupted; `say` was told from where the same call continues.
    """
    assert validation.method.prompt is not None
    if settings.regression and (answer := validation.method.prompt.answer.name) != "expected_rating":
        hint = "use a rating prompt with --answer expected_rating, or leave the regression out"
        raise InputError(f"no rating is expected of answers read as {answer!r}", field="regression", hint=hint)
    identity = _identity(model, learned, validation, settings)
    if validation.cases.task == "ranking":
        check_validation(validation.cases)
    make = partial(PromptObjective, model, backend, learned, validation, settings, say)
    return train(make, settings, out, identity, len(validation.cases), say=say)


def _identity(
    model: Model, learned: Sequence[AskedCases], validation: AskedCases, settings: PromptTraining
) -> dict[str, Any]:
    """What makes a training this one."""
    plain = {name: value for name, value in asdict(settings).items() if name != "checkpoint_seconds"}
    asked = validation.method.settings
    return {
        "kind": PROMPT,
        "base": {"name": model.name, "revision": model.revision},
        "prompt": {name: asked[name] for name in ("prompt", "template_sha256", "answer", "ranker", "order")},
        "settings": plain,
        "data": {
            **solved_data(validation.cases),
            "cases_sha256": [cases_hash(one.cases.cases) for one in learned],
            "cases": sum(len(one.cases) for one in learned),
            "validation_sha256": cases_hash(validation.cases.cases),
        },
    }


class PromptObjective:
    """Predicts the label of the right answer; in a regression, a rating near the right one."""

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
        """Those of the first pass."""
        self.targets = len(self._first)
        if self.targets < LEAST_EXAMPLES:
            problem = f"there are {self.targets} examples; at least {LEAST_EXAMPLES} are needed"
            hint = "use more users, longer candidate lists (-k), or more events of each (--targets)"
            raise InputError(problem, field="data", hint=hint)
        say(f"{self.targets:,} examples; opening {model.name}")
        torch.manual_seed(settings.seed)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        whole = open_language_model(model.folder, cast(torch.dtype, getattr(torch, settings.dtype)))
        cast(nn.Module, whole).to(self._device)
        self._decoder = whole.base_model
        self._head = cast(nn.Module, whole.get_output_embeddings())
        layers = int(cast(Any, whole.config).num_hidden_layers)
        tuned = settings.tuned_layers or layers
        if tuned > layers:
            hint = f"use at most {layers}; 0: all"
            raise InputError(f"{model.name} has {layers} layers", field="tuned_layers", hint=hint)
        upper = None if tuned == layers else range(layers - tuned, layers)
        self._model = with_lora(whole, settings.rank, linear_names(self._decoder), upper)
        self.weights = Weights(self._model)

    def _kind(self, rating: bool, regression: bool) -> tuple[Loss, Callable[[], float], str]:
        """Return the loss, the validation, of which more is better, and its name."""
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
            problem = f"the prompt has {len(tokens)} tokens, and {self._base} holds {most} with the answer"
            hint = "show fewer candidates (-k), or a shorter history (--history)"
            raise InputError(problem, user=example.user_id, field="prompt", hint=hint)
        known = tuple(self._backend.label_ids(labels))
        if self._settings.regression:
            return Example(tuple(tokens), known, float(right), tuple(map(float, labels)))
        return Example(tuple(tokens), known, labels.index(right))

    def batches(self, epoch: int) -> Iterator[list[Example]]:
        """Yield the examples of an epoch in batches of like length."""
        draw = np.random.default_rng([self._settings.seed, epoch])
        examples = self._examples(self._learned, epoch) if epoch else self._first
        shuffled = [examples[number] for number in draw.permutation(len(examples))]
        batches = list(batches_by_length([len(one.tokens) for one in shuffled], self._settings.tokens))
        for number in draw.permutation(len(batches)):
            yield [shuffled[index] for index in batches[number]]

    # --- what is computed

    def _logits(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Return float32[prompts, vocabulary]: what the model says after each prompt."""
        # Padding on the right is never seen by what stands before it, so no attention mask is needed.
        tokens = pad_sequence([torch.tensor(one) for one in prompts], batch_first=True)
        lengths = torch.tensor([len(one) for one in prompts])
        states = self._decoder(input_ids=tokens.to(self._device), use_cache=False).last_hidden_state
        return self._head(states[torch.arange(len(prompts)), lengths - 1]).float()

    def loss(self, batch: Sequence[Example]) -> tuple[Tensor, int]:
        """Return the mean loss of the examples, and how many they are."""
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
        method, cases = self._validation.method, reachable(self._validation.cases)
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
    """Return the cross-entropy of the right labels among all tokens: the labels together are to be likely too."""
    right = torch.tensor([one.labels[int(one.right)] for one in batch], device=logits.device)
    return functional.cross_entropy(logits, right)


def squared_error(logits: Tensor, batch: Sequence[Example]) -> Tensor:
    """Return the mean squared distance between the right rating and the expected one (`expected_rating`)."""
    ratings = torch.tensor([one.ratings for one in batch], device=logits.device)
    right = torch.tensor([one.right for one in batch], device=logits.device)
    expected = (functional.softmax(_of_labels(logits, batch), -1) * ratings).sum(-1)
    return functional.mse_loss(expected, right)


def regression_loss(logits: Tensor, batch: Sequence[Example]) -> Tensor:
    """Return the squared error, and what keeps the labels likely together: an answer that is none would be a repair."""
    outside = logits.logsumexp(-1) - _of_labels(logits, batch).logsumexp(-1)
    return squared_error(logits, batch) + outside.mean()


def _of_labels(logits: Tensor, batch: Sequence[Example]) -> Tensor:
    """Return float32[examples, labels]: the logits of the labels."""
    return logits.gather(1, torch.tensor([one.labels for one in batch], device=logits.device))


def right_label(example: SftExample, regression: bool = False) -> str:
    """Return the label of an example's right answer, in a regression the rating, which need be none of them.

    Raises InputError where no label is read, or none is right.
    """
    labels, right = example.request.labels, example.completion.removesuffix(".")
    if not labels:
        raise InputError(
            "the answers to this prompt are read as text, and what is trained here is the log-probability of a label",
            field="prompt",
            hint="use first-token, llamarec, tallrec, pointwise-yes-no, or another prompt with `label_logprobs`, "
            "`yes_no` or `expected_rating`; for texts write a file for another trainer: `llmrank export-sft`",
        )
    if regression:
        return right
    if (found := next((label for label in labels if label.strip() == right), None)) is None:
        problem = f"the right answer {right!r} is none of the labels {', '.join(labels)}"
        hint = "use data whose ratings are whole numbers, or a regression (--regression)"
        raise InputError(problem, user=example.user_id, field="answer", hint=hint)
    return found
