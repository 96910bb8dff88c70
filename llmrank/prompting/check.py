"""The template linter: it reads a template, and renders it with marked data, to find problems."""

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
from llmrank.plugin import plugin_names
from llmrank.prompting.front import NAME
from llmrank.prompting.identifiers import IDS, WORDS, Ids
from llmrank.prompting.library import SUFFIX, template_paths
from llmrank.prompting.template import BLOCKS, PLAIN_VIEW, PromptTemplate, read_template
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
"""The answer formats that fit each built-in ranker. Those from plugins fit any."""
RATINGS = frozenset({"rating", "expected_rating"})
FIRST_TOKEN = frozenset({"label_logprobs", "expected_rating"})
"""The answer formats that read only the first token of the answer."""
HISTORY = 40
MOST_HISTORY = 1000
"""The maximum number of events in a marked Case: `history:` can be any number, and each event takes memory."""


Formats = Callable[[str], AnswerFormat]
"""Returns an answer format by name: `llmrank.answers.answer_format`."""


def check(template: PromptTemplate, formats: Formats | None = None, view: View | None = None) -> list[InputError]:
    """Return the problems of a template, ordered by line; empty if there are none.

    Reading it finds undefined variables, undeclared attributes, references to the truth, text outside the blocks and
    conflicting settings. Rendering Cases with marked data finds a prompt that leaks the truth, shows events that should
    be hidden, omits or reorders candidates, or assumes data that may be missing. With `formats`, an answer as the
    prompt requests it must also be read back in full. The template is rendered under every combination of options, or
    under one `view`. A problem with an option rather than the file names that option as its field.
    """
    problems = [*template.problems, *(_located(template, *one) for one in _settings(template))]
    if not template.problems:
        problems += _rendered(template, view)
        if formats is not None and not problems:
            problems += (_located(template, *one) for one in _read_back(template, formats, view))
    return sorted({str(one): one for one in problems}.values(), key=lambda one: one.line or 0)


def check_file(path: Path, formats: Formats | None = None) -> list[InputError]:
    """Return the problems of a template file; if it cannot be read at all, that is the only one.

    Answers are read back for the prompt without options.
    """
    try:
        template = read_template(read_text(path), path, strict=False)
        return check(template) or check(template, formats, View())
    except InputError as error:
        return [error]


def transcript(messages: Sequence[Message]) -> str:
    """Return the messages as one text, each preceded by its role."""
    return "\n\n".join(f"[{message.role}]\n{message.content}" for message in messages)


def shared_prefix(one: Sequence[Message], other: Sequence[Message]) -> str:
    """Return the longest common prefix of two transcripts: what a prefix cache can share."""
    return commonprefix((transcript(one), transcript(other)))  # noqa: RUF071 - by character, not by path part


def difference(before: Sequence[Message], after: Sequence[Message], names: tuple[str, str]) -> Iterator[str]:
    """Yield the lines of the unified diff of two transcripts; none if they are equal."""
    return unified_diff(transcript(before).split("\n"), transcript(after).split("\n"), *names, n=1, lineterm="")


Problem = tuple[str, str, str]
"""A block or a key of the front matter, what is wrong there, and what to do about it."""


def _located(template: PromptTemplate, place: str, problem: str, hint: str) -> InputError:
    """Return a problem with its line: of the block, or of the key, unless an option overrides it."""
    if place in BLOCKS:
        return InputError(problem, path=template.path, line=template.lines[place], hint=hint)
    if place in template.overridden:
        return InputError(problem, field=place, hint=hint)
    lines = enumerate(template.text.split("\n"), start=1)
    line = next((number for number, text in lines if text.startswith(f"{place}:")), 1)
    return InputError(problem, path=template.path, line=line, field=place, hint=hint)


def _settings(template: PromptTemplate) -> Iterator[Problem]:
    """Yield conflicts within the front matter, and between it and the blocks."""
    front = template.front
    stem = template.path.name.removesuffix(SUFFIX)
    if front.name != stem:
        can_be = re.fullmatch(NAME, stem) is not None
        hint = f"write `name: {stem}`" if can_be else f"rename the file to {front.name}{SUFFIX}"
        yield "name", f"{front.name!r} is not the file's name {stem!r}", hint
    if front.task == "profile":
        what = "a profile prompt does not rank; its answer is used unchanged"
        for key in filter(partial(getattr, front), ("ranker", "answer")):
            yield key, what, f"remove {key!r}"
    elif front.ranker is None or front.answer is None:
        key = "ranker" if front.ranker is None else "answer"
        yield "task", f"a {front.task} prompt needs the key {key!r}", f"add `{key}: …`"
    else:
        yield from _method(template, front.ranker, front.answer)
        for rules in (_answering, _naming, _beside):
            yield from rules(template)


