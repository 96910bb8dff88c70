"""The linter: what is wrong with a template, found by reading it and by rendering it with marked data."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import unified_diff
from functools import partial
from itertools import product
from os.path import commonprefix
from pathlib import Path

from llmrank.errors import InputError, nearest
from llmrank.plugin import KINDS, plugin_names
from llmrank.prompting.front import NAME
from llmrank.prompting.identifiers import IDS, WORDS, Ids
from llmrank.prompting.library import SUFFIX, template_paths
from llmrank.prompting.template import PLAIN_VIEW, PromptTemplate, read_template
from llmrank.prompting.variables import FIELDS, TRUTH
from llmrank.prompting.view import View
from llmrank.types import AnswerFormat, Case, Event, Item, Message, Outcome, Question, Response
from llmrank.yaml_text import read_text

ANSWERS: Mapping[str, frozenset[str]] = {
    "listwise": frozenset({"titles", "permutation", "json", "one_title"}),
    "sliding_window": frozenset({"titles", "permutation", "json", "label_logprobs"}),
    "first_token": frozenset({"label_logprobs"}),
    "pointwise": frozenset({"rating", "expected_rating", "yes_no"}),
    "pairwise": frozenset({"choice", "label_logprobs", "yes_no"}),
    "setwise": frozenset({"choice", "label_logprobs"}),
    "tournament": frozenset({"titles", "permutation", "json"}),
    "acurank": frozenset({"titles", "permutation", "json", "label_logprobs"}),
}
"""The answer formats that fit each ranker; of rankers and formats from other packages nothing is known here."""
RATINGS = frozenset({"rating", "expected_rating"})
FIRST_TOKEN = frozenset({"label_logprobs", "expected_rating"})
"""The answer formats that read the first token of the answer, and nothing else."""
HISTORY = 40
MOST_HISTORY = 1000
"""Events of a Case that is rendered to find faults: `history:` may be any number, and each takes memory."""


Formats = Callable[[str], AnswerFormat]
"""Returns the answer format of a name; `llmrank.answers.answer_format`."""


def check(template: PromptTemplate, formats: Formats | None = None, view: View | None = None) -> list[InputError]:
    """Return what is wrong with a template, in the order of its lines; empty when all is well.

    Found by reading: undefined variables, undeclared attributes, a look at the truth, text outside the blocks, settings
    that do not go together. Found by rendering Cases with marked data: the truth in the prompt, events that should be
    hidden, candidates not shown or not in the order given, data that is taken for granted. With `formats`, an answer
    that does what the prompt asks for must be read back in full. It is rendered under every combination of options, or
    under one `view` alone. What is wrong with an option, and not with the file, has that option as its field.
    """
    problems = [*template.problems, *_settings(template)]
    if not template.problems:
        problems += _rendered(template, view)
        if formats is not None and not problems:
            problems += _read_back(template, formats, view)
    return sorted({str(one): one for one in problems}.values(), key=lambda one: one.line or 0)


def check_file(path: Path, formats: Formats | None = None) -> list[InputError]:
    """Return what is wrong with a template file; what cannot be read at all is the only problem.

    An answer is read back as the prompt asks for it without options.
    """
    try:
        template = read_template(read_text(path), path, strict=False)
        return check(template) or check(template, formats, View())
    except InputError as error:
        return [error]


def transcript(messages: Sequence[Message]) -> str:
    """Return the messages as one text, each under its role."""
    return "\n\n".join(f"[{message.role}]\n{message.content}" for message in messages)


def shared_prefix(one: Sequence[Message], other: Sequence[Message]) -> str:
    """Return the longest text with which both transcripts begin: what a prefix cache can share."""
    return commonprefix((transcript(one), transcript(other)))  # noqa: RUF071 - characters are what is meant


def difference(before: Sequence[Message], after: Sequence[Message], names: tuple[str, str]) -> Iterator[str]:
    """Yield the unified diff of two transcripts, line by line; nothing where they are equal."""
    return unified_diff(transcript(before).split("\n"), transcript(after).split("\n"), *names, n=1, lineterm="")


def _at_key(template: PromptTemplate, key: str, problem: str, hint: str) -> InputError:
    """Return what is wrong with a key of the front matter, or with the option that has replaced it."""
    if key in template.overridden:
        return InputError(problem, field=f"--{key.replace('_', '-')}", hint=hint)
    lines = enumerate(template.text.split("\n"), start=1)
    line = next((number for number, text in lines if text.startswith(f"{key}:")), 1)
    return InputError(problem, path=template.path, line=line, field=key, hint=hint)


def _settings(template: PromptTemplate) -> Iterator[InputError]:
    """Yield what does not go together in the front matter, and between it and the blocks."""
    front, problem = template.front, partial(_at_key, template)
    stem = template.path.name.removesuffix(SUFFIX)
    if front.name != stem:
        can_be = re.fullmatch(NAME, stem) is not None
        hint = f"write `name: {stem}`" if can_be else f"call the file {front.name}{SUFFIX}"
        yield problem("name", f"{front.name!r} is not the file's name {stem!r}", hint)
    if front.task == "profile":
        what = "a profile prompt ranks nothing; its answer is shown as it comes"
        for key in filter(partial(getattr, front), ("ranker", "answer")):
            yield problem(key, what, f"leave {key!r} out")
    elif front.ranker is None or front.answer is None:
        key = "ranker" if front.ranker is None else "answer"
        yield problem("task", f"a {front.task} prompt needs the key {key!r}", f"add `{key}: …`")
    else:
        yield from _method(template, front.ranker, front.answer)
        for rules in (_answering, _naming, _beside):
            yield from rules(template)


def _answering(template: PromptTemplate) -> Iterator[InputError]:
    """Yield where the answer that is asked for cannot be given."""
    front, problem = template.front, partial(_at_key, template)
    if front.answer_for() is None:
        yield problem("answer", f"no format for `ids: {front.ids}`", f"add `{front.ids}: …` to the map")
    if front.thinking.on and front.constrain:
        yield problem("constrain", "a constraint would forbid the reasoning", "write `thinking: off`, or leave it out")
    if front.scale is not None and front.task == "rating":
        yield problem("scale", "a rating prompt uses the scale of the data", "leave it out")
    elif front.scale is not None and front.scale[0] >= front.scale[1]:
        yield problem("scale", "the lowest is not below the highest", "write for example `scale: [1, 10]`")


def _naming(template: PromptTemplate) -> Iterator[InputError]:
    """Yield where items are not shown as they are to be named, or are named as they must not be."""
    front, answer, problem = template.front, template.front.answer_for(), partial(_at_key, template)
    if taken := {*FIELDS["item"], *TRUTH}.intersection(front.attributes):
        what, hint = f"{min(taken)!r} is a field of llmrank's own, or the truth", "give the column another name"
        yield problem("attributes", what, hint)
    if front.ids != "titles" and "identifier" not in template.names:
        yield problem("ids", f"{front.ids!r}, but no block shows `item.identifier`", "show it, or leave `ids` out")
    if front.ids == "titles" and front.needs_identifiers():
        hint = "add `ids: numbers` or `ids: letters`"
        yield problem("answer", f"{answer!r} reads identifiers, and items have none", hint)
    freely = front.ranker not in ANSWERS or front.ranker == "listwise"
    if front.candidates == "catalogue" and not (freely and answer in {"titles", "json", "one_title"}):
        hint = "write `answer: titles`, `ranker: listwise`"
        yield problem("candidates", "a model that names items freely answers with titles", hint)


def _beside(template: PromptTemplate) -> Iterator[InputError]:
    """Yield what is wrong with what a prompt shows beside the items: solved examples, and the user's profile."""
    front, names, problem = template.front, template.names, partial(_at_key, template)
    if front.shots and "shot" not in template.blocks:
        yield problem("shots", f"{front.shots}, but there is no block 'shot'", "add `{% block shot %}…{% endblock %}`")
    if "shot" in template.blocks and "shots" not in names:
        line, hint = template.lines["shot"], "loop over `shots` in block user"
        yield InputError("no block shows `shots`", path=template.path, line=line, hint=hint)
    if front.profile is None:
        return
    if "profile" not in names:
        yield problem("profile", "no block shows `profile`", "show it, or leave `profile` out")
    if front.profile not in (paths := template_paths()):
        close = nearest(front.profile, paths)
        yield problem("profile", f"unknown prompt {front.profile!r}{close}", "name a template")
    elif read_template(read_text(paths[front.profile]), paths[front.profile], strict=False).front.task != "profile":
        yield problem("profile", f"{front.profile!r} is not a profile prompt", "name one with `task: profile`")


