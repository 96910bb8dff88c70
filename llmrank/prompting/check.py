"""The linter: what is wrong with a template, found by reading it and by rendering it with marked data."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import unified_diff
from itertools import product
from pathlib import Path

from llmrank.errors import InputError, nearest
from llmrank.plugin import KINDS, plugin_names
from llmrank.prompting.identifiers import IDS, WORDS, Ids
from llmrank.prompting.library import SUFFIX, read_text, template_paths
from llmrank.prompting.template import Problem, PromptTemplate, read_template
from llmrank.prompting.view import View
from llmrank.types import AnswerFormat, Case, Event, Item, Message, Outcome, Question, Response

ANSWERS: Mapping[str, frozenset[str]] = {
    "listwise": frozenset({"titles", "permutation", "json"}),
    "sliding_window": frozenset({"titles", "permutation", "json", "label_logprobs"}),
    "first_token": frozenset({"label_logprobs"}),
    "pointwise": frozenset({"rating", "expected_rating", "yes_no"}),
    "pairwise": frozenset({"choice", "label_logprobs", "yes_no"}),
    "setwise": frozenset({"choice", "label_logprobs"}),
    "tournament": frozenset({"titles", "permutation", "json"}),
}
"""The answer formats that fit each ranker; of rankers and formats from other packages nothing is known here."""
RATINGS = frozenset({"rating", "expected_rating"})
FIRST_TOKEN = frozenset({"label_logprobs", "expected_rating"})
"""The answer formats that read the first token of the answer, and nothing else."""
HISTORY = 40


Formats = Callable[[str], AnswerFormat]
"""Returns the answer format of a name; `llmrank.answers.answer_format`."""


def check(template: PromptTemplate, formats: Formats | None = None, view: View | None = None) -> list[Problem]:
    """Return what is wrong with a template, in the order of its lines; empty when all is well.

    Found by reading: undefined variables, undeclared attributes, a look at the truth, text outside the blocks, settings
    that do not go together. Found by rendering Cases with marked data: the truth in the prompt, events that should be
    hidden, candidates not shown or not in the order given, data that is taken for granted. With `formats`, an answer
    that does what the prompt asks for must be read back in full. It is rendered under every combination of options, or
    under one `view` alone.
    """
    problems = {*template.problems, *_settings(template)}
    if not template.problems:
        problems.update(_rendered(template, view))
        if formats is not None and not problems:
            problems.update(_read_back(template, formats, view))
    return sorted(problems)


def check_file(path: Path, formats: Formats | None = None) -> list[Problem]:
    """Return what is wrong with a template file; what cannot be read at all is the only Problem."""
    try:
        template = read_template(read_text(path), path, strict=False)
    except InputError as error:
        return [Problem.of(error, path)]
    return check(template, formats)


def transcript(messages: Sequence[Message]) -> str:
    """Return the messages as one text, each under its role."""
    return "\n\n".join(f"[{message.role}]\n{message.content}" for message in messages)


def shared_prefix(one: Sequence[Message], other: Sequence[Message]) -> str:
    """Return the longest text with which both transcripts begin: what a prefix cache can share."""
    return _shared(transcript(one), transcript(other))


def difference(before: Sequence[Message], after: Sequence[Message], names: tuple[str, str]) -> Iterator[str]:
    """Yield the unified diff of two transcripts, line by line; nothing where they are equal."""
    return unified_diff(transcript(before).split("\n"), transcript(after).split("\n"), *names, n=1, lineterm="")


def _settings(template: PromptTemplate) -> Iterator[Problem]:
    """Yield what does not go together in the front matter, and between it and the blocks."""
    front, names = template.front, template.names

    def problem(key: str, message: str, hint: str) -> Problem:
        lines = template.text.split("\n")
        if key in template.overridden:
            return Problem(template.path, 1, message, hint, f"--{key.replace('_', '-')}")
        line = next((number for number, line in enumerate(lines, start=1) if line.startswith(f"{key}:")), 1)
        return Problem(template.path, line, f"{key}: {message}", hint)

    stem = template.path.name.removesuffix(SUFFIX)
    if front.name != stem:
        yield problem("name", f"{front.name!r} is not the file's name {stem!r}", f"write `name: {stem}`")
    if front.task == "profile":
        if front.ranker or front.answer:
            key = "ranker" if front.ranker else "answer"
            yield problem(key, "a profile prompt ranks nothing; its answer is shown as it comes", f"leave {key!r} out")
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
            yield problem("ranker", f"{front.ranker!r} ranks, but this is a rating prompt", "write `ranker: pointwise`")
    if fitting is None and front.ranker not in added and (close := nearest(front.ranker, ANSWERS)):
        yield problem("ranker", f"unknown ranker {front.ranker!r}{close}", f"use one of {', '.join(ANSWERS)}")
    answers = [front.answer] if isinstance(front.answer, str) else list(front.answer.values())
    for answer in dict.fromkeys(answers):
        stray = answer in known or (answer not in added and nearest(answer, known))
        if fitting is not None and answer not in fitting and stray:
            what = f"{front.ranker} {front.task}" if front.task == "ranking" else "rating"
            # Whoever chose another ranker must hear of that option.
            key = "ranker" if "ranker" in template.overridden and "answer" not in template.overridden else "answer"
            yield problem(
                key,
                f"the answer format {answer!r} does not fit a {what} prompt{nearest(answer, fitting)}",
                f"use one of {', '.join(sorted(fitting))}",
            )
    if front.answer_for() is None:
        yield problem("answer", f"no format for `ids: {front.ids}`", f"add `{front.ids}: …` to the map")
    if front.thinking.on and FIRST_TOKEN & {*answers}:
        yield problem("thinking", "the first token is read, so the model cannot reason first", "write `thinking: off`")
    if front.thinking.on and front.constrain:
        yield problem("constrain", "a constraint would forbid the reasoning", "write `thinking: off`, or leave it out")
    if front.scale is not None and front.task == "rating":
        yield problem("scale", "a rating prompt uses the scale of the data", "leave it out")
    elif front.scale is not None and front.scale[0] >= front.scale[1]:
        yield problem("scale", "the lowest is not below the highest", "write for example `scale: [1, 10]`")
    if front.ids != "titles" and "identifier" not in names:
        yield problem("ids", f"{front.ids!r}, but no block shows `item.identifier`", "show it, or leave `ids` out")
    if front.ids == "titles" and front.needs_identifiers():
        yield problem(
            "answer",
            f"{front.answer_for()!r} reads identifiers, and items have none",
            "add `ids: numbers` or `ids: letters`",
        )
    freely = front.ranker not in ANSWERS or front.ranker == "listwise"
    if front.candidates == "catalogue" and not (freely and front.answer_for() in {"titles", "json"}):
        yield problem(
            "candidates",
            "a model that names items freely answers with titles",
            "write `answer: titles`, `ranker: listwise`",
        )
    if front.shots and "shot" not in template.blocks:
        yield problem("shots", f"{front.shots}, but there is no block 'shot'", "add `{% block shot %}…{% endblock %}`")
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
            yield problem("profile", f"{front.profile!r} is not a profile prompt", "name one with `task: profile`")


def _rendered(template: PromptTemplate, only: View | None = None) -> Iterator[Problem]:
    """Yield what shows only in the rendered prompt."""
    front, case, view = template.front, _case(template), View()
    line = template.lines["user"]

    def rendered(case: Case, view: View = view, shots: int = 0) -> tuple[Message, ...]:
        examples = [_solved(template, number) for number in range(shots)]
        return template.render(case, template.question(case, view), view=view, shots=examples, profile="marked profile")

    try:
        plain = rendered(case)
        for shown, shots in product(
            [only] if only else _views(template), (0, 1) if "shot" in template.blocks else (0,)
        ):
            rendered(case, shown, shots)
        rendered(case, View(history=3, history_order="newest-first", domain="books"))
        for bare in (_bare(case), replace(case, history=())):
            rendered(bare)
    except InputError as error:
        yield Problem.of(error, template.path, line)
        return

    def problem(message: str, hint: str) -> Problem:
        return Problem(template.path, line, message, hint)

    text = transcript(plain)
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
    elif _masked(transcript(rendered(turned)), case) != _masked(text, case):
        yield problem("another order of the candidates changes more than their order", "treat all candidates alike")


def _views(template: PromptTemplate) -> Iterator[View]:
    """Yield every combination of what options change: identifier scheme, history, scores."""
    front, schemes = template.front, list[Ids | None]([None])
    for ids in IDS if "identifier" in template.names else ():
        if front.answer_for(ids) is not None and not (ids == "titles" and front.needs_identifiers(ids)):
            schemes.append(ids)
    for ids, history, scores in product(
        schemes, (True, False), (False, True) if "score" in template.names else (False,)
    ):
        yield View(ids=ids, show_history=history, show_scores=scores)


def _read_back(template: PromptTemplate, formats: Formats, only: View | None) -> Iterator[Problem]:
    """Yield where an answer that does what the prompt asks for is not read back in full."""
    front = template.front
    if front.task == "profile" or front.ranker not in ANSWERS:
        return
    case = _case(template, named=True)
    where = "answer" if "answer" in template.overridden else ""
    line = next((n for n, text in enumerate(template.text.split("\n"), 1) if text.startswith("answer:")), 1)
    for view in [only] if only else _views(template):
        name = template.answer_for(view.ids)
        form = formats(name)
        for text, question, wanted in _obedient(template, name, form, case, view):
            answer = form.read(text, question)
            got = answer.ranked or answer.value
            if answer.outcome is not Outcome.OK or got != wanted:
                said = answer.reason or ", ".join(answer.repairs) or f"{got!r:.60}"
                scheme = view.ids or front.ids
                yield Problem(
                    template.path,
                    line,
                    f"{'' if where else 'answer: '}with `ids: {scheme}` the prompt asks for {text.text!r:.60}, which "
                    f"the format {name!r} does not read in full ({answer.outcome}: {said})",
                    "let the format follow the identifiers, as in `answer: {titles: titles, numbers: permutation}`",
                    f"--{where}" if where else "",
                )
                break


def _obedient(
    template: PromptTemplate, name: str, form: AnswerFormat, case: Case, view: View
) -> Iterator[tuple[Response, Question, object]]:
    """Yield answers as the prompt asks for them, each with its Question and what is to be read: ids, or a value.

    One has the form that the format is named for; the other is what a solved example shows as its answer.
    """
    question = template.question(case, view)
    count = min(question.top or len(question.items), len(question.items))
    items = question.items[:count]
    ids, named = tuple(item.item_id for item in items), question.identifiers[:count] or [item.title for item in items]
    labels = form.labels(question)
    even = Response("", label_logprobs={label: -math.log(len(labels)) for label in labels}) if labels else Response("")
    low, high = question.scale
    match name:
        case "titles":
            yield Response("\n".join(f"{n}. {item.title}" for n, item in enumerate(items, 1))), question, ids
        case "permutation":
            yield Response(" > ".join(f"[{identifier}]" for identifier in named)), question, ids
        case "json":
            yield Response(json.dumps({"ranking": list(named)})), question, ids
        case "choice":
            yield Response(named[0]), question, ids[:1]
        case "yes_no":
            yield Response("Yes"), question, 1.0
        case "rating":
            yield Response(f"{high:g}"), question, high
        case "label_logprobs":
            yield even, question, tuple(item.item_id for item in question.items)
        case _:
            pass
    if "shot" not in template.blocks or name == "expected_rating":
        return
    if template.front.task == "rating":
        solved, other, wanted = replace(case, rating=high), replace(case, rating=low), high
    else:
        solved, other, wanted = replace(case, relevant=ids), replace(case, relevant=()), ids
    texts = [template.render_shot(one, view=view) for one in (solved, other)]
    unscored = replace(view, show_scores=False)
    yield Response(texts[0][len(_shared(*texts)) :]), template.question(case, unscored), wanted


def _item(template: PromptTemplate, kind: str, number: int) -> Item:
    marks = {name: f"{name} of {kind} <{number}>" for name in template.front.attributes}
    return Item(f"{kind[0]}{number:03}x", f"Marked {kind} <{number}>", marks)


def _case(template: PromptTemplate, *, named: bool = False) -> Case:
    """Return a Case in which every text is marked, so that it can be found again; `named`: candidates with titles."""
    count = max(HISTORY, 2 * (template.front.history or 0))
    items = tuple(_item(template, "candidate", number) for number in range(12))
    if named:
        items = tuple(
            replace(one, title=f"The {WORDS[2 * n]} {WORDS[2 * n + 1]}".title()) for n, one in enumerate(items)
        )
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


def _shared(one: str, other: str) -> str:
    length = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    return one[: min(len(one), len(other)) if length is None else length]


def _masked(text: str, case: Case) -> str:
    """Return the text with what tells one candidate from another taken out."""
    for number, item in enumerate(case.candidates):
        for mark in (item.title, item.item_id, *item.attributes.values()):
            text = text.replace(mark, "·")
        if case.recall_scores is not None:
            text = text.replace(f"{case.recall_scores[number]:.4g}", "·")
    return text
