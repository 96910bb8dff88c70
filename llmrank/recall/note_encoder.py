"""The network of NoteLLM: a language model with a LoRA adapter that reads the note compression prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from llmrank.backends.decoder import keep_upper_layers, open_causal, whitened_basis, with_lora
from llmrank.recall.model import parts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from llmrank.recall.notellm import NoteLLM

COMPRESSION = ' The compression word is:"'
EMB = -1
"""Stands for the token `[EMB]`, which is not in the model's vocabulary."""
NOTE_TOKENS = 100
"""Maximum number of tokens of an item's text; the paper uses 20 of the title and 80 of the content."""
WHITENING = 0.8
"""Exponent of the whitening of the untrained model's states: 0 leaves their variances, 1 makes them equal."""
TEXTS_AT_ONCE = 16
"""Batch size. Texts of similar length share a batch, so that little of it is padding."""


@dataclass(frozen=True, slots=True)
class NotePrompt:
    """The paper's note compression prompt for each item of a catalogue: `instruction`, the note, the compression word,
    `guidance`, the output."""

    instruction: str
    notes: Sequence[str]
    guidance: str
    outputs: Sequence[str]
    """The text to generate for each note; empty if there is none."""


class NoteEncoder(nn.Module):
    """Maps items to embeddings. Its parameters are trained in float32; the language model's own weights are frozen.

    The output of the layers below the tuned ones is computed once per item and kept: tokens x width numbers in the
    language model's type.
    """

    basis: Tensor

    def __init__(self, folder: Path, prompt: NotePrompt, model: NoteLLM) -> None:
        """Open the language model in `folder` and read the catalogue.

        Raises InputError for a model with too few layers, MissingError for a package that is not installed.
        """
        super().__init__()
        self._dtype = {"bfloat16": torch.bfloat16, "float32": torch.float32}[model.dtype]
        decoder, output, tokenizer = open_causal(folder, model.layers, self._dtype)
        self._prepare(prompt, tokenizer, generates=model.generation_weight > 0)
        below = model.layers - model.tuned_layers
        self._untuned = self._read(decoder, below)
        keep_upper_layers(decoder, below)
        adapted = with_lora(decoder, model.rank, "all-linear")
        # In a tuple, so that they are no submodules: neither trained nor in the checkpoint.
        self._frozen = (adapted, output.requires_grad_(False))
        trained = {name: one for name, one in adapted.named_parameters() if one.requires_grad}
        self._names = list(trained)
        self.lora = nn.ParameterList([one.detach().float() for one in trained.values()])
        self.temperature = nn.Parameter(torch.tensor(model.temperature))
        marks = [
            state[len(note)] for state, note in zip(self._below, self._notes, strict=True) if len(state) > len(note)
        ]
        width = self._untuned.shape[1]
        self.token = nn.Parameter(torch.stack(marks).float().mean(0) if marks else torch.zeros(width))
        basis, _ = whitened_basis(self._untuned, WHITENING)
        # Scaled, so that the inputs of the linear layer are about 1; the layer starts as their first directions.
        self.register_buffer("basis", basis * basis.shape[1] ** 0.5)
        self.projection = nn.Parameter(torch.eye(basis.shape[1], model.dimension))

    def _prepare(self, prompt: NotePrompt, tokenizer: PreTrainedTokenizerBase, *, generates: bool) -> None:
        """Tokenize the prompt and store it."""

        def tokens(text: str) -> list[int]:
            return tokenizer.encode(text, add_special_tokens=False)

        begin, end = (
            [] if one is None else [cast(int, one)] for one in (tokenizer.bos_token_id, tokenizer.eos_token_id)
        )
        self._beginning = [*begin, *tokens(prompt.instruction)]
        word, guidance = tokens(COMPRESSION), [EMB, *tokens(prompt.guidance)]
        self._guidance = len(guidance)
        self._notes = [[*tokens(note)[:NOTE_TOKENS], *word] for note in prompt.notes]
        self._outputs = [
            [*guidance, *tokens(text), *end] if text and generates else list[int]() for text in prompt.outputs
        ]

    def _read(self, decoder: PreTrainedModel, below: int) -> Tensor:
        """Store the hidden states below the tuned layers. Return the untrained model's last state before `[EMB]`,
        float32[items, width]."""
        vectors = cast(nn.Embedding, decoder.get_input_embeddings())
        mark = vectors.weight.mean(0)
        texts = [note + output for note, output in zip(self._notes, self._outputs, strict=True)]
        kept: dict[int, Tensor] = {}
        words: dict[int, Tensor] = {}
        with torch.no_grad():
            beginning = vectors(torch.tensor([self._beginning]))
            self._below_beginning = decoder(inputs_embeds=beginning, output_hidden_states=True).hidden_states[below]
            for rows in by_length(texts):
                tokens = nn.utils.rnn.pad_sequence([torch.tensor(texts[row]) for row in rows], batch_first=True)
                inputs = torch.where((tokens == EMB)[..., None], mark, vectors(tokens.clamp(min=0)))
                found = behind(decoder, beginning, inputs, output_hidden_states=True)
                for place, row in enumerate(rows):
                    kept[row] = found.hidden_states[below][place, : len(texts[row])].clone()
                    words[row] = found.last_hidden_state[place, len(self._notes[row]) - 1].float()
        self._below = [kept[row] for row in range(len(texts))]
        return torch.stack([words[row] for row in range(len(texts))])

    def _project(self, words: Tensor) -> Tensor:
        """Return the embeddings for hidden states before `[EMB]`, not yet normalised.

        All texts end alike, so their states have much in common. It is subtracted, and the rest is compared.
        """
        return (words - words.mean(0)) @ self.basis @ self.projection

    def embed(self, *, tuned: bool) -> Tensor:
        """Return the embeddings of the catalogue, float32[items, dimension], each of length 1; without gradients.

        `tuned`: from the states of the tuned model; otherwise from those of the untrained model.
        """
        with torch.no_grad():
            words = self._untuned
            if tuned:
                states = self._states(range(len(self._notes)), outputs=False)
                words = torch.stack([state[-1] for state in states])
            return functional.normalize(self._project(words), dim=1)

    def head_loss(self, queries: Tensor, others: Tensor) -> Tensor:
        """Return the contrastive loss of pairs of items from the untrained model's states: only the linear layer
        learns."""
        pairs = torch.cat([queries, others])
        return contrastive_loss(self._project(self._untuned[pairs]), pairs, self.temperature.exp())

    def loss(self, queries: Tensor, others: Tensor, weight: float) -> Tensor:
        """Return (contrastive + weight x generation) / (1 + weight) for pairs of items.

        Args:
            queries: int64[pairs], items from 0.
            others: For each query, an item related to it.
            weight: Weight of the generation loss, the paper's alpha; 0: nothing is generated.
        """
        pairs = torch.cat([queries, others])
        items, places = cast("tuple[Tensor, Tensor]", torch.unique(pairs, return_inverse=True))
        rows = cast("list[int]", items.tolist())
        states = self._states(rows)
        words = torch.stack([state[len(self._notes[row]) - 1] for row, state in zip(rows, states, strict=True)])
        contrastive = contrastive_loss(self._project(words)[places], pairs, self.temperature.exp())
        return (contrastive + weight * self._generation(states, [self._outputs[row] for row in rows])) / (1 + weight)

    def _generation(self, states: Sequence[Tensor], outputs: Sequence[Sequence[int]]) -> Tensor:
        """Return the mean cross-entropy of the tokens of each output, averaged over the items that have one."""
        wanted = [torch.tensor(output[self._guidance :]) for output in outputs if output]
        if not wanted:
            return states[0].new_zeros(())
        # Each token is predicted from the state before it.
        before = [
            state[-1 - len(output) + self._guidance : -1]
            for state, output in zip(states, outputs, strict=True)
            if output
        ]
        logits = self._frozen[1](torch.cat(before).to(self._dtype)).float()
        losses = functional.cross_entropy(logits, torch.cat(wanted), reduction="none")
        shares = torch.cat([torch.full((len(output),), 1 / len(output)) for output in wanted])
        return (losses * shares).sum() / len(wanted)

    def _states(self, items: Sequence[int], *, outputs: bool = True) -> list[Tensor]:
        """Return the last layer's states for the text after the instruction, float32[tokens, width] per item."""
        adapted, _ = self._frozen
        weights = {name: one.to(self._dtype) for name, one in zip(self._names, self.lora, strict=True)}
        token = self.token.to(self._dtype)

        def run(**inputs: Any) -> Any:  # noqa: ANN401 - as the language model
            return functional_call(adapted, weights, kwargs=inputs)

        texts = [self._below[item] if outputs else self._below[item][: len(self._notes[item])] for item in items]
        found: dict[int, Tensor] = {}
        for rows in by_length(texts):
            inputs = nn.utils.rnn.pad_sequence([texts[row] for row in rows], batch_first=True)
            marks = torch.tensor([len(self._notes[items[row]]) for row in rows])
            inputs = torch.where((torch.arange(inputs.shape[1]) == marks[:, None])[..., None], token, inputs)
            states = behind(run, self._below_beginning, inputs).last_hidden_state.float()
            found.update((row, state[: len(texts[row])]) for row, state in zip(rows, states, strict=True))
        return [found[row] for row in range(len(texts))]


