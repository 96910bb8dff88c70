"""The linter: what is wrong with a template, found by reading it and by rendering it with marked data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from llmrank.errors import InputError, nearest
from llmrank.plugin import KINDS, plugin_names
from llmrank.prompting.identifiers import IDS
from llmrank.prompting.library import SUFFIX, read_text, template_paths
from llmrank.prompting.problem import Problem
from llmrank.prompting.template import PromptTemplate, read_template
from llmrank.prompting.view import View
from llmrank.types import Case, Event, Item, Message

ANSWERS: Mapping[str, frozenset[str]] = {
    "listwise": frozenset({"titles", "permutation", "json"}),
    "sliding_window": frozenset({"titles", "permutation", "json"}),
    "first_token": frozenset({"label_logprobs"}),
    "pointwise": frozenset({"rating", "expected_rating", "yes_no"}),
    "pairwise": frozenset({"choice", "label_logprobs", "yes_no"}),
    "setwise": frozenset({"choice", "label_logprobs"}),
    "tournament": frozenset({"titles", "permutation", "json"}),
}
"""The answer formats that fit each ranker. A ranker or a format from outside the package is nobody's business here."""
RATINGS = frozenset({"rating", "expected_rating"})
HISTORY = 40


def check(template: PromptTemplate) -> list[Problem]:
    """Return what is wrong with a template, in the order of its lines; empty when all is well.

    Found by reading: undefined variables, undeclared attributes, a look at the truth, text outside the blocks, settings
    that do not go together. Found by rendering Cases with marked data: the truth in the prompt, events that should be
    hidden, candidates not shown or not in the order given, data that is taken for granted.
    """
    problems = {*template.problems, *_settings(template)}
    if not template.problems:
        problems.update(_rendered(template))
    return sorted(problems)


def check_file(path: Path) -> list[Problem]:
    """Return what is wrong with a template file; what cannot be read at all is the one Problem."""
    try:
        template = read_template(read_text(path), path, strict=False)
    except InputError as error:
        return [Problem.of(error, path)]
    return check(template)


def _settings(template: PromptTemplate) -> Iterator[Problem]:
    """Yield what does not go together in the front matter, and between it and the blocks."""
    front, names = template.front, template.names

    def problem(key: str, message: str, hint: str) -> Problem:
        lines = template.text.split("\n")
        line = next((number for number, line in enumerate(lines, start=1) if line.startswith(f"{key}:")), 1)
        return Problem(template.path, line, f"{key}: {message}", hint)

    stem = template.path.name.removesuffix(SUFFIX)
    if front.name != stem:
        yield problem("name", f"{front.name!r} is not the file's name {stem!r}", f"write `name: {stem}`")
    if front.task == "profile":
        if front.ranker or front.answer:
            key = "ranker" if front.ranker else "answer"
            yield problem(key, "a profile is shown as it comes, and ranks nothing", f"leave {key!r} out")
        return
    if front.ranker is None or front.answer is None:
        key = "ranker" if front.ranker is None else "answer"
        yield problem("task", f"a {front.task} prompt needs the key {key!r}", f"add `{key}: …`")
        return
    fitting = ANSWERS.get(front.ranker)
    known = frozenset[str]().union(*ANSWERS.values())
    added = {name for group in KINDS for name in plugin_names(group)}
    if front.task == "rating":
        fitting = RATINGS
        if front.ranker in ANSWERS and front.ranker != "pointwise":
            yield problem("ranker", f"{front.ranker!r} ranks, and this is a rating prompt", "write `ranker: pointwise`")
    if fitting is None and front.ranker not in added and (close := nearest(front.ranker, ANSWERS)):
        yield problem("ranker", f"unknown ranker {front.ranker!r}{close}", f"use one of {', '.join(ANSWERS)}")
    stray = front.answer in known or (front.answer not in added and nearest(front.answer, known))
    if fitting is not None and front.answer not in fitting and stray:
        what = f"{front.ranker} {front.task}" if front.task == "ranking" else "rating"
        yield problem(
            "answer",
            f"{front.answer!r} does not fit a {what} prompt{nearest(front.answer, fitting)}",
            f"use one of {', '.join(sorted(fitting))}",
        )
    if front.scale is not None and front.task == "rating":
        yield problem("scale", "a rating is on the scale of the data, or it could not be measured", "leave it out")
    elif front.scale is not None and front.scale[0] >= front.scale[1]:
        yield problem("scale", "the lowest is not below the highest", "write for example `scale: [1, 10]`")
    if front.ids != "titles" and "identifier" not in names:
        yield problem("ids", f"{front.ids!r}, and no block shows `item.identifier`", "show it, or leave `ids` out")
    if front.ids == "titles" and front.needs_identifiers:
        yield problem(
            "answer", f"{front.answer!r} reads identifiers, and items have none", "add `ids: numbers` or `ids: letters`"
        )
    if front.candidates == "catalogue" and (front.about_one_item or front.answer not in {"titles", "json"}):
        yield problem(
            "candidates", "who names freely answers with titles", "write `answer: titles`, `ranker: listwise`"
        )
    if front.shots and "shot" not in template.blocks:
        yield problem("shots", f"{front.shots}, and there is no block 'shot'", "add `{% block shot %}…{% endblock %}`")
    if "shot" in template.blocks and "shots" not in names:
        yield Problem(
            template.path, template.lines["shot"], "no block shows `shots`", "loop over `shots` in block user"
        )
    if front.profile is not None:
        if "profile" not in names:
            yield problem("profile", "no block shows `profile`", "show it, or leave `profile` out")
        if front.profile not in (paths := template_paths()):
            yield problem(
                "profile", f"unknown prompt {front.profile!r}{nearest(front.profile, paths)}", "name a template"
            )
        elif "task: profile" not in read_text(paths[front.profile]):
            yield problem("profile", f"{front.profile!r} is no profile prompt", "name a template with `task: profile`")


