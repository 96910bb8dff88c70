"""A small language model that continues sequences of titles.

The first layers of the model read each title; an item is represented by the mean of its tokens' hidden states. The same
model, with a LoRA adapter, reads the history as a sequence of such vectors, one position per event. The state at the
last position is compared with the candidates. An item thus takes one position instead of the ten or more tokens of its
title, and an unseen title is scored like any other. This is the construction of HLLM (2409.12740 §3), with one small
model in both roles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from llmrank.backends.adapter import CARD, NEXT_TITLE, check_base, read_card
from llmrank.backends.decoder import LORA, LORA_CONFIG, open_base, open_causal, save_lora, training_module
from llmrank.backends.models import Model
from llmrank.backends.titles import TitleShape
from llmrank.errors import InputError
from llmrank.files import write_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PROJECTION = "projection.safetensors"
TITLE_TOKENS = 40
"""Maximum tokens of a title; longer ones, in practice only product names in shops, are truncated."""
TITLES_AT_ONCE = 32


class TitleReader:
    """Reads titles with the unmodified language model, and caches the results."""

    def __init__(self, decoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, layers: int) -> None:
        self._decoder, self._tokenizer, self._layers = decoder, tokenizer, layers
        self._known: dict[str, Tensor] = {}

    def read(self, texts: Sequence[str]) -> Tensor:
        """Return float32[texts, 2, width]: the mean of the token embeddings, and of the hidden states after `layers`.

        The first token's hidden state is left out: models use it as an attention sink, and it carries no information
        about the title.
        """
        new = {text: self._ids(text) for text in texts if text not in self._known}
        # The last bits of a state depend on the texts beside it: the batches must not depend on the order of `texts`.
        order = sorted(new, key=lambda text: (len(new[text]), text))
        for start in range(0, len(order), TITLES_AT_ONCE):
            batch = order[start : start + TITLES_AT_ONCE]
            self._known.update(zip(batch, self._read([new[text] for text in batch]), strict=True))
        return torch.stack([self._known[text] for text in texts])

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False)[:TITLE_TOKENS] or [0]

    @torch.inference_mode()
    def _read(self, ids: Sequence[Sequence[int]]) -> Tensor:
        # Attention is causal, so padding on the right has no effect and needs no mask.
        tokens = pad_sequence([torch.tensor(one) for one in ids], batch_first=True)
        there = pad_sequence([torch.ones(len(one)) for one in ids], batch_first=True)
        states = self._decoder(input_ids=tokens, output_hidden_states=True, use_cache=False).hidden_states
        deep = there.clone()
        deep[:, 0] = (there.sum(1) == 1).float()
        shallow, hidden = states[0].float(), states[self._layers].float()
        return torch.stack([_mean(shallow, there), _mean(hidden, deep)], 1).clone()


def _mean(states: Tensor, weights: Tensor) -> Tensor:
    return (states * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)


class Projection(nn.Module):
    """Maps the representation of a title to the item as an input and as an output: two linear maps around a mean.

    There are no parameters per item.
    """

    mean: Tensor

    def __init__(self, mean: Tensor, into: Tensor, out: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.into, self.out = nn.Parameter(into), nn.Parameter(out)

    def forward(self, read: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs [items, width] and the outputs [items, width + 1], whose last column is the bias."""
        hidden = read[:, 1] - self.mean
        return read[:, 0] + hidden @ self.into.T, hidden @ self.out.T


def open_body(folder: Path, layers: int, dtype: torch.dtype) -> PreTrainedModel:
    """Return the decoder layers that read the history. They take vectors, so the token embeddings are dropped."""
    decoder, _, _ = open_causal(folder, layers, dtype)
    width = int(cast(Any, decoder.config).hidden_size)
    decoder.set_input_embeddings(nn.Embedding(1, width, dtype=dtype))
    return decoder


def last_states(body: nn.Module, inputs: Tensor) -> Tensor:
    """Return float32[rows, positions, width], of unit mean square: the model's state after each event."""
    states: Tensor = body(inputs_embeds=inputs, use_cache=False).last_hidden_state
    return functional.rms_norm(states.float(), (states.shape[-1],))