def _method(template: PromptTemplate, ranker: str, answer: str | Mapping[Ids, str]) -> Iterator[InputError]:
    """Yield where task, ranker and answer formats do not go together."""
    front, problem = template.front, partial(_at_key, template)
    added = {name for group in KINDS for name in plugin_names(group)}
    rates = front.task == "rating"
    if rates and ranker in ANSWERS and ranker != "pointwise":
        yield problem("ranker", f"{ranker!r} ranks, but this is a rating prompt", "write `ranker: pointwise`")
    if ranker not in {*ANSWERS, *added} and (close := nearest(ranker, ANSWERS)):
        yield problem("ranker", f"unknown ranker {ranker!r}{close}", f"use one of {', '.join(ANSWERS)}")
    answers = {answer} if isinstance(answer, str) else {*answer.values()}
    fitting, known = RATINGS if rates else ANSWERS.get(ranker), frozenset[str]().union(*ANSWERS.values())
    for name in sorted(answers if fitting is None else answers - fitting):
        # Of a format from another package nothing is known here.
        if fitting is not None and (name in known or (name not in added and nearest(name, known))):
            # Whoever chose another ranker must hear of that option.
            key = "ranker" if "ranker" in template.overridden and "answer" not in template.overridden else "answer"
            what = f"does not fit a {'rating' if rates else f'{ranker} ranking'} prompt{nearest(name, fitting)}"
            yield problem(key, f"the answer format {name!r} {what}", f"use one of {', '.join(sorted(fitting))}")
    if front.thinking.on and FIRST_TOKEN & answers:
        yield problem("thinking", "the first token is read, so the model cannot reason first", "write `thinking: off`")


