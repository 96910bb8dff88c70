"""Training files for other trainers. The prompts are byte-identical to those of inference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Literal

from llmrank.errors import InputError
from llmrank.evaluation.cases import CaseSet, reachable
from llmrank.evaluation.method import Method
from llmrank.files import json_bytes, write_json, write_whole
from llmrank.finetune.sequences import split_data
from llmrank.rankers.prompt import Prompt
from llmrank.types import Case, Item, Question, Request, liked_from

SftFormat = Literal["trl", "openai"]


@dataclass(frozen=True, slots=True)
class SftExample:
    """A prompt and its correct answer."""

    user_id: str
    request: Request
    completion: str
    history_dropped: int = 0
    """Number of oldest events that were dropped to fit the context length."""


def sft_examples(cases: Iterable[Case], prompt: Prompt, arrange: Callable[[Case], Case]) -> Iterator[SftExample]:
    """Yield an example for each Case with a known answer, with the same prompt as an evaluation.

    A prompt about a single item asks about the target of a rating Case, whose rating is the answer. For a ranking Case
    it asks twice: about the relevant item, and about another candidate, sampled per user (TALLRec, PALR: as many
    negatives as positives).

    `prompt` and `arrange` (the order of the candidates) are those of the evaluation that the model is trained for.
    Raises InputError for an answer format without a known correct answer.
    """
    for case in cases:
        shown = arrange(case)
        for one in _one_item_each(shown) if prompt.template.front.about_one_item else [shown]:
            asked = prompt.ask(one.blinded())
            right = right_answer(prompt.answer.name, asked.question, one)
            yield SftExample(case.user_id, asked.request, right, asked.history_dropped)


def _one_item_each(case: Case) -> list[Case]:
    """Return the Case about its target; without a target, one about a relevant candidate and one about another."""
    if case.target is not None:
        return [case]
    good = _relevant(case, case.candidates)
    others = [item for item in case.candidates if item.item_id not in case.relevant]
    drawn = Random(f"negative:{case.case_id}").sample(others, min(1, len(others)))
    return [replace(case, target=item) for item in (*good[:1], *drawn)]


def _relevant(case: Case, items: Iterable[Item]) -> list[Item]:
    """Return the relevant items, those with the highest gain first, and of equal ones in their order."""
    gains = case.gain_of
    return sorted((item for item in items if item.item_id in gains), key=lambda item: -gains[item.item_id])


def right_answer(answer: str, question: Question, case: Case) -> str:
    """Return the text of the correct answer in an answer format: for a single item, yes or no, or its rating.

    Yes means a relevant item, or a rating that counts as liked (`liked_from`). Of several relevant items, those with
    the highest gain come first.
    """
    if answer == "yes_no" and case.target is not None:
        relevant = case.target.item_id in case.relevant
        liked = relevant if case.rating is None else case.rating >= liked_from(question.scale)
        return "Yes." if liked else "No."
    if answer in ("rating", "expected_rating") and case.rating is not None:
        return f"{case.rating:g}"
    relevant = _relevant(case, question.items)
    identifiers = {
        item.item_id: identifier for item, identifier in zip(question.items, question.identifiers, strict=False)
    }
    if answer == "titles" and relevant:
        return ", ".join(f'"{item.title}"' for item in relevant)
    if answer == "json" and relevant:
        return json.dumps([identifiers.get(item.item_id, item.title) for item in relevant], ensure_ascii=False)
    if answer == "permutation" and relevant and identifiers:
        rest = [item for item in question.items if item not in relevant]
        return " > ".join(f"[{identifiers[item.item_id]}]" for item in (*relevant, *rest))
    if answer in ("label_logprobs", "choice") and relevant and identifiers:
        return identifiers[relevant[0].item_id]
    problem = f"the answer format {answer!r} has no known correct answer for this Case"
    hint = (
        "use titles, json, permutation, label_logprobs, choice or yes_no; to learn ratings, use a rating prompt "
        "(`llmrank prompts list --task rating`)"
    )
    raise InputError(problem, field="answer", user=case.user_id, hint=hint)


LABELLED = ("label_logprobs", "yes_no", "expected_rating")
"""The answer formats that are read from the log-probabilities of labels."""


def check_answer(method: Method, *, regression: bool) -> None:
    """Raise InputError if the method's answers have no labels to learn, or for a regression no expected ratings."""
    assert method.prompt is not None
    answer = method.prompt.answer.name
    if regression and answer != "expected_rating":
        hint = "use a rating prompt with --answer expected_rating, or omit --regression"
        raise InputError(f"regression does not support the answer format {answer!r}", field="regression", hint=hint)
    if answer not in LABELLED:
        raise InputError(
            "the prompt has text answers, but training needs the log-probability of a label",
            field="prompt",
            hint="use first-token, llamarec, tallrec, pointwise-yes-no, or another prompt with `label_logprobs`, "
            "`yes_no` or `expected_rating`; for text answers, use another trainer (`llmrank export-sft`)",
        )


def solved_data(cases: CaseSet) -> Mapping[str, object]:
    """Return the name, hash and split of the data of these Cases; the split is None for a file of Cases."""
    if cases.split is not None:
        return split_data(cases.split)
    return {"name": cases.settings["data"], "sha256": cases.settings["data_sha256"], "split": None}


def write_sft(examples: Iterable[SftExample], path: Path, form: SftFormat, cases: CaseSet) -> Mapping[str, object]:
    """Write the examples as JSON Lines, with a card next to them, and return the card.

    The card counts the Cases, those left out because recall missed their relevant item, and the oldest events that were
    dropped from the prompts to fit the context length.

    `trl`: `prompt` and `completion`, both lists of messages, with `user_id` and the hash of the data. `openai`: only
    `messages`, as that interface accepts no other keys; the card has the hash.

    Raises InputError if there are no examples, or the file cannot be written.
    """
    data, lines, dropped = solved_data(cases), list[str](), 0
    for example in examples:
        dropped += example.history_dropped
        prompt = [{"role": message.role, "content": message.content} for message in example.request.messages]
        completion = [{"role": "assistant", "content": example.completion}]
        row: dict[str, object] = {"messages": prompt + completion}
        if form == "trl":
            row = {"prompt": prompt, "completion": completion, "user_id": example.user_id}
            row |= {"split": data["split"], "data_sha256": data["sha256"]}
        lines.append(json.dumps(row, ensure_ascii=False))
    if not lines:
        raise InputError("there are no examples to write", path=path, hint="use more users or longer candidate lists")
    targets = "Targets are users' last training events; nothing of the test side is in this file."
    card = {
        "format": form,
        "examples": len(lines),
        "cases": len(cases),
        "history_dropped": dropped,
        "not_proposed": 0 if cases.task == "rating" else len(cases) - len(reachable(cases)),
        "data": data["name"],
        "data_sha256": data["sha256"],
        "split": data["split"],
        "note": targets if cases.split else "The answers are these Cases' relevant items: evaluate on other Cases.",
    }
    # The card first: if the disk is full, the same call does not find a finished file.
    write_json(path.with_name(path.name + ".card.json"), card)
    write_whole(path, json_bytes("\n".join(lines) + "\n"))
    return card