class TitleModel:
    """A trained model that scores candidates by their titles."""

    def __init__(
        self, reader: TitleReader, body: nn.Module, projection: Projection, window: int, dtype: torch.dtype
    ) -> None:
        self.reader, self.body, self.projection = reader, body, projection
        self._window, self._dtype = window, dtype

    @torch.inference_mode()
    def scores(self, history: Sequence[str], candidates: Sequence[str]) -> list[float]:
        """Return a score per candidate: its log-probability of being next, up to a constant per user.

        The history is read once, whatever the number of candidates. An empty history is read as one empty event.

        Raises InputError if a score is not finite.
        """
        newest = history[-self._window :]
        texts = [*newest, *candidates]
        inputs, outputs = self.projection(self.reader.read(texts)) if texts else (torch.empty(0), torch.empty(0))
        seen = inputs[: len(newest)] if newest else torch.zeros(1, self.projection.mean.shape[0])
        state = last_states(self.body, seen[None].to(self._dtype))[0, -1]
        wanted = outputs[len(newest) :]
        scores = wanted[:, :-1] @ state + wanted[:, -1]
        if not scores.isfinite().all():
            hint = "train with a lower learning rate"
            raise InputError("the model's scores are not finite: its training diverged", field="adapter", hint=hint)
        return cast("list[float]", scores.tolist())


def save_adapter(folder: Path, body: nn.Module, projection: Projection, card: Mapping[str, object]) -> None:
    """Write the adapter (in the PEFT format), the projection and the card into `folder`, in bfloat16.

    Raises OSError on disk errors.
    """
    from safetensors.torch import save_file

    save_lora(folder, body, cast("Mapping[str, str]", card["base"])["name"])
    tensors = {"mean": projection.mean, "into": projection.into, "out": projection.out}
    halves = {name: one.detach().to(torch.bfloat16).contiguous() for name, one in tensors.items()}
    save_file(halves, folder / PROJECTION)
    write_json(folder / CARD, card)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file as float32; raise InputError if it is incomplete or a value is not finite."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = {name: one.float() for name, one in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise _incomplete(path, error) from error
    if broken := [name for name, one in tensors.items() if not one.isfinite().all()]:
        raise _incomplete(path, f"{broken[0]} holds values that are not finite")
    return tensors


def _incomplete(path: Path, error: Exception | str) -> InputError:
    return InputError(f"the adapter is incomplete: {error}", path=path, hint="copy it again, or train it again")


def load_lora(folder: Path, tuned: nn.Module) -> dict[str, Tensor]:
    """Return an adapter's LoRA weights; raise InputError if they are incomplete, or not those of this model."""
    weights = load_tensors(folder / LORA)
    peft = training_module("peft")
    # PEFT ignores missing weights. The vocabulary never grows, so it need not ask the hub about it.
    own = peft.get_peft_model_state_dict(tuned, save_embedding_layers=False)
    if {name: one.shape for name, one in weights.items()} != {name: one.shape for name, one in own.items()}:
        raise _incomplete(folder / LORA, "its weights are not those of the layers that its card names")
    return weights


def load_adapter(folder: Path, base: Model, dtype: torch.dtype = torch.float32) -> TitleModel:
    """Return the model of an adapter on its base model, computing in `dtype`.

    Raises InputError if the adapter was trained on another base model (see `check_base`) or is incomplete, and
    MissingError if a package is missing.
    """
    card = read_card(folder, NEXT_TITLE)
    check_base(card, base, folder)
    peft = training_module("peft")
    from safetensors import SafetensorError

    # PEFT would otherwise look for a missing file on the hub.
    if not (folder / LORA_CONFIG).is_file():
        raise _incomplete(folder / LORA_CONFIG, "the file is missing")
    tensors = load_tensors(folder / PROJECTION)
    try:
        shape = TitleShape(**card["shape"])
        body = open_body(base.folder, shape.layers, dtype)
        tuned = peft.PeftModel.from_pretrained(body, str(folder))
        load_lora(folder, tuned)
        body = tuned.merge_and_unload()
        projection = Projection(tensors["mean"], tensors["into"], tensors["out"])
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise _incomplete(folder, error) from error
    decoder, tokenizer = open_base(base.folder, shape.item_layers, dtype)
    reader = TitleReader(decoder, tokenizer, shape.item_layers)
    return TitleModel(reader, body.eval(), projection, shape.window, dtype)