def _rendered(template: PromptTemplate) -> Iterator[Problem]:
    """Yield what shows only in the rendered prompt."""
    front, case, view = template.front, _case(template), View()
    line = template.lines["user"]

    def rendered(case: Case, view: View = view, shots: int = 0) -> tuple[Message, ...]:
        examples = [_solved(template, number) for number in range(shots)]
        return template.render(case, template.question(case, view), view=view, shots=examples, profile="marked profile")

    try:
        plain = rendered(case)
        for shown in _views(template):
            rendered(case, shown, 2 if "shot" in template.blocks else 0)
        for bare in (_bare(case), replace(case, history=())):
            rendered(bare)
    except InputError as error:
        yield Problem.of(error, template.path, line)
        return

    def problem(message: str, hint: str) -> Problem:
        return Problem(template.path, line, message, hint)

    text = _text(plain)
    if rendered(replace(case, relevant=(case.candidates[3].item_id,), rating=2.0)) != plain:
        yield problem("the prompt changes with the truth", "show only the history and the candidates")
    limit = len(case.history) if front.history is None else front.history
    late = [event.item.title for event in case.history[: len(case.history) - limit] if event.item.title in text]
    if late:
        yield problem(f"events beyond the newest {limit} are shown: {late[0]!r}", "show `history` and nothing else")
    if limit and "history" in template.names and case.history[-1].item.title not in text:
        yield problem(
            "the newest event is not shown", "loop over all of `history`; `history:` says how many there are to be"
        )
    if front.task == "profile" or front.candidates == "catalogue":
        return
    if front.about_one_item:
        if case.target is not None and case.target.title not in text:
            yield problem("the item asked about is not shown", "show `target.title`")
        return
    hidden = [item.title for item in case.candidates if item.title not in text]
    if hidden:
        yield problem(
            f"{len(hidden)} of {len(case.candidates)} candidates are not shown", "loop over all of `candidates`"
        )
        return
    places = [text.index(item.title) for item in case.candidates]
    turned = replace(case, candidates=case.candidates[::-1])
    if places != sorted(places):
        yield problem("the candidates are not in the order given", "loop over `candidates` without sorting")
    elif _masked(_text(rendered(turned)), case) != _masked(text, case):
        yield problem("another order of the candidates changes more than their order", "treat all candidates alike")


def _views(template: PromptTemplate) -> Iterator[View]:
    """Yield the renderings that a user can switch to."""
    yield View(show_history=False)
    yield View(history=3, history_order="newest-first", domain="books")
    yield View(show_scores="score" in template.names)
    for ids in IDS if "identifier" in template.names else ():
        if ids != "titles" or not template.front.needs_identifiers:
            yield View(ids=ids)


def _item(template: PromptTemplate, kind: str, number: int) -> Item:
    marks = {name: f"{name} of {kind} <{number}>" for name in template.front.attributes}
    return Item(f"{kind[0]}{number:03}x", f"Marked {kind} <{number}>", marks)


def _case(template: PromptTemplate) -> Case:
    """Return a Case in which every text is marked, so that it can be found again."""
    count = max(HISTORY, 2 * (template.front.history or 0))
    items = tuple(_item(template, "candidate", number) for number in range(12))
    case = Case(
        user_id="marked user",
        history=tuple(Event(_item(template, "event", n), 1.0 + n % 5, 8.7e8 + n * 86_400) for n in range(count)),
        candidates=items,
        recall_scores=tuple(0.7531 + number / 10_000 for number in range(len(items))),
        relevant=(items[5].item_id,),
    )
    return replace(case, target=_item(template, "target", 0), rating=4.0) if template.front.about_one_item else case


def _bare(case: Case) -> Case:
    """Return the Case without anything that data may lack."""

    def bare(item: Item) -> Item:
        return Item(item.item_id, item.title)

    return replace(
        case,
        history=tuple(Event(bare(event.item)) for event in case.history),
        candidates=tuple(bare(item) for item in case.candidates),
        target=None if case.target is None else bare(case.target),
        recall_scores=None,
    )


def _solved(template: PromptTemplate, number: int) -> Case:
    case = _case(template)
    return replace(case, user_id=f"example {number}", history=case.history[: 5 + number])


def _text(messages: tuple[Message, ...]) -> str:
    return "\n\n".join(f"{message.role}: {message.content}" for message in messages)


def _masked(text: str, case: Case) -> str:
    """Return the text with what tells one candidate from another taken out."""
    for number, item in enumerate(case.candidates):
        for mark in (item.title, item.item_id, *item.attributes.values()):
            text = text.replace(mark, "·")
        if case.recall_scores is not None:
            text = text.replace(f"{case.recall_scores[number]:.4g}", "·")
    return text
