"""The card of an adapter that llmrank trained: on which model, on what data, and for which prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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
        hint = "name what `llmrank finetune` wrote"
        raise InputError("this folder holds no adapter that llmrank trained", path=folder, hint=hint) from error
    wanted = KINDS if kind is None else (kind,)
    if found not in wanted:
        hint = f"name one of the kind {' or '.join(wanted)}"
        raise InputError(f"an adapter of the kind {found!r}", path=path, field="kind", hint=hint)
    return cast("dict[str, Any]", card)


def check_base(card: Mapping[str, Any], base: Model, folder: Path) -> None:
    """Raise InputError for an adapter that was trained on another base model.

    The model must have the revision that it was trained on, or, if it is no folder, the same name: the files of a model
    that was fetched another way differ (quantised and unpacked, say) though it is the same model.
    """
    trained = card["base"]
    same_name = base.name == trained["name"] and not Path(base.name).is_absolute()
    if base.revision != trained["revision"] and not same_name:
        problem = f"trained on {trained['name']} (revision {trained['revision']}), not on {base.name} ({base.revision})"
        raise InputError(problem, path=folder, hint=f"use --model {trained['name']}")


def check_trained_with(card: Mapping[str, Any], name: str, sha256: str, folder: Path) -> None:
    """Raise InputError where the adapter was trained for a prompt with another text than that of this name and hash."""
    trained = card["prompt"]
    if trained["template_sha256"] != sha256:
        problem = f"the adapter was trained for the prompt {trained['prompt']}; the text of {name} is another"
        hint = f"use --prompt {trained['prompt']} as it was then, or train an adapter for this prompt"
        raise InputError(problem, path=folder, field="adapter", hint=hint)


def learned_from(card: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the data that an adapter was trained on, and those of the adapters that its training started from."""
    yield card["data"]
    if (start := card.get("start")) is not None:
        yield from learned_from(start)


def check_split(card: Mapping[str, Any], data_sha256: object, split: object, whole_sha256: object = None) -> None:
    """Raise InputError where the adapter was trained on this data, cut another way: it may know what is asked.

    A file of Cases is not cut: an adapter that was trained on it knows what is asked. A k-core counts as the data that
    it was taken of (`whole_sha256`), cut another way: leaving events out makes other events the last.
    """
    evaluated = {data_sha256, whole_sha256} - {None}
    for trained in learned_from(card):
        if evaluated.isdisjoint({trained["sha256"], trained.get("whole_sha256")}):
            continue
        if split is not None and (trained["sha256"], trained["split"]) == (data_sha256, split):
            continue
        if trained["split"] is None:
            hint = "evaluate the Cases of other users, or train an adapter on a file without these"
            raise InputError("the adapter was trained on the Cases of this very file", field="adapter", hint=hint)
        which = "" if trained["sha256"] == data_sha256 else "another k-core of "
        problem = f"the adapter was trained on {trained['split']} of {which}this data, and {split} is evaluated"
        hint = "evaluate with the --split and --k-core of that training, or train an adapter with these"
        raise InputError(f"{problem}: it may have learned what is asked", field="adapter", hint=hint)