def _render(
    template: PromptTemplate, case: Case, view: View = PLAIN_VIEW, shots: Sequence[Case] = ()
) -> tuple[Message, ...]:
    return template.render(case, template.question(case, view), view=view, shots=shots, profile="marked profile")


def _rendered(template: PromptTemplate, only: View | None = None) -> Iterator[InputError]:
    """Yield what shows only in the rendered prompt."""
    case, line = _case(template), template.lines["user"]
    shot = replace(case, user_id="example", history=case.history[:5])
    examples = ((), (shot,)) if "shot" in template.blocks else ((),)
    try:
        plain = _render(template, case)
        for view, shots in product([only] if only else _views(template), examples):
            _render(template, case, view, shots)
        _render(template, case, View(history=3, history_order="newest-first", domain="books"))
        for bare in (_case(template, bare=True), replace(case, history=())):
            _render(template, bare)
    except InputError as error:  # about a user that there is not
        yield InputError(error.problem, path=template.path, line=error.line or line, hint=error.hint)
        return
    for problem, hint in _shown(template, case, plain, only or PLAIN_VIEW):
        yield InputError(problem, path=template.path, line=line, hint=hint)


def _shown(template: PromptTemplate, case: Case, plain: tuple[Message, ...], view: View) -> Iterator[tuple[str, str]]:
    """Yield what a prompt shows that it should not, and what it does not show, each with what to do."""
    front, text = template.front, transcript(plain)
    if _render(template, replace(case, relevant=(case.candidates[3].item_id,), rating=2.0)) != plain:
        yield "the prompt changes with the truth", "show only the history and the candidates"
    limit = len(case.history) if front.history is None else front.history
    late = [event.item.title for event in case.history[: len(case.history) - limit] if event.item.title in text]
    if late:
        yield f"events beyond the newest {limit} are shown: {late[0]!r}", "show `history` and nothing else"
    if limit and "history" in template.names and case.history[-1].item.title not in text:
        hint = "loop over all of `history`; `history:` says how many there are to be"
        yield "the newest event is not shown", hint
    if front.task == "profile" or front.candidates == "catalogue":
        return
    if not front.about_one_item:
        yield from _candidates(template, case, text)
        yield from _identifiers(template, case, view)
    elif case.target is not None and case.target.title not in text:
        yield "the item asked about is not shown", "show `target.title`"


