"""The card of an adapter that llmrank trained: on which model, on what data, and for which prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from llmrank.backends.models import Model
from llmrank.errors import InputError

CARD = "card.json"
"""What an adapter was trained on and how, beside its weights."""
NEXT_TITLE = "next_title"
PROMPT = "prompt"
KINDS = (NEXT_TITLE, PROMPT)
"""What an adapter may have learned: to continue titles, or to answer a prompt."""


def read_card(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """Return what an adapter folder says of itself; raises InputError where it holds no adapter of the kind."""
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        # What is read of it later is there.
        found = card["kind"]
        if found in KINDS:
            _ = card["base"]["name"], card["base"]["revision"]
            _ = card["data"]["name"], card["data"]["sha256"], card["data"]["split"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "this folder holds no adapter that llmrank trained", path=folder, hint="name what `llmrank finetune` wrote"
        ) from error
    if found != (kind or found) or found not in KINDS:
        raise InputError(
            f"an adapter of the kind {found!r}", path=path, field="kind", hint=f"name one of {kind or KINDS!r}"
        )
    return cast("dict[str, Any]", card)


def check_base(card: Mapping[str, Any], base: Model, folder: Path) -> None:
    """Raise InputError for an adapter that was trained on another base model.

    The model must have the revision that it was trained on, or, if it is no folder, the same name: the files of a model
    that was fetched another way differ (quantised and unpacked, say) though it is the same model.
    """
    trained = card["base"]
    same_name = base.name == trained["name"] and not Path(base.name).is_absolute()
    if base.revision != trained["revision"] and not same_name:
        raise InputError(
            f"trained on {trained['name']} (revision {trained['revision']}), not on {base.name} ({base.revision})",
            path=folder,
            hint=f"use --model {trained['name']}",
        )


def check_split(card: Mapping[str, Any], data_sha256: object, split: object) -> None:
    """Raise InputError where the adapter was trained on this data, cut another way: it may know what is asked."""
    trained = card["data"]
    if trained["sha256"] == data_sha256 and trained["split"] != split:
        raise InputError(
            f"the adapter was trained on {trained['split']} of this data, and {split} is evaluated: it may have "
            "learned what is asked",
            field="adapter",
            hint="evaluate that split, or train an adapter on this one (`llmrank finetune --split …`)",
        )
