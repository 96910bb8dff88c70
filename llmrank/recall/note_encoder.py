"""The network of NoteLLM: a language model with a LoRA adapter that reads the note compression prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from llmrank.backends.decoder import open_causal, whitened_basis, with_lora

if TYPE_CHECKING:
    from llmrank.recall.notellm import NoteLLM

COMPRESSION = ' The compression word is:"'
EMB = -1
"""Stands for the token `[EMB]`, which the model's vocabulary does not have."""
NOTE_TOKENS = 100
"""Tokens of an item's text that are read; the paper reads 20 of the title and 80 of the content."""
WHITENING = 0.8
"""How far the variances of what the untrained model says of the items are made equal."""
ITEMS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class NotePrompt:
    """The note compression prompt (section 4.1) for each item of a catalogue: `instruction`, the note, the compression
    word, `guidance`, the output."""

    instruction: str
    notes: Sequence[str]
    guidance: str
    outputs: Sequence[str]
    """Beside each note, what is generated; empty where nothing is."""


class NoteEncoder(nn.Module):
    """Maps items to embeddings. Its parameters are what is trained, in float32; the language model stays as it is."""

    mean: Tensor
    basis: Tensor

    def __init__(self, folder: Path, prompt: NotePrompt, model: NoteLLM) -> None:
        """Open the language model in `folder`, and read the catalogue once for the linear layer.

        Raises InputError for a model with too few layers, MissingError for a package that is not installed.
        """
        super().__init__()
        self._dtype = {"bfloat16": torch.bfloat16, "float32": torch.float32}[model.dtype]
        decoder, output, tokenizer = open_causal(folder, model.layers, self._dtype)
        vectors = cast(nn.Embedding, decoder.get_input_embeddings())
        adapted = with_lora(decoder, model.rank, "all-linear")
        # In a tuple: no submodules, so they are neither trained nor in the checkpoint.
        self._frozen = (adapted, vectors, output.requires_grad_(False))
        trained = {name: one for name, one in adapted.named_parameters() if one.requires_grad}
        self._names = list(trained)
        self.lora = nn.ParameterList([one.detach().float() for one in trained.values()])
        self.token = nn.Parameter(vectors.weight.detach().float().mean(0))
        self.temperature = nn.Parameter(torch.tensor(model.temperature))

        def tokens(text: str) -> list[int]:
            return tokenizer.encode(text, add_special_tokens=False)

        ends = [[one] if one is not None else [] for one in (tokenizer.bos_token_id, tokenizer.eos_token_id)]
        self._beginning = torch.tensor([[*cast("list[int]", ends[0]), *tokens(prompt.instruction)]])
        word = tokens(COMPRESSION)
        self._notes = [[*tokens(note)[:NOTE_TOKENS], *word] for note in prompt.notes]
        guidance = [EMB, *tokens(prompt.guidance)]
        self._guidance = len(guidance)
        self._outputs = [
            [*guidance, *tokens(text), *cast("list[int]", ends[1])] if text else [] for text in prompt.outputs
        ]
        basis, mean = whitened_basis(self._words(), WHITENING)
        basis = basis[:, : model.dimension]
        # Fixed, so that the linear layer behind it sees numbers of about 1 and can begin as what it is given.
        self.register_buffer("mean", mean)
        self.register_buffer("basis", basis * basis.shape[1] ** 0.5)
        self.projection = nn.Parameter(torch.eye(basis.shape[1]))

    def _project(self, words: Tensor) -> Tensor:
        """Return the embeddings of some states before `[EMB]`, not yet of length 1."""
        return (words - self.mean) @ self.basis @ self.projection

    def embed(self) -> Tensor:
        """Return the embeddings of the catalogue, float32[items, dimension], each of length 1; without gradients."""
        with torch.no_grad():
            return functional.normalize(self._project(self._words()), dim=1)

    def loss(self, queries: Tensor, others: Tensor, weight: float) -> Tensor:
        """Return (contrastive + weight x generation) / (1 + weight) of some pairs (section 4.3).

        Args:
            queries: int64[pairs], items from 0.
            others: Beside each query an item that is related to it.
            weight: Of the generation loss, the paper's alpha; 0: nothing is generated.
        """
        pairs = torch.cat([queries, others])
        items, places = cast("tuple[Tensor, Tensor]", torch.unique(pairs, return_inverse=True))
        rows = cast("list[int]", items.tolist())
        outputs = [self._outputs[row] if weight else [] for row in rows]
        states = self._states([self._notes[row] + output for row, output in zip(rows, outputs, strict=True)])
        starts = torch.tensor([len(self._notes[row]) for row in rows])
        embedded = self._project(states[torch.arange(len(rows)), starts - 1])[places]
        contrastive = contrastive_loss(embedded, pairs, self.temperature.exp())
        return (contrastive + weight * self._generation(states, starts.tolist(), outputs)) / (1 + weight)

    def _generation(self, states: Tensor, starts: Sequence[int], outputs: Sequence[Sequence[int]]) -> Tensor:
        """Return the mean over the items with an output of the mean cross-entropy of its tokens."""
        wanted = [
            (row, start + place - 1, output[place], 1 / (len(output) - self._guidance))
            for row, (start, output) in enumerate(zip(starts, outputs, strict=True))
            for place in range(self._guidance, len(output))
        ]
        if not wanted:
            return states.new_zeros(())
        rows, places, tokens, shares = zip(*wanted, strict=True)
        logits = self._frozen[2](states[list(rows), list(places)].to(self._dtype)).float()
        losses = functional.cross_entropy(logits, torch.tensor(tokens), reduction="none")
        return (losses * torch.tensor(shares)).sum() / len(set(rows))

    def _words(self) -> Tensor:
        """Return the state before `[EMB]` of every item, float32[items, width], without gradients."""
        order = sorted(range(len(self._notes)), key=lambda row: len(self._notes[row]))
        found: dict[int, Tensor] = {}
        with torch.no_grad():
            for at in range(0, len(order), ITEMS_AT_ONCE):
                rows = order[at : at + ITEMS_AT_ONCE]
                states = self._states([self._notes[row] for row in rows])
                found.update((row, state[len(self._notes[row]) - 1]) for row, state in zip(rows, states, strict=True))
        return torch.stack([found[row] for row in range(len(order))])

    def _states(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Return the last layer's states of some texts behind the instruction, float32[texts, longest, width].

        What is on the right of a shorter text is padding, which nothing before it sees.
        """
        adapted, vectors, _ = self._frozen
        weights = {name: one.to(self._dtype) for name, one in zip(self._names, self.lora, strict=True)}
        longest = max(map(len, texts))
        tokens = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts])
        inputs = torch.where((tokens == EMB)[..., None], self.token.to(self._dtype), vectors(tokens.clamp(min=0)))
        # All texts begin with the same instruction: it is read once, which halves the work.
        shared = functional_call(adapted, weights, kwargs={"input_ids": self._beginning, "use_cache": True})
        past: Any = shared.past_key_values
        past.batch_repeat_interleave(len(texts))
        behind = {"inputs_embeds": inputs, "past_key_values": past, "use_cache": True}
        return functional_call(adapted, weights, kwargs=behind).last_hidden_state.float()


def contrastive_loss(embedded: Tensor, pairs: Tensor, scale: Tensor) -> Tensor:
    """Return the in-batch contrastive loss of n pairs, both ways (section 4.2).

    Each of the 2n items is to find the other one of its pair among all others of the step, by cosine. Another copy of
    the item itself, or of the other one, is no wrong answer and left out.

    Args:
        embedded: float[2n, dimension]; row i and row n + i are a pair.
        pairs: int64[2n], which item each row is.
        scale: What cosines are multiplied by: the exponential of the learned temperature.
    """
    rows = torch.arange(len(pairs))
    partner = rows.roll(len(pairs) // 2)
    directions = functional.normalize(embedded, dim=1)
    copies = (pairs[:, None] == pairs) | (pairs[partner][:, None] == pairs)
    copies[rows, partner] = False
    return functional.cross_entropy((directions @ directions.T * scale).masked_fill(copies, -torch.inf), partner)