def _candidates(template: PromptTemplate, case: Case, text: str) -> Iterator[tuple[str, str]]:
    """Yield where the candidates are not all shown, in their order and alike."""
    places = [text.find(item.title) for item in case.candidates]
    turned = replace(case, candidates=case.candidates[::-1])
    if hidden := places.count(-1):
        yield f"{hidden} of {len(places)} candidates are not shown", "loop over all of `candidates`"
    elif places != sorted(places):
        yield "the candidates are not in the order given", "loop over `candidates` without sorting"
    elif _masked(transcript(_render(template, turned)), case) != _masked(text, case):
        yield "another order of the candidates changes more than their order", "treat all candidates alike"
    elif joined := next(filter(partial(_is_joined, case), text.split("\n")), ""):
        hint = "the line break after a block tag is dropped: end the line with `+%}` in place of `%}`"
        yield f"several candidates stand on one line of a list: {joined[:40]!r}…", hint


def _is_joined(case: Case, line: str) -> bool:
    """Return whether a line holds several candidates, each behind the mark of a list with which the line begins."""
    mark = line.lstrip()[:2]
    return mark in {"- ", "* ", "• "} and line.count(mark) >= sum(item.title in line for item in case.candidates) > 1


def _identifiers(template: PromptTemplate, case: Case, view: View) -> Iterator[tuple[str, str]]:
    """Yield where a candidate is shown without the identifier by which the answer names it."""
    question = template.question(case, view)
    if not (template.front.needs_identifiers(view.ids) and question.identifiers):
        return
    first, *others = question.identifiers
    titles = [item.title for item in case.candidates]
    around = [
        _around(transcript(template.render(case, one, view=view, profile="marked profile")), titles)
        for one in (question, replace(question, identifiers=(*others, first)))
    ]
    if missing := sum(one == other for one, other in zip(*around, strict=True)):
        said = f"{missing} of {len(titles)} candidates are shown without the identifier that the answer names"
        yield said, "show `item.identifier` beside each"


def _around(text: str, titles: Sequence[str]) -> list[str]:
    """Return what stands in a prompt around each title, up to those before and behind it."""
    starts = [text.find(title) for title in titles]
    ends = [start + len(title) for start, title in zip(starts, titles, strict=True)]
    after = [*starts[1:], ends[-1] + _BEHIND]
    return [text[end:start] for end, start in zip([max(0, starts[0] - _BEHIND), *ends[:-1]], after, strict=True)]


_BEHIND = 80
"""Characters around the first and the last candidate that belong to it."""


def _views(template: PromptTemplate) -> Iterator[View]:
    """Yield every combination of what options change: identifier scheme, history, scores."""
    front, schemes = template.front, list[Ids | None]([None])
    for ids in IDS if "identifier" in template.names else ():
        if front.answer_for(ids) is not None and not (ids == "titles" and front.needs_identifiers(ids)):
            schemes.append(ids)
    scores = (False, True) if "score" in template.names else (False,)
    for ids, history, score in product(schemes, (True, False), scores):
        yield View(ids=ids, show_history=history, show_scores=score)


