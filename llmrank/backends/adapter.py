"""The card of an adapter trained by llmrank: its base model, its training data, and its prompt."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

from llmrank.backends.models import Model
from llmrank.errors import InputError

CARD = "card.json"
"""The file, beside the weights, that records how the adapter was trained."""
NEXT_TITLE = "next_title"
PROMPT = "prompt"
KINDS = (NEXT_TITLE, PROMPT)
"""What an adapter was trained to do: continue title sequences, or answer a prompt."""

_SHOWN = ("answer", "shots", "top", "history", "history_order", "show_history", "show_scores", "ids", "domain")
"""The settings of a method that change what its prompts show or ask for."""


def read_card(folder: Path, kind: str | None = None) -> dict[str, Any]:
    """Return an adapter's card; raise InputError if the folder does not hold an adapter of that kind."""
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        # Check the keys that are read later.
        found = card["kind"]
        if found in KINDS:
            _ = card["base"]["name"], card["base"]["revision"]
            _ = card["shape"]["window"] if found == NEXT_TITLE else None
            for data in learned_from(card):
                _ = data["name"], data["sha256"], data["split"]
                if record := data["learned"]:
                    _ = record["users"], record["kept"], bytes.fromhex(record["events"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "name a folder that `llmrank finetune` of this version wrote"
        problem = "this folder holds no adapter trained by llmrank" if folder.is_dir() else "no such folder"
        raise InputError(problem, path=folder, hint=hint) from error
    wanted = KINDS if kind is None else (kind,)
    if found not in wanted:
        hint = f"name an adapter of kind {' or '.join(wanted)}"
        raise InputError(f"an adapter of kind {found!r}", path=path, field="kind", hint=hint)
    return cast("dict[str, Any]", card)


def check_base(card: Mapping[str, Any], base: Model, folder: Path) -> None:
    """Raise InputError if the adapter was trained on another base model.

    The model must have the same revision or, unless it is a local folder, the same name: files of the same model differ
    if they were obtained in another way (quantised and unpacked, say).
    """
    trained = card["base"]
    same_name = base.name == trained["name"] and not Path(base.name).is_absolute()
    if base.revision != trained["revision"] and not same_name:
        problem = f"trained on {trained['name']} (revision {trained['revision']}), not on {base.name} ({base.revision})"
        raise InputError(problem, path=folder, hint=f"use --model {trained['name']}")


def check_trained_with(card: Mapping[str, Any], name: str, sha256: str, folder: Path) -> None:
    """Raise InputError if the adapter was trained for a prompt whose text differs from this one."""
    trained = card["prompt"]
    if trained["template_sha256"] != sha256:
        problem = f"the adapter was trained for the prompt {trained['prompt']}, which differs from {name}"
        hint = f"use --prompt {trained['prompt']} as it was at that time, or train an adapter for this prompt"
        raise InputError(problem, path=folder, field="adapter", hint=hint)


def differs_from_training(card: Mapping[str, Any], settings: Mapping[str, Any]) -> str | None:
    """Return a note on what the prompts show otherwise than in training; None if nothing, or if the card has no such
    settings (they came later). `settings` are those of the method, as in a Run."""
    trained, now = ({**one, **one.get("view", {})} for one in (card["prompt"], settings))
    others = [
        f"{name} {_shown(trained[name])} (here {_shown(now.get(name))})"
        for name in _SHOWN
        if name in trained and trained[name] != now.get(name)
    ]
    return f"The adapter was trained with {', '.join(others)}." if others else None


def unread_events(card: Mapping[str, Any], histories: Sequence[int]) -> Iterator[str]:
    """Yield a note if some histories, given their lengths, are longer than what an adapter for titles reads."""
    window: int = card["shape"]["window"]
    if longer := sum(length > window for length in histories):
        yield f"The model reads the newest {window} events: {longer:,} of {len(histories):,} histories are longer."


def _shown(value: object) -> str:
    return "as in the template" if value is None else f"{value}"


def learned_from(card: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the training data of the adapter, and of the adapters from which its training started, each with
    `learned`, its record of events (see `learned_events`); older cards have none."""
    yield {**card["data"], "learned": card.get("learned")}
    if (start := card.get("start")) is not None:
        yield from learned_from(start)


MOST_LEARNED = 20_000
"""Events in the record of a card, roughly; each takes 10 characters."""
MARK_BYTES = 5
"""Bytes of a hash: of 20,000 events, one in fifty million others has the hash of one of them."""
EXCHANGES = 10
"""How often the users exchange their items, to see how many matches chance gives."""


def learned_events(users: Iterable[str], items: Callable[[str], Iterable[str]]) -> dict[str, Any]:
    """Return the card's record of what was learned, or chose the weights: hashes of users with the ids of their items.

    It does not depend on the order of the users, and holds all items of as many of them as make `MOST_LEARNED` events.
    """
    drawn, kept, found = sorted(set(users), key=_mark), 0, set[bytes]()
    for user in drawn:
        if len(found) >= MOST_LEARNED:
            break
        found |= {_mark(user, item) for item in items(user)}
        kept += 1
    return {"users": len(drawn), "kept": kept, "events": b"".join(sorted(found)).hex()}


def _mark(*ids: str) -> bytes:
    return blake2b(json.dumps(ids).encode(), digest_size=MARK_BYTES).digest()


def check_learned(record: Mapping[str, Any], asked: Sequence[tuple[str, str]]) -> None:
    """Raise InputError if some of the events asked for, pairs of user and item, are in the record.

    Other data may number other users and items alike. Then about as many are found if the users exchange their items,
    neither fewer nor more.
    """
    joined = bytes.fromhex(record["events"])
    known = {joined[start : start + MARK_BYTES] for start in range(0, len(joined), MARK_BYTES)}
    found = [pair for pair in asked if _mark(*pair) in known]
    if not found:
        return
    steps = [max(1, len(asked) * number // (EXCHANGES + 1)) for number in range(1, EXCHANGES + 1)]
    exchanged = (
        (user, item)
        for step in steps
        for (user, _), (other, item) in zip(asked, (*asked[step:], *asked[:step]), strict=True)
        if user != other
    )
    chance = sum(_mark(*pair) in known for pair in exchanged) / EXCHANGES
    if abs(len(found) - chance) > 3 * math.sqrt(chance * (1 - chance / len(asked))):
        least = "" if record["kept"] == record["users"] else "at least "
        problem = f"the adapter learned, or was chosen by, {least}{len(found):,} of the {len(asked):,} events asked for"
        hint = "evaluate on Cases of other users or on later events, or train an adapter without these"
        raise InputError(f"{problem} (first: user {found[0][0]!r})", field="adapter", hint=hint)


def check_split(
    card: Mapping[str, Any],
    data_sha256: object,
    split: object,
    whole_sha256: object = None,
    asked: Sequence[tuple[str, str]] = (),
) -> None:
    """Raise InputError if the adapter may have seen the test data: it was trained on another split of the same data, or
    on some of the events that are asked for (see `check_learned`).

    A file of Cases has no split, so an adapter trained on it has seen its test data. A k-core counts as another split
    of the data it was taken from (`whole_sha256`), because dropping events makes other events the last.
    """
    evaluated = {data_sha256, whole_sha256} - {None}
    for trained in learned_from(card):
        if split is not None and (trained["sha256"], trained["split"]) == (data_sha256, split):
            continue
        if evaluated.isdisjoint({trained["sha256"], trained.get("whole_sha256")}):
            if trained["learned"] is not None:
                check_learned(trained["learned"], asked)
            continue
        if trained["split"] is None:
            hint = "evaluate on Cases of other users, or train an adapter on a file without these"
            raise InputError("the adapter was trained on the Cases in this file", field="adapter", hint=hint)
        which = "" if trained["sha256"] == data_sha256 else "another k-core of "
        problem = f"the adapter was trained on {trained['split']} of {which}this data, but is evaluated on {split}"
        hint = "evaluate with the --split and --k-core of that training, or train an adapter with these"
        raise InputError(f"{problem}: it may have seen the test data", field="adapter", hint=hint)
