"""Opens a causal language model for its hidden states: truncated to its first layers, with a LoRA adapter to train."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from llmrank.errors import InputError, count_of, module_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LORA, LORA_CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""The files of an adapter in the PEFT format."""
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers in a decoder layer of Llama and similar models."""


training_module = partial(module_of, "finetune")
"""Imports a module from the `finetune` extra (see `module_of`)."""


def open_base(folder: Path, layers: int, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return the first `layers` decoder layers of a language model without its final norm, and its tokenizer.

    Of a model with no more layers, the norm is kept. Raises InputError if the model has fewer layers, and MissingError
    if the packages are missing.
    """
    decoder = open_language_model(folder, dtype, output=False)
    there = _check_layers(decoder, layers, folder)
    if layers < there and hasattr(decoder, "norm"):
        decoder.norm = nn.Identity()
        there = layers
    # If the norm has another name: only the last hidden state has passed it, so keep one more layer than is read.
    cut_layers(decoder, min(there, layers + 1))
    return decoder, _tokenizer(folder)


def open_causal(
    folder: Path, layers: int, dtype: torch.dtype
) -> tuple[PreTrainedModel, nn.Module, PreTrainedTokenizerBase]:
    """Return the first `layers` decoder layers with the final norm, the output layer, and the tokenizer.

    Raises InputError if the model has fewer layers, and MissingError if the packages are missing.
    """
    whole = open_language_model(folder, dtype)
    decoder = cast("PreTrainedModel", whole.base_model)
    _check_layers(decoder, layers, folder)
    cut_layers(decoder, layers)
    return decoder, cast(nn.Module, whole.get_output_embeddings()), _tokenizer(folder)


def linear_names(decoder: nn.Module) -> list[str]:
    """Return the names of a decoder's linear layers, whatever its architecture."""
    return sorted({name.rpartition(".")[2] for name, one in decoder.named_modules() if isinstance(one, nn.Linear)})


def open_language_model(folder: Path, dtype: torch.dtype, *, output: bool = True) -> PreTrainedModel:
    """Return the whole model for inference, with or without its output layer; raise MissingError if the packages are
    missing."""
    transformers = training_module("transformers")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    kind = transformers.AutoModelForCausalLM if output else transformers.AutoModel
    return cast("PreTrainedModel", kind.from_pretrained(folder, dtype=dtype)).eval()


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(folder))


def _check_layers(decoder: PreTrainedModel, wanted: int, folder: Path) -> int:
    """Return the number of decoder layers; raise InputError if it is less than `wanted`."""
    there = len(_layers(decoder))
    if there < wanted:
        problem = f"the model has {count_of(there, 'layer')}, fewer than the {wanted} requested"
        raise InputError(problem, path=folder, hint=f"use {there} or fewer layers")
    return there


def _layers(decoder: PreTrainedModel) -> nn.ModuleList:
    return cast(nn.ModuleList, decoder.layers)


def cut_layers(decoder: PreTrainedModel, layers: int) -> None:
    """Keep the first `layers` decoder layers."""
    decoder.layers = _layers(decoder)[:layers]
    cast(Any, decoder.config).num_hidden_layers = layers


def keep_upper_layers(decoder: PreTrainedModel, first: int) -> None:
    """Keep the decoder layers from index `first` on. Their `inputs_embeds` are then the states before that layer."""
    kept = _layers(decoder)[first:]
    for number, layer in enumerate(kept):
        cast(Any, layer).self_attn.layer_idx = number  # its index in a KV cache
    decoder.layers = kept
    cast(Any, decoder.config).num_hidden_layers = len(kept)


def with_lora(
    decoder: PreTrainedModel, rank: int, targets: Sequence[str] | str = LINEAR, layers: Sequence[int] | None = None
) -> nn.Module:
    """Return the model with an untrained LoRA adapter of the model's dtype; only the adapter's weights need gradients.

    `targets` are names of linear layers, or "all-linear". `layers` are the indices of the decoder layers to adapt;
    None: all. Raises MissingError if peft is not installed.
    """
    peft = training_module("peft")
    modules = targets if isinstance(targets, str) else list(targets)
    chosen = None if layers is None else list(layers)
    lora = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=modules, layers_to_transform=chosen, bias="none")
    return peft.get_peft_model(decoder, lora, autocast_adapter_dtype=False)


def save_lora(folder: Path, model: nn.Module, base: str) -> None:
    """Write a model's LoRA adapter into `folder` in the PEFT format. `base` is the name of the base model.

    Raises OSError on disk errors.
    """
    with TemporaryDirectory(prefix=".", dir=folder) as beside:
        # Write beside it first: PEFT also writes a README.md, which might overwrite the user's. The vocabulary never
        # grows, so PEFT need not ask the hub about it.
        cast(Any, model).save_pretrained(beside, save_embedding_layers=False)
        # PEFT records the local path of the base model; what matters is its name.
        path = Path(beside, LORA_CONFIG)
        config = json.loads(path.read_text(encoding="utf-8"))
        config |= {"base_model_name_or_path": base, "target_modules": sorted(config["target_modules"])}
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        for name in (LORA, LORA_CONFIG):
            Path(beside, name).replace(folder / name)


def whitened_basis(read: Tensor, whitening: float) -> tuple[Tensor, Tensor]:
    """Return the principal directions of the representations and their mean; the directions are scaled so that an item
    has a squared length of about 1.

    Hidden states of a language model lie in a narrow cone; whitening spreads them (WhitenRec, 2404.13929 §3).
    """
    mean = read.mean(0)
    _, spread, directions = torch.linalg.svd(read - mean, full_matrices=False)
    kept = spread > 1e-4 * spread[0]
    basis = directions[kept].T * spread[kept] ** -whitening
    scale = ((read - mean) @ basis).square().sum(1).mean().sqrt()
    return basis / scale, mean
