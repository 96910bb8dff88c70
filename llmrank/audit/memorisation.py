"""`memorisation`: has the model memorised the dataset? It is asked to recite it, and to rank without titles."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.answers import answer_format
from llmrank.audit.contrast import Contrast, worth
from llmrank.audit.finding import (
    Audit,
    AuditRow,
    corrected,
    difference_rows,
    mean_row,
    sentence_of,
    unread,
    with_reasons,
)
from llmrank.audit.options import PARTS, MemorisationOptions
from llmrank.audit.plan import AuditPlan, Change, as_it_is, changing_cases, refuse_catalogue, template_of
from llmrank.data.cases import held_out
from llmrank.errors import InputError, count_of
from llmrank.evaluation.cases import CaseSet, cases_hash
from llmrank.evaluation.evaluate import Evaluation
from llmrank.evaluation.method import with_settings
from llmrank.evaluation.settings import PromptSettings
from llmrank.prompting import DOMAINS, PromptTemplate, View, find_domain, read_template
from llmrank.run import Run
from llmrank.run.metrics import measures_of
from llmrank.run.tables import between, signed
from llmrank.stats import Values
from llmrank.types import Case, Event, Item, Question, Response

Recall = Literal["titles", "ids", "next"]
"""What a model is asked to recall."""
NAMED, ANONYMOUS = "named", "anonymous"
LATER = "later"
"""The column of a Case of `next` that holds, as a JSON list, the ids of what the user did after that."""
DRAWS = 9_999
CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ"
QUESTION = "Has the model memorised the dataset?"
EXAMPLES = 5
"""Lines of the data to show before asking for the title of an id."""
SHOWN = 20
"""Maximum number of events to show before asking for the next one."""
LATER_EVENTS = 10
"""Maximum number of events after the next one that serve as controls: without knowing the order, they are as likely."""
LEAST_EVENTS = 3
"""Minimum number of events shown, and of events after the next one."""
CATALOGUE = 500
"""Minimum number of titles that an answer is matched against: similar titles make an ambiguous text count as such."""

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
    """Return the plan: recall of titles, ids and events with dedicated prompts, and the prompt with and without titles.

    Raises InputError for a method without a prompt, a prompt that would still show titles, and data that is too small.
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
            not_asked[part] = "no user has enough events" if part == "next" else "no item is suitable"
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
        hint = "use --shots 0, or omit the part anonymous: --part titles --part ids --part next"
        raise InputError("solved examples show titles", field="shots", hint=hint)


def _prompt(part: Recall, known_as: str) -> PromptTemplate:
    """Return the prompt of a part, with the name of the data set as a Jinja string, so that it is data."""
    text = FRONT.format(part=part, history=HISTORY[part]) + TEXTS[part] + "{% endblock %}\n"
    text = text.replace("known_as", json.dumps(known_as, ensure_ascii=False))
    return read_template(text, Path(f"memorisation-{part}.jinja"))


def _recalling(part: Recall, cases: tuple[Case, ...], template: PromptTemplate, evaluation: Evaluation) -> Evaluation:
    """Return the evaluation that asks the same model to recall; of the prompt's settings, only the domain, the draw and
    the extra body are used."""
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
    return Evaluation(recalled, setup, measures_of("HR@1", "ranking"), evaluation.reporter)


@dataclass(frozen=True, slots=True)
class _Data:
    """What can be asked about the data."""

    cases: CaseSet

    @property
    def items(self) -> Sequence[Item]:
        """All known items, in the order of the data."""
        if self.cases.split is not None:
            return self.cases.split.dataset.items
        shown = (item for case in self.cases for item in (*(e.item for e in case.history), *case.candidates))
        return [*{item.item_id: item for item in shown}.values()]

    def drawn(self, items: Iterable[Item], count: int, what: str) -> list[Item]:
        """Return `count` random items, the same for the same seed."""
        some = [*items]
        Random(f"memorisation:{self.cases.seed}:{what}").shuffle(some)
        return some[:count]

    def catalogue(self, asked: Iterable[Item]) -> tuple[Item, ...]:
        """Return the items that an answer is matched against: those asked for, and others."""
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
        """Return `count` items, without those for which a repetition of what is shown would be read as an answer, and
        the items that answers are matched against."""
        drawn = self.drawn(items, 2 * count, what)
        reads, catalogue = answer_format("one_title"), self.catalogue(drawn)
        question = Question(catalogue, top=1)
        asked = [item for item in drawn if not reads.read(Response(shown[item.item_id]), question).ranked]
        return asked[:count], catalogue

    def halves(self, count: int) -> list[Case]:
        """Return Cases that show the first half of a title with which no other title begins."""
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
        """Return Cases that show some lines of the data and ask for the title of an id."""
        titles = self.titles
        alone = [item for item in self.items if titles[item.title] == 1]
        drawn, catalogue = self.telling(alone, count + EXAMPLES, "ids", {item.item_id: item.item_id for item in alone})
        examples, asked = drawn[:EXAMPLES], drawn[EXAMPLES:]
        order = {item.item_id: at for at, item in enumerate(self.items)}
        shown = [Event(item) for item in sorted(examples, key=lambda item: order[item.item_id])]
        return [_about(item, [*shown, Event(Item(item.item_id, "?"))], catalogue) for item in asked]

    def next_events(self) -> list[Case]:
        """Return a Case per user that shows the first half of the history and asks for the next event."""
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
    """Return a Case about an item. The item takes the place of the user, so that intervals are over items."""
    return Case(item.item_id, tuple(shown), catalogue, relevant=(item.item_id,))


