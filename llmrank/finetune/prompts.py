"""Training of a model that answers a prompt: LoRA, and the label of the right answer as the target.

The prompts are those of an evaluation, token for token. What is learned is the log-probability that the method reads:
that of a candidate's letter (LlamaRec, 2311.02089 §3.3), of yes or no (TALLRec, 2305.00447 §3.2), of a rating.
"""

from __future__ import annotations

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
    """The tokens of a prompt, and the token that is its right answer."""

    tokens: tuple[int, ...]
    right: int


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
    ratings it is the mean log-probability of the right one. `backend` tells the model's tokens; its engine is not
    started.

    A training that was stopped continues from its last checkpoint when it is called again with the same arguments; a
    finished one returns its card. Lines about progress, with the time that is left, go to `say`.

    Raises:
        InputError: a prompt whose answers are read as text; too few examples or validation Cases; a prompt that does
            not fit the model; `out` holds another training; the loss is no number any more; the disk is full.
        FatalBackendError: a label is several tokens of this model.
        KeyboardInterrupt: interrupted; `say` was told from where the same call continues.
    """
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
    """Predicts the label of the right answer."""

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
        rating = validation.cases.task == "rating"
        self.measure = "log-likelihood" if rating else str(MEASURE)
        self.validate: Callable[[], float] = self._likelihood if rating else self._ndcg
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

    # --- what is asked

    def _examples(self, asked: Iterable[AskedCases], epoch: int) -> list[Example]:
        found: list[Example] = []
        for one in asked:
            order = one.method.order
            again = replace(order, number=order.number + epoch) if order.is_shuffled else order
            found += [self._tokens(example) for example in one.examples(again)]
        return found

    def _tokens(self, example: SftExample) -> Example:
        label = right_label(example)
        tokens = self._backend.prompt_ids(example.request)
        most = self._backend.context_length
        if most is not None and len(tokens) >= most:
            problem = f"the prompt has {len(tokens)} tokens, and {self._base} holds {most} with the answer"
            hint = "show fewer candidates (-k), or a shorter history (--history)"
            raise InputError(problem, user=example.user_id, field="prompt", hint=hint)
        return Example(tuple(tokens), self._backend.label_ids([label])[0])

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
        """Return the cross-entropy of the right labels among all tokens: the labels together are to be likely too."""
        wanted = torch.tensor([one.right for one in batch], device=self._device)
        return functional.cross_entropy(self._logits([one.tokens for one in batch]), wanted), len(batch)

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
    def _likelihood(self) -> float:
        self._model.eval()
        examples, total = self._examples([self._validation], 0), 0.0
        for batch in batches_by_length([len(one.tokens) for one in examples], self._settings.tokens):
            loss, count = self.loss([examples[index] for index in batch])
            total += loss.item() * count
        self._model.train()
        return -total / len(examples)

    def save(self, out: Path, card: Mapping[str, Any]) -> None:
        """Write the adapter and the card."""
        save_lora(out, self._model, self._base)
        write_json(out / CARD, card)


def right_label(example: SftExample) -> str:
    """Return the label of an example's right answer; raises InputError where no label is read, or none is right."""
    labels, right = example.request.labels, example.completion.removesuffix(".")
    if not labels:
        raise InputError(
            "the answers to this prompt are read as text, and what is trained here is the log-probability of a label",
            field="prompt",
            hint="use first-token, llamarec, tallrec, pointwise-yes-no, or another prompt with `label_logprobs`, "
            "`yes_no` or `expected_rating`; for texts write a file for another trainer: `llmrank export-sft`",
        )
    if (found := next((label for label in labels if label.strip() == right), None)) is None:
        problem = f"the right answer {right!r} is none of the labels {', '.join(labels)}"
        hint = "use data whose ratings are whole numbers"
        raise InputError(problem, user=example.user_id, field="answer", hint=hint)
    return found
