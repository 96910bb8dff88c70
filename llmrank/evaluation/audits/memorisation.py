"""`memorisation`: items and events of the data asked for by heart, and each Case without its titles."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

from llmrank.answers import answer_format
from llmrank.audit import Dated, Recall, memorisation, without_titles
from llmrank.audit.memorisation import ANONYMOUS, LATER, NAMED
from llmrank.data.cases import held_out
from llmrank.errors import InputError
from llmrank.evaluation.audits.options import PARTS, MemorisationOptions
from llmrank.evaluation.audits.plan import AuditPlan, Change, as_it_is, changing_cases, refuse_catalogue, template_of
from llmrank.evaluation.cases import CaseSet, cases_hash
from llmrank.evaluation.evaluate import Evaluation
from llmrank.evaluation.method import with_settings
from llmrank.evaluation.settings import PromptSettings
from llmrank.prompting import DOMAINS, PromptTemplate, View, find_domain, read_template
from llmrank.run.metrics import parse_measures
from llmrank.types import Case, Event, Item, Question, Response

EXAMPLES = 5
"""Lines of the data that are shown before an id is asked for."""
SHOWN = 20
"""Events that are shown before the next one is asked for, at most."""
LATER_EVENTS = 10
"""Events after the next one, at most, that are as likely to be named by a model that does not know the order."""
LEAST_EVENTS = 3
"""Of those that are shown, and of those after the next one, at least."""
CATALOGUE = 500
"""Titles among which an answer is looked for, where no more are asked for: others that are like the right one make a
text ambiguous that could mean either."""

YEAR = re.compile(r"\s*\((?:18|19|20)\d\d\)\s*$")
FRONT = """---
name: memorisation-{part}
task: ranking
ranker: listwise
answer: one_title
history: {history}
top: 1
candidates: catalogue
sampling: {{temperature: 0, max_tokens: 64}}
---
{{% block user %}}
"""
TEXTS: Mapping[Recall, str] = {
    "titles": """The data set {{ known_as }} has {% if domain.item == "item" %}an item{% else %}a {{ domain.item }}{%
endif %} whose title begins with "{{ newest.title }}". Answer with its whole title and nothing else.
""",
    "ids": """These are lines of the data set {{ known_as }}, item id and title:
{% for event in history[:-1] %}{{ event.item_id }}::{{ event.title }}
{% endfor %}
Which title stands behind {{ newest.item_id }}:: in it? Answer with the title and nothing else.
""",
    "next": """In the data set {{ known_as }} a user {{ domain.past }} these {{ domain.items }}, in this order:
{% for event in history %}{{ event.title }}
{% endfor %}
Which {{ domain.item }} stands next for this user in it? Answer with the title and nothing else.
""",
}
HISTORY: Mapping[Recall, int] = {"titles": 1, "ids": EXAMPLES + 1, "next": SHOWN}


def plan_memorisation(evaluation: Evaluation, options: MemorisationOptions) -> AuditPlan:
    """Return what is asked: recall of titles, ids and events with prompts of its own, and the prompt itself with and
    without titles.

    Raises InputError for a method that asks with no prompt, a prompt that shows titles all the same, and data of which
    nothing can be asked.
    """
    template = template_of(evaluation, "memorisation")
    parts = options.part or PARTS
    known_as = options.known_as or str(evaluation.cases.settings["data"])
    data, not_asked, changes = _Data(evaluation.cases), dict[str, str](), dict[str, Change]()
    made: Mapping[Recall, Callable[[], list[Case]]] = {
        "titles": lambda: data.halves(options.items),
        "ids": lambda: data.lines(options.items),
        "next": data.next_events,
    }
    if "anonymous" in parts:
        _refuse_titles(template, evaluation)
        item = DOMAINS[evaluation.setup.prompt.view.domain or find_domain(evaluation.cases.domain) or "items"].item
        change = without_titles(evaluation.cases.cases, evaluation.cases.seed, item)
        changes |= {NAMED: as_it_is} | changing_cases("memorisation", {ANONYMOUS: change})
    dated = None if options.before is None else Dated(options.before, _earlier(evaluation.cases, options.before))
    if dated is not None:
        changes.setdefault(NAMED, as_it_is)
    for part, make in made.items():
        if part not in parts:
            continue
        if len(cases := make()) < 2:
            not_asked[part] = "no user has events enough" if part == "next" else "there are no items for it"
        else:
            changes[part] = partial(_recalling, part, tuple(cases), _prompt(part, known_as))
    if not changes:
        reasons = "; ".join(f"{name}: {why}" for name, why in not_asked.items())
        raise InputError(f"nothing can be asked ({reasons})", field="part", hint="ask for all parts, of more users")
    return AuditPlan(changes, lambda runs: memorisation(runs, dated, not_asked))


def _refuse_titles(template: PromptTemplate, evaluation: Evaluation) -> None:
    """Raise InputError for a prompt that shows no candidates, or that shows titles in solved examples."""
    refuse_catalogue(template)
    shots = evaluation.setup.prompt.shots
    if template.front.shots if shots is None else shots:
        hint = "use --shots 0, or leave the part anonymous out: --part titles --part ids --part next"
        raise InputError("solved examples show titles", field="shots", hint=hint)


def _prompt(part: Recall, known_as: str) -> PromptTemplate:
    """Return the prompt of a part. The name of the data set stands in it as a Jinja string, which is data."""
    text = FRONT.format(part=part, history=HISTORY[part]) + TEXTS[part] + "{% endblock %}\n"
    text = text.replace("known_as", json.dumps(known_as, ensure_ascii=False))
    return read_template(text, Path(f"memorisation-{part}.jinja"))


def _recalling(part: Recall, cases: tuple[Case, ...], template: PromptTemplate, evaluation: Evaluation) -> Evaluation:
    """Return the evaluation that asks the same model for what the Cases want recalled; of the prompt's settings, only
    the words of the domain and the extra body are used."""
    given, own = evaluation.setup.prompt, evaluation.cases
    # In catalogue order: all Cases then share one table of titles.
    view = View(domain=given.view.domain)
    prompt = PromptSettings(order="recall", draw=given.draw, extra_body=given.extra_body, view=view)
    setup = replace(evaluation.setup, prompt=prompt, template=with_settings(template, prompt), ranker=None)
    settings = {**own.settings, "variant": f"memorisation: {part}", "variant_sha256": cases_hash(cases)}
    note = f"The Cases ask what the model recalls of the data: memorisation, {part}."
    recalled = replace(
        own, cases=cases, evaluation=f"by heart ({part})", notes=(note,), settings=settings, target_forced=False,
        proposed=None, split=None,
    )  # fmt: skip
    return Evaluation(recalled, setup, parse_measures("HR@1", "ranking"), evaluation.reporter)


@dataclass(frozen=True, slots=True)
class _Data:
    """What of the data can be asked for."""

    cases: CaseSet

    @property
    def items(self) -> Sequence[Item]:
        """All items that are known, in the order of the data."""
        if self.cases.split is not None:
            return self.cases.split.dataset.items
        shown = (item for case in self.cases for item in (*(e.item for e in case.history), *case.candidates))
        return [*{item.item_id: item for item in shown}.values()]

    def drawn(self, items: Iterable[Item], count: int, what: str) -> list[Item]:
        """Return so many of the items, the same for the same seed."""
        some = [*items]
        Random(f"memorisation:{self.cases.seed}:{what}").shuffle(some)
        return some[:count]

    def catalogue(self, asked: Iterable[Item]) -> tuple[Item, ...]:
        """Return the items among which an answer is looked for: those that are asked for, and others."""
        wanted = {item.item_id: item for item in asked}
        others = [item for item in self.items if item.item_id not in wanted]
        room = max(0, CATALOGUE - len(wanted))
        kept = {item.item_id for item in self.drawn(others, room, "catalogue")} | wanted.keys()
        known = {item.item_id: item for item in self.items}
        return tuple(item for item_id, item in (known | wanted).items() if item_id in kept)

    @property
    def titles(self) -> Counter[str]:
        """How many items have each title."""
        return Counter(item.title for item in self.items)

    def telling(
        self, items: Iterable[Item], count: int, what: str, shown: Mapping[str, str]
    ) -> tuple[list[Item], tuple[Item, ...]]:
        """Return so many of the items, without those for which repeating what is shown of them would be read as an
        answer; and the items among which answers are looked for."""
        drawn = self.drawn(items, 2 * count, what)
        reads, catalogue = answer_format("one_title"), self.catalogue(drawn)
        question = Question(catalogue, top=1)
        asked = [item for item in drawn if not reads.read(Response(shown[item.item_id]), question).ranked]
        return asked[:count], catalogue

    def halves(self, count: int) -> list[Case]:
        """Return Cases that show the first half of a title, by which one item alone can be meant."""
        halves = {item.item_id: half for item in self.items if (half := first_half(item.title))}
        starts = Counter(
            " ".join(words[:n])
            for item in self.items
            for words in [item.title.casefold().split()]
            for n in range(1, len(words) + 1)
        )
        alone = [item for item in self.items if starts[halves.get(item.item_id, "").casefold()] == 1]
        asked, catalogue = self.telling(alone, count, "titles", halves)
        return [_about(item, [Event(Item(item.item_id, halves[item.item_id]))], catalogue) for item in asked]

    def lines(self, count: int) -> list[Case]:
        """Return Cases that show some lines of the data, and ask for the title behind an id."""
        titles = self.titles
        alone = [item for item in self.items if titles[item.title] == 1]
        drawn, catalogue = self.telling(alone, count + EXAMPLES, "ids", {item.item_id: item.item_id for item in alone})
        examples, asked = drawn[:EXAMPLES], drawn[EXAMPLES:]
        order = {item.item_id: at for at, item in enumerate(self.items)}
        shown = [Event(item) for item in sorted(examples, key=lambda item: order[item.item_id])]
        return [_about(item, [*shown, Event(Item(item.item_id, "?"))], catalogue) for item in asked]

    def next_events(self) -> list[Case]:
        """Return a Case for each user that shows the first half of the history, and asks for the next event."""
        found, titles = dict[str, tuple[tuple[Event, ...], Item, list[str]]](), self.titles
        for case in self.cases:
            new = [*{event.item.item_id: event for event in case.history}.values()]
            cut = len(new) // 2
            later = [event.item.item_id for event in new[cut + 1 : cut + 1 + LATER_EVENTS]]
            if min(cut, len(later)) >= LEAST_EVENTS and titles[new[cut].item.title] == 1:
                found[case.user_id] = (tuple(new[max(0, cut - SHOWN) : cut]), new[cut].item, later)
        known = {item.item_id: item for item in self.items}
        wanted = [known[item_id] for _, item, later in found.values() for item_id in (item.item_id, *later)]
        catalogue = self.catalogue(wanted)
        return [
            Case(user, shown, catalogue, relevant=(item.item_id,), columns={LATER: json.dumps(later)})
            for user, (shown, item, later) in found.items()
        ]


def _about(item: Item, shown: Sequence[Event], catalogue: tuple[Item, ...]) -> Case:
    """Return a Case about an item, which stands in the place of the user: intervals are over items."""
    return Case(item.item_id, tuple(shown), catalogue, relevant=(item.item_id,))


def first_half(title: str) -> str:
    """Return the first half of the words of a title without its year; empty for a title of one word."""
    words = YEAR.sub("", title).split()
    return " ".join(words[: len(words) // 2])


def _earlier(cases: CaseSet, day: str) -> dict[str, bool]:
    """Return by case id whether what the user did next was before that day; where its time is not known, whether the
    newest event of the history was.

    Raises InputError for what is no day, and for data without times.
    """
    start = _start(day)
    test = {} if cases.split is None else held_out(cases.split)
    found: dict[str, bool] = {}
    for case in cases:
        then = [event.timestamp for event in test.get(case.user_id, ()) if event.item.item_id in case.relevant]
        times = [time for time in (*then, *(e.timestamp for e in case.history[-1:] if not then)) if time is not None]
        if times:
            found[case.case_id] = min(times) < start
    if not found:
        raise InputError("the events have no times", field="before", hint="leave --before out")
    return found


def _start(day: str) -> float:
    """Return when a day, month or year begins (UTC), in seconds since the epoch."""
    for form in ("%Y-%m-%d", "%Y-%m", "%Y"):
        try:
            return datetime.strptime(day, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise InputError(f"{day!r} is no day", field="before", hint="write 2023-10-01, 2023-10 or 2023")