def _read_back(template: PromptTemplate, formats: Formats, only: View | None) -> Iterator[InputError]:
    """Yield where an answer that does what the prompt asks for is not read back in full."""
    if template.front.task == "profile" or template.front.ranker not in ANSWERS:
        return
    for view in [only] if only else _views(template):
        name = template.answer_for(view.ids)
        form, question = formats(name), template.question(_case(template), view)
        for text, wanted in _obedient(template, form, question, view):
            answer = form.read(text, question)
            got = answer.ranked or answer.value
            if answer.outcome is not Outcome.OK or got != wanted:
                said = answer.reason or ", ".join(answer.repairs) or f"{got!r:.60}"
                asked = f"with `ids: {view.ids or template.front.ids}` the prompt asks for {text.text!r:.60}"
                problem = f"{asked}, which the format {name!r} does not read in full ({answer.outcome}: {said})"
                hint = "let the format follow the identifiers, as in `answer: {titles: titles, numbers: permutation}`"
                yield _at_key(template, "answer", problem, hint)
                break


def _obedient(
    template: PromptTemplate, form: AnswerFormat, question: Question, view: View
) -> Iterator[tuple[Response, object]]:
    """Yield answers as the prompt asks for them, each with what is to be read: ids, or a value.

    One has the form that the format is named for; the other is what a solved example shows as its answer.
    """
    count = min(question.top or len(question.items), len(question.items))
    items = question.items[:count]
    ids, named = tuple(item.item_id for item in items), question.identifiers[:count] or [item.title for item in items]
    labels, high = form.labels(question), question.scale[1]
    even = dict.fromkeys(labels, -math.log(len(labels))) if labels else None
    obedient: dict[str, tuple[Response, object]] = {
        "titles": (Response("\n".join(f"{n}. {item.title}" for n, item in enumerate(items, 1))), ids),
        "permutation": (Response(" > ".join(f"[{identifier}]" for identifier in named)), ids),
        "json": (Response(json.dumps({"ranking": list(named)})), ids),
        "choice": (Response(named[0]), ids[:1]),
        "one_title": (Response(items[0].title), ids[:1]),
        "yes_no": (Response("Yes"), 1.0),
        "rating": (Response(f"{high:g}"), high),
        "label_logprobs": (Response("", label_logprobs=even), tuple(item.item_id for item in question.items)),
    }
    if form.name in obedient:
        yield obedient[form.name]
    if "shot" not in template.blocks or form.name == "expected_rating":
        return
    case, rates = _case(template), template.front.task == "rating"
    solved = replace(case, rating=high) if rates else replace(case, relevant=ids)
    other = replace(case, rating=question.scale[0]) if rates else replace(case, relevant=())
    texts = [template.render_shot(one, view=view) for one in (solved, other)]
    yield Response(texts[0][len(commonprefix(texts)) :]), high if rates else ids  # noqa: RUF071


def _case(template: PromptTemplate, *, bare: bool = False) -> Case:
    """Return a Case in which every text can be found again; its candidates have titles such as films have.

    `bare`: without anything that data may lack.
    """

    def item(kind: str, number: int, title: str | None = None) -> Item:
        marks = {} if bare else {name: f"{name} of {kind} <{number}>" for name in template.front.attributes}
        return Item(f"{kind[0]}{number:03}x", title or f"Marked {kind} <{number}>", marks)

    titles = [f"The {one} {other}".title() for one, other in zip(WORDS[:24:2], WORDS[1:24:2], strict=True)]
    items = tuple(item("candidate", number, title) for number, title in enumerate(titles))
    events = [
        Event(item("event", n)) if bare else Event(item("event", n), 1.0 + n % 5, 8.7e8 + n * 86_400)
        for n in range(max(HISTORY, min(MOST_HISTORY, 2 * (template.front.history or 0))))
    ]
    scores = None if bare else tuple(0.7531 + number / 10_000 for number in range(len(items)))
    case = Case("marked user", tuple(events), items, scores, relevant=(items[5].item_id,))
    return replace(case, target=item("target", 0), rating=4.0) if template.front.about_one_item else case


def _masked(text: str, case: Case) -> str:
    """Return the text with what tells one candidate from another taken out."""
    for number, item in enumerate(case.candidates):
        for mark in (item.title, item.item_id, *item.attributes.values()):
            text = text.replace(mark, "·")
        if case.recall_scores is not None:
            text = text.replace(f"{case.recall_scores[number]:.4g}", "·")
    return text