def _answering(template: PromptTemplate) -> Iterator[Problem]:
    """Yield problems that make the requested answer impossible."""
    front = template.front
    if front.answer_for() is None:
        yield "answer", f"no format for `ids: {front.ids}`", f"add `{front.ids}: …` to the map"
    if front.thinking.on and front.constrain:
        yield "constrain", "a constraint would prevent the reasoning", f"{_off(template)}, or remove the key"
    if front.scale is not None and front.task == "rating":
        yield "scale", "a rating prompt uses the scale of the data", "remove the key"
    elif front.scale is not None and front.scale[0] >= front.scale[1]:
        yield "scale", "the lowest value must be below the highest", "write, for example, `scale: [1, 10]`"


def _naming(template: PromptTemplate) -> Iterator[Problem]:
    """Yield mismatches between how items are shown and how the answer names them."""
    front, answer = template.front, template.front.answer_for()
    if taken := {*FIELDS["item"], *TRUTH}.intersection(front.attributes):
        yield "attributes", f"{min(taken)!r} is reserved by llmrank", "rename the column"
    if front.ids != "titles" and "identifier" not in template.names:
        yield "ids", f"{front.ids!r}, but no block shows `item.identifier`", "show it, or remove `ids`"
    if front.ids == "titles" and front.needs_identifiers():
        hint = "add `ids: numbers` or `ids: letters`"
        yield "answer", f"{answer!r} reads identifiers, but items have none", hint
    freely = front.ranker not in ANSWERS or front.ranker == "listwise"
    if front.candidates == "catalogue" and not (freely and answer in {"titles", "json", "one_title"}):
        hint = "write `answer: titles`, `ranker: listwise`"
        yield "candidates", "a model that names items freely must answer with titles", hint


def _beside(template: PromptTemplate) -> Iterator[Problem]:
    """Yield problems with solved examples and the user's profile."""
    front, names = template.front, template.names
    if front.shots and "shot" not in template.blocks:
        yield "shots", f"{front.shots}, but there is no block 'shot'", "add `{% block shot %}…{% endblock %}`"
    if "shot" in template.blocks and "shots" not in names:
        yield "shot", "no block shows `shots`", "loop over `shots` in block user"
    if "shot" in template.blocks and front.about_one_item and front.task == "ranking":
        problem = "a ranking prompt about one item at a time has no solved examples"
        yield "shot", problem, "remove the block 'shot'"
    if front.profile is None:
        return
    if "profile" not in names:
        yield "profile", "no block shows `profile`", "show it, or remove `profile`"
    if front.profile not in (paths := template_paths()):
        close = nearest(front.profile, paths)
        yield "profile", f"unknown prompt {front.profile!r}{close}", "name an existing template"
    elif read_template(read_text(paths[front.profile]), paths[front.profile], strict=False).front.task != "profile":
        yield "profile", f"{front.profile!r} is not a profile prompt", "name one with `task: profile`"