def by_length(texts: Sequence[Sized]) -> Iterator[list[int]]:
    """Yield the indexes of the texts in batches of similar length."""
    return parts(sorted(range(len(texts)), key=lambda row: len(texts[row])), TEXTS_AT_ONCE)


def behind(run: Callable[..., Any], beginning: Tensor, inputs: Tensor, **options: bool) -> Any:  # noqa: ANN401
    """Return a language model's output for inputs that follow a common beginning, computed once: half the work.
    Shorter inputs are padded on the right, where no earlier position sees the padding.

    Args:
        run: The model.
        beginning: [1, tokens, width].
        inputs: [texts, tokens, width].
        options: Options of the model.
    """
    past = run(inputs_embeds=beginning, use_cache=True).past_key_values
    past.batch_repeat_interleave(len(inputs))
    return run(inputs_embeds=inputs, past_key_values=past, use_cache=True, **options)


def contrastive_loss(embedded: Tensor, pairs: Tensor, scale: Tensor) -> Tensor:
    """Return the in-batch contrastive loss of n pairs in both directions (Generative-Contrastive Learning).

    Each of the 2n items must find its partner by cosine among all other items of the step. Further copies of the item
    or of its partner are not negatives and are left out.

    Args:
        embedded: float[2n, dimension]; rows i and n + i are a pair.
        pairs: int64[2n], the item of each row.
        scale: Factor of the cosines: the exponential of the learned temperature.
    """
    rows = torch.arange(len(pairs))
    partner = rows.roll(len(pairs) // 2)
    directions = functional.normalize(embedded, dim=1)
    copies = (pairs[:, None] == pairs) | (pairs[partner][:, None] == pairs)
    copies[rows, partner] = False
    return functional.cross_entropy((directions @ directions.T * scale).masked_fill(copies, -torch.inf), partner)