def first_half(title: str) -> str:
    """Return the first half of the words of a title without its year; empty for a title of one word."""
    words = YEAR.sub("", title).split()
    return " ".join(words[: len(words) // 2])


def _earlier(cases: CaseSet, day: str) -> dict[str, bool]:
    """Return, by case id, whether the user's next event was before that day; if its time is unknown, whether the newest
    event of the history was.

    Raises InputError for an invalid day and for data without times.
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
        raise InputError("the events have no times", field="before", hint="omit --before")
    return found


def _start(day: str) -> float:
    """Return when a day, month or year begins (UTC), in seconds since the epoch."""
    for form in ("%Y-%m-%d", "%Y-%m", "%Y"):
        try:
            return datetime.strptime(day, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise InputError(f"{day!r} is not a day", field="before", hint="write 2023-10-01, 2023-10 or 2023")


@dataclass(frozen=True, slots=True)
class _Recalled:
    """The words for one kind of recall."""

    row: str
    done: str
    """The claim if it is above chance."""
    undone: str
    """What there is no sign of otherwise."""


SAID: Mapping[Recall, _Recalled] = {
    "titles": _Recalled(
        "titles completed from their first half",
        "titles are completed from their first half",
        "it completes titles",
    ),
    "ids": _Recalled("titles given for their ids", "titles are given for their ids", "it knows titles by their ids"),
    "next": _Recalled(
        "next events of users named",
        "users' next events are named more often than later ones",
        "it knows which event of a user comes next",
    ),
}


@dataclass(frozen=True, slots=True)
class Dated:
    """A day, and which Cases are before it."""

    day: str
    """As the user wrote it."""
    earlier: Mapping[str, bool]
    """By case id: whether the Case is before that day. Cases without a known time are left out."""


def memorisation(runs: Mapping[str, Run], dated: Dated | None, not_asked: Mapping[str, str]) -> Audit:
    """Return what a model recalls of the data set, what titles are worth to its rankings, and whether it does better on
    events before a day.

    The tests of recall are from Di Palma et al. (2025, arXiv:2505.10212). `titles` and `ids` measure the share of items
    whose title the model gives. Chance stands beside it: the answers are paired with the items at random, and the right
    ones are counted, so a model that always answers the same is at chance. `next` measures the share of users whose
    next event the model names. Its chance is how often the model names one of the later events, divided by their
    number: a model that knows the user's taste but not the data names these just as often. Unreadable answers count as
    not known.

    `anonymous` is the headline measure with neutral names instead of titles. The value of titles comes from what the
    model knows about them and from what it remembers of the data, so it bounds the effect of memory.

    Args:
        runs: The Runs of `titles`, `ids`, `next`, `named` and `anonymous` that were made.
        dated: Splits the Cases of `named`.
        not_asked: The parts that were not asked, with the reason.

    Raises InputError: no relevant item is known; fewer than two Cases on one side of the day.
    """
    asked = [_Answers.of(runs[name], name) for name in SAID if name in runs]
    parts = [one.part() for one in asked]
    if ANONYMOUS in runs:
        parts.append(_without_titles(runs))
    if dated is not None:
        parts.append(_before(runs[NAMED], dated))
    tests = corrected([part.test for part in parts])
    claims = [part.claim(test) for part, test in zip(parts, tests, strict=True)]
    sentence = sentence_of(claims) + with_reasons("Not tested", not_asked)
    if silent := sum(one.said.count(None) for one in asked):
        answers = count_of(sum(len(one.said) for one in asked), "answer")
        sentence += f" In {silent:,} of {answers} no item of the audit is named; this counts as not known."
    sentence += unread([runs[name] for name in (NAMED, ANONYMOUS) if name in runs], "such answers count as worst")
    rows = (*chain(*(part.rows for part in parts)), *tests, *chain(*(part.unread for part in parts)))
    return Audit(QUESTION, sentence, rows, next(iter(runs.values())).title)


@dataclass(frozen=True, slots=True)
class _Part:
    """What a part of the audit found."""

    rows: Sequence[AuditRow]
    test: AuditRow
    """What it tests, with an uncorrected p-value."""
    claim: Callable[[AuditRow], str]
    """Puts the corrected test into words."""
    unread: Sequence[AuditRow] = ()
    """Shares of the answers that say nothing."""


def _without_titles(runs: Mapping[str, Run]) -> _Part:
    """Return the headline measure with real titles and with neutral names, and the difference."""
    found = Contrast.of({name: runs[name] for name in (NAMED, ANONYMOUS)}, _said)
    values = found.values[NAMED], found.values[ANONYMOUS]
    [test] = difference_rows([("real titles minus neutral names", *values, found.users)], most=1)
    claim = partial(worth, "showing titles instead of neutral names", headline=found.headline)
    return _Part(found.levels(), test, claim, found.unread())


def _said(name: str) -> str:
    return "real titles" if name == NAMED else "neutral names"


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answers to one kind of recall."""

    name: Recall
    cases: Sequence[Case]
    said: Sequence[str | None]
    """The id of the item that each answer names; None if it names none."""
    later: Sequence[Sequence[str]]
    """For `next`, the later events of each user; otherwise empty."""
    popularity: Mapping[str, int]

    @classmethod
    def of(cls, run: Run, name: Recall) -> Self:
        cases = [case for case in run.done if case.relevant]
        records = [run.records[case.case_id] for case in cases]
        said = [record.placed[0] if record.ranking.answered and record.placed else None for record in records]
        later: list[list[str]] = [json.loads(case.columns[LATER]) for case in cases] if name == "next" else []
        return cls(name, cases, said, later, run.metric_settings.popularity)

    @property
    def users(self) -> list[str]:
        return [case.user_id for case in self.cases]

    @property
    def hits(self) -> Values:
        """1 if the answer is right, else 0."""
        return np.array([float(one in case.relevant) for one, case in zip(self.said, self.cases, strict=True)])

    @property
    def chances(self) -> Values:
        """The probability that each answer is right by chance: the share of the other items, or of the later events,
        that it names."""
        if self.name == "next":
            return np.array([(one in others) / len(others) for one, others in zip(self.said, self.later, strict=True)])
        wanted = Counter(case.relevant[0] for case in self.cases)
        return (np.array([wanted[one or ""] for one in self.said]) - self.hits) / max(1, len(self.cases) - 1)

    def part(self) -> _Part:
        """Return the shares of right answers, and how far they are above chance."""
        shares, silent = [*self.shares()], [float(one is None) for one in self.said]
        none_named = mean_row(f"no item named, {self.name}", silent, self.users, (0, 1))
        return _Part(shares, self.above_chance(), partial(_claim, self.name, shares[0]), [none_named])

    def shares(self) -> Iterator[AuditRow]:
        """Yield the share of right answers; for `titles`, also that of the most and the least popular third."""
        row = SAID[self.name].row
        yield self._share(row, np.ones(len(self.cases), dtype=np.bool_))
        if self.name == "titles" and self.popularity:
            counts = np.array([self.popularity.get(case.relevant[0], 0) for case in self.cases])
            low, high = np.quantile(counts, [1 / 3, 2 / 3])
            yield self._share(f"{row}, most popular third", counts > high)
            yield self._share(f"{row}, least popular third", counts <= low)

    def _share(self, name: str, which: NDArray[np.bool_]) -> AuditRow:
        chance = stats.finite(float(self.chances[which].mean())) if which.any() else None
        return mean_row(name, np.where(which, self.hits, np.nan), self.users, (0, 1), chance)

    def above_chance(self) -> AuditRow:
        """Return the share of right answers minus chance, with an uncorrected p-value.

        The p-value is twice the share of random draws with at least as many right answers. A draw pairs the answers
        with the items anew; for `next`, it puts the events to come in another order.
        """
        hits, chances = self.hits, self.chances
        most = max(1 / len(others) for others in self.later) if self.later else 1 / max(1, len(hits) - 1)
        row = mean_row(f"{SAID[self.name].row}, minus chance", hits - chances, self.users, (-most, 1), 0.0)
        drawn, generator = list[NDArray[np.intp]](), np.random.default_rng(0)
        places = {case.relevant[0]: at for at, case in enumerate(self.cases)}
        answers = np.array([places.get(one or "", -1) for one in self.said])
        odds = np.array([1 / (len(others) + 1) for others in self.later])[hits + chances > 0] if self.later else hits
        for rows in stats.in_parts(DRAWS, len(hits)):
            if self.later:
                drawn.append(np.count_nonzero(generator.random((rows, len(odds))) < odds, axis=1))
            else:
                paired = generator.permuted(np.tile(np.arange(len(hits)), (rows, 1)), axis=1)
                drawn.append(np.count_nonzero(paired == answers, axis=1))
        as_many = int((np.concatenate(drawn) >= hits.sum()).sum())
        return replace(row, p=min(1.0, 2 * (1 + as_many) / (1 + DRAWS)))


def _claim(name: Recall, share: AuditRow, test: AuditRow) -> str:
    low, high = share.ci95 or (0.0, 1.0)
    numbers = f"{share.value or 0:.0%} of {share.cases}, {low:.0%} to {high:.0%}, by chance {share.chance or 0:.1%}"
    if test.direction > 0:
        return f"{SAID[name].done} ({numbers}, {test.tested})"
    return f"no sign that {SAID[name].undone} ({numbers})"


def _before(run: Run, dated: Dated) -> _Part:
    """Return the headline measure and the gain over recall order on both sides of the day, and the difference of the
    gains."""
    headline = run.metrics.headline
    if headline is None:
        raise InputError("nothing can be measured", path=run.path, hint="audit Cases whose relevant items are known")
    values, recalled = run.per_case(headline, run.done), run.recall_order(headline)
    there = np.array([case.case_id in dated.earlier for case in run.done], dtype=np.bool_) & ~np.isnan(values)
    cases = [run.done[at] for at in np.flatnonzero(there)]
    users, earlier = [case.user_id for case in cases], np.array([dated.earlier[case.case_id] for case in cases])
    values, gains = values[there], (values - recalled)[there]
    if min(int(earlier.sum()), int((~earlier).sum())) < 2:
        hint = "choose a day with Cases on both sides, or more users: --users 500"
        raise InputError(f"fewer than two Cases are on one side of {dated.day}", field="before", hint=hint)

    def gain(side: str, which: NDArray[np.bool_]) -> AuditRow:
        found = stats.paired_difference(gains[which], np.zeros(which.sum()), stats.clusters_of(users)[which], most=1)
        return AuditRow(f"gain over recall order, {side}", stats.finite(found.difference), found.ci95, int(which.sum()))

    sides = ((earlier, f"before {dated.day}"), (~earlier, f"from {dated.day}"))
    parted = (
        *(mean_row(f"{headline}, {side}", np.where(which, values, np.nan), users, (0, 1)) for which, side in sides),
        *(gain(side, which) for which, side in sides),
    )
    found = stats.difference_of_groups(gains, earlier, stats.clusters_of(users))
    name = f"gain before {dated.day} minus gain from then on"
    test = AuditRow(name, stats.finite(found.difference), found.ci95, len(users), 0.0, found.p)
    return _Part(parted, test, partial(_dated_claim, dated.day, headline))


def _dated_claim(day: str, headline: str, row: AuditRow) -> str:
    numbers = f"{between(row.ci95, sign=True)}, {row.tested}"
    if not row.direction:
        return (
            f"no significant difference between the gains over recall order before {day} and from then on ({numbers})"
        )
    more = "larger" if row.direction > 0 else "smaller"
    gain = f"the gain in {headline} over recall order"
    return f"{gain} is {more} before {day} than from then on ({signed(row.value)}, {numbers})"


def without_titles(cases: Sequence[Case], seed: int, kind: str) -> Callable[[Case], Case]:
    """Return a function that gives every item of a Case a neutral name (`Movie KQX`) and keeps its other attributes.

    An item has the same name in all Cases. The names are random consonants: they form no words, and are too short to
    pass for misspellings of one another. `kind` is the word for an item: `movie`.
    """
    items = {item.item_id for case in cases for item in (*(event.item for event in case.history), *case.candidates)}
    base = len(CONSONANTS)
    length = next(n for n in range(3, 9) if base**n >= 2 * len(items))
    drawn = Random(f"memorisation:{seed}").sample(range(base**length), len(items))
    names = {
        item_id: f"{kind.capitalize()} " + "".join(CONSONANTS[number // base**at % base] for at in range(length))
        for item_id, number in zip(sorted(items), drawn, strict=True)
    }

    def named(item: Item) -> Item:
        return replace(item, title=names[item.item_id])

    def change(case: Case) -> Case:
        past = tuple(replace(event, item=named(event.item)) for event in case.history)
        return replace(case, history=past, candidates=tuple(map(named, case.candidates)))

    return change