def _method(template: PromptTemplate, ranker: str, answer: str | Mapping[Ids, str]) -> Iterator[Problem]:
    """Yield conflicts between task, ranker and answer formats."""
    front = template.front
    rates, install = front.task == "rating", "or install the package that adds it"
    if rates and ranker in ANSWERS and ranker != "pointwise":
        yield "ranker", f"{ranker!r} ranks, but this is a rating prompt", "write `ranker: pointwise`"
    if ranker not in {*ANSWERS, *plugin_names("llmrank.rankers")}:
        close = nearest(ranker, ANSWERS) or ": not one of the installed rankers that use a prompt"
        yield "ranker", f"unknown ranker {ranker!r}{close}", f"use one of {', '.join(ANSWERS)}; {install}"
    answers = {answer} if isinstance(answer, str) else {*answer.values()}
    known, added = frozenset[str]().union(*ANSWERS.values()), plugin_names("llmrank.answers")
    fitting = RATINGS if rates else ANSWERS.get(ranker, known)
    for name in sorted(answers - fitting):
        if name not in {*known, *added}:
            close = nearest(name, fitting) or ": not one of the installed formats"
            hint = f"use one of {', '.join(sorted(fitting))}; {install}"
            yield "answer", f"unknown answer format {name!r}{close}", hint
        elif name in known:  # formats from plugins fit any prompt
            # If an option chose the ranker, blame that option.
            key = "ranker" if "ranker" in template.overridden and "answer" not in template.overridden else "answer"
            what = f"does not fit a {'rating' if rates else f'{ranker} ranking'} prompt"
            yield key, f"the answer format {name!r} {what}", f"use one of {', '.join(sorted(fitting))}"
    if ranker in ANSWERS and not rates and ranker != "pointwise" and "target" in template.names:
        hint = "use pointwise, or a prompt that shows `candidates` (see `llmrank prompts list`)"
        yield "ranker", f"the prompt asks about one item, its `target`, but {ranker} compares several", hint
    if front.thinking.on and FIRST_TOKEN & answers:
        yield "thinking", "only the first token is read, so the model cannot reason first", _off(template)


def _off(template: PromptTemplate) -> str:
    """Return the hint to switch reasoning off where it was switched on."""
    return "use --thinking off" if "thinking" in template.overridden else "write `thinking: off`"


def _render(
    template: PromptTemplate, case: Case, view: View = PLAIN_VIEW, shots: Sequence[Case] = ()
) -> tuple[Message, ...]:
    return template.render(case, template.question(case, view), view=view, shots=shots, profile="marked profile")


def _rendered(template: PromptTemplate, only: View | None = None) -> Iterator[InputError]:
    """Yield problems visible only in the rendered prompt."""
    case = _case(template)
    shot = replace(case, user_id="example", history=case.history[:5])
    examples = ((), (shot,)) if "shot" in template.blocks else ((),)
    try:
        plain = _render(template, case)
        for view, shots in product([only] if only else _views(template), examples):
            _render(template, case, view, shots)
        _render(template, case, View(history=3, history_order="newest-first", domain="books"))
        one_less = (_case(template, lacking=name) for name in template.front.attributes)
        for bare in (_case(template, bare=True), replace(case, history=()), *one_less):
            _render(template, bare)
    except InputError as error:  # drop its user, who is made up
        line = error.line or template.lines["user"]
        yield InputError(error.problem, path=template.path, line=line, hint=error.hint)
        return
    for problem, hint in _shown(template, case, plain, only or PLAIN_VIEW):
        yield _located(template, "user", problem, hint)


def _shown(template: PromptTemplate, case: Case, plain: tuple[Message, ...], view: View) -> Iterator[tuple[str, str]]:
    """Yield problem and hint for everything that a prompt wrongly shows or omits."""
    front, text = template.front, transcript(plain)
    if _render(template, replace(case, relevant=(case.candidates[3].item_id,), rating=2.0)) != plain:
        yield "the prompt changes with the truth", "show only the history and the candidates"
    limit = len(case.history) if front.history is None else front.history
    late = [event.item.title for event in case.history[: len(case.history) - limit] if event.item.title in text]
    if late:
        yield f"events beyond the newest {limit} are shown: {late[0]!r}", "show `history` and nothing else"
    if limit and "history" in template.names and case.history[-1].item.title not in text:
        hint = "loop over all of `history`; `history:` already limits its length"
        yield "the newest event is not shown", hint
    if front.task == "profile" or front.candidates == "catalogue":
        return
    if not front.about_one_item:
        yield from _candidates(template, case, text)
        yield from _identifiers(template, case, view)
    elif case.target is not None and case.target.title not in text:
        yield "the item asked about is not shown", "show `target.title`"


def _candidates(template: PromptTemplate, case: Case, text: str) -> Iterator[tuple[str, str]]:
    """Yield problem and hint if candidates are omitted, reordered or treated differently."""
    places = [text.find(item.title) for item in case.candidates]
    turned = replace(case, candidates=case.candidates[::-1])
    if hidden := places.count(-1):
        yield f"the prompt does not show {hidden} of {len(places)} candidates", "loop over all of `candidates`"
    elif places != sorted(places):
        yield "the candidates are not in the order given", "loop over `candidates` without sorting"
    elif _masked(transcript(_render(template, turned)), case) != _masked(text, case):
        yield "reordering the candidates changes more than their order", "treat all candidates alike"
    elif joined := next(filter(partial(_is_joined, case), text.split("\n")), ""):
        hint = "Jinja drops the line break after a block tag: end the line with `+%}` instead of `%}`"
        yield f"several candidates are on one line of a list: {joined[:40]!r}…", hint


def _is_joined(case: Case, line: str) -> bool:
    """Return whether a list line holds several candidates, each preceded by the same bullet."""
    mark = line.lstrip()[:2]
    return mark in {"- ", "* ", "• "} and line.count(mark) >= sum(item.title in line for item in case.candidates) > 1


def _identifiers(template: PromptTemplate, case: Case, view: View) -> Iterator[tuple[str, str]]:
    """Yield problem and hint if candidates are shown without the identifier that the answer uses."""
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
        problem = f"the prompt shows {missing} of {len(titles)} candidates without the identifier that the answer uses"
        yield problem, "show `item.identifier` beside each"


def _around(text: str, titles: Sequence[str]) -> list[str]:
    """Return the text around each title, up to its neighbouring titles."""
    starts = [text.find(title) for title in titles]
    ends = [start + len(title) for start, title in zip(starts, titles, strict=True)]
    after = [*starts[1:], ends[-1] + _BEHIND]
    return [text[end:start] for end, start in zip([max(0, starts[0] - _BEHIND), *ends[:-1]], after, strict=True)]


_BEHIND = 80
"""Characters before the first and after the last title that count as around it."""


def _views(template: PromptTemplate) -> Iterator[View]:
    """Yield every combination of options: identifier scheme, history, scores."""
    front, schemes = template.front, list[Ids | None]([None])
    for ids in IDS if "identifier" in template.names else ():
        if front.answer_for(ids) is not None and not (ids == "titles" and front.needs_identifiers(ids)):
            schemes.append(ids)
    scores = (False, True) if "score" in template.names else (False,)
    for ids, history, score in product(schemes, (True, False), scores):
        yield View(ids=ids, show_history=history, show_scores=score)


def _read_back(template: PromptTemplate, formats: Formats, only: View | None) -> Iterator[Problem]:
    """Yield a problem if an answer as the prompt requests it is not read back in full."""
    if template.front.task == "profile" or template.front.ranker not in ANSWERS:
        return
    for view in [only] if only else _views(template):
        name = template.answer_for(view.ids)
        form, question = formats(name), template.question(_case(template), view)
        for text, wanted in _obedient(template, form, question, view):
            answer = form.read(text, question)
            got = answer.ranked or answer.value
            if answer.outcome is not Outcome.OK or got != wanted:
                reason = answer.reason or ", ".join(answer.repairs) or f"{got!r:.60}"
                asked = f"with `ids: {view.ids or template.front.ids}` the prompt asks for {text.text!r:.60}"
                problem = f"{asked}, which the format {name!r} does not read in full ({answer.outcome}: {reason})"
                hint = "give a format per identifier scheme, as in `answer: {titles: titles, numbers: permutation}`"
                yield "answer", problem, hint
                break


def _obedient(
    template: PromptTemplate, form: AnswerFormat, question: Question, view: View
) -> Iterator[tuple[Response, object]]:
    """Yield answers as the prompt requests them, each with the expected reading: ids, or a value.

    The first has the standard form of the format; the second is the answer shown by a solved example.
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


def _case(template: PromptTemplate, *, bare: bool = False, lacking: str = "") -> Case:
    """Return a Case whose texts are all unique, so that a prompt can be searched for them; titles are film-like.

    `bare` omits everything that data may lack; `lacking` is one attribute to omit.
    """

    def item(kind: str, number: int, title: str | None = None) -> Item:
        names = () if bare else template.front.attributes
        marks = {name: f"{name} of {kind} <{number}>" for name in names if name != lacking}
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
    """Mask everything in the text that distinguishes candidates."""
    for number, item in enumerate(case.candidates):
        for mark in (item.title, item.item_id, *item.attributes.values()):
            text = text.replace(mark, "·")
        if case.recall_scores is not None:
            text = text.replace(f"{case.recall_scores[number]:.4g}", "·")
    return text
