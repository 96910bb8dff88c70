"""Does the model know the data set by heart?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from random import Random
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from llmrank import stats
from llmrank.audit.contrast import Contrast, worth
from llmrank.audit.finding import Audit, AuditRow, corrected, difference_rows, mean_row, sentence_of, unread
from llmrank.errors import InputError
from llmrank.measures.summary import finite, finite_pair
from llmrank.run import Run
from llmrank.run.tables import between, p_is, signed
from llmrank.types import Case, Item

Recall = Literal["titles", "ids", "next"]
"""What a model is asked to recall."""
NAMED, ANONYMOUS = "named", "anonymous"
LATER = "later"
"""The column of a Case of `next` that holds, as a JSON list, the ids of what the user did after that."""
DRAWS = 9_999
CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ"
QUESTION = "Does the model know the data set by heart?"


@dataclass(frozen=True, slots=True)
class _Recalled:
    """What is said of one kind of recall."""

    row: str
    done: str
    """What is said where it is above chance."""
    undone: str
    """What there is no sign of, else."""


SAID: Mapping[Recall, _Recalled] = {
    "titles": _Recalled(
        "titles completed from their first half",
        "titles are completed from their first half",
        "it completes titles",
    ),
    "ids": _Recalled("titles given for their ids", "titles are given for their ids", "it knows titles by their ids"),
    "next": _Recalled(
        "next events of users named",
        "next events of users are named rather than later ones",
        "it knows which event of a user comes next",
    ),
}


@dataclass(frozen=True, slots=True)
class Dated:
    """The day that parts the Cases, and when each was."""

    day: str
    """As it was given."""
    earlier: Mapping[str, bool]
    """By case id: whether it was before that day. A Case whose time is not known is left out."""


def memorisation(
    runs: Mapping[str, Run], dated: Dated | None = None, not_asked: Mapping[str, str] | None = None
) -> Audit:
    """Return what a model recalls of the data set, what titles are worth to its rankings, and whether it does better on
    what happened before a day.

    Recall of items and of interactions is from Di Palma et al. (2025, arXiv:2505.10212). `titles` and `ids`: the share
    of items whose title is given, beside chance, which is the share of answers that would be right had the items been
    paired with them at random: a model that always says the same has no more than chance. `next`: the share of users
    whose next event is named. Its chance is how often one of the events after that is named, divided by their number:
    who knows a user's taste, and not the data, names these as often. An answer that cannot be read counts as not known.

    `anonymous`: the headline measure with neutral names in the place of titles. Titles are worth to a method what it
    knows of them and what it remembers of the data, so this bounds what memory can add.

    Args:
        runs: Those that were made, of `titles`, `ids`, `next`, `named` and `anonymous`.
        dated: Parts the Cases of `named`; None: they are not parted.
        not_asked: What was not asked, and why.

    Raises:
        InputError: no relevant item is known; fewer than two Cases on one side of the day.
    """
    asked: dict[Recall, _Answers] = {name: _Answers.of(runs[name], name) for name in SAID if name in runs}
    shares = {name: [*one.shares()] for name, one in asked.items()}
    found = Contrast.of({name: runs[name] for name in (NAMED, ANONYMOUS)}) if ANONYMOUS in runs else None
    levels, compared, missing = list[AuditRow](), list[AuditRow](), list[AuditRow]()
    if found is not None:
        levels, missing = found.levels(_said), found.unread(_said)
        values = found.values[NAMED], found.values[ANONYMOUS]
        compared = difference_rows([("real titles minus neutral names", *values, found.users)])
    parted, before = ((), ()) if dated is None else _before(runs[NAMED], dated)
    tests = corrected([*(one.above_chance() for one in asked.values()), *compared, *before])
    claims = [_claim(name, shares[name][0], test) for name, test in zip(asked, tests, strict=False)]
    if found is not None:
        claims.append(worth("showing titles rather than neutral names", tests[len(asked)], found.headline))
    if dated is not None:
        claims.append(_dated_claim(dated.day, tests[-1], runs[NAMED].metrics.headline or ""))
    sentence = sentence_of(claims)
    if not_asked:
        sentence += f" Not asked: {'; '.join(f'{name} ({why})' for name, why in not_asked.items())}."
    if silent := sum(one.said.count(None) for one in asked.values()):
        answers = sum(len(one.said) for one in asked.values())
        sentence += f" {silent:,} of {answers:,} answers name no item that was looked for; they count as not known."
    sentence += unread([runs[name] for name in (NAMED, ANONYMOUS) if name in runs], "they count as worst")
    named_none = [mean_row(f"no item named, {name}", one.silent, one.users, (0, 1)) for name, one in asked.items()]
    rows = (*chain(*shares.values()), *levels, *parted, *tests, *named_none, *missing)
    return Audit(QUESTION, sentence, rows, next(iter(runs.values())).title)


def _said(name: str) -> str:
    return "real titles" if name == NAMED else "neutral names"


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a model named where it was to recall something."""

    name: Recall
    cases: Sequence[Case]
    said: Sequence[str | None]
    """The id of the item that each answer names; None where it names none."""
    later: Sequence[Sequence[str]]
    """`next`: what each user did after the event that is asked for; else empty."""
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
    def silent(self) -> list[float]:
        return [float(one is None) for one in self.said]

    @property
    def hits(self) -> NDArray[np.float64]:
        """1 where the answer is right."""
        return np.array([float(one in case.relevant) for one, case in zip(self.said, self.cases, strict=True)])

    @property
    def chances(self) -> NDArray[np.float64]:
        """How likely the answer is right by chance: among the other items, or the later events, how many it names."""
        if self.name == "next":
            return np.array([(one in others) / len(others) for one, others in zip(self.said, self.later, strict=True)])
        wanted = Counter(case.relevant[0] for case in self.cases)
        return (np.array([wanted[one or ""] for one in self.said]) - self.hits) / max(1, len(self.cases) - 1)

    def shares(self) -> Iterator[AuditRow]:
        """Yield the share that is right, and of `titles` that of the most and of the least popular third."""
        row, hits, chances = SAID[self.name].row, self.hits, self.chances
        yield self._share(row, hits, chances, np.ones(len(hits), dtype=np.bool_))
        if self.name == "titles" and self.popularity:
            counts = np.array([self.popularity.get(case.relevant[0], 0) for case in self.cases])
            low, high = np.quantile(counts, [1 / 3, 2 / 3])
            yield self._share(f"{row}, most popular third", hits, chances, counts > high)
            yield self._share(f"{row}, least popular third", hits, chances, counts <= low)

    def _share(
        self, name: str, hits: NDArray[np.float64], chances: NDArray[np.float64], which: NDArray[np.bool_]
    ) -> AuditRow:
        users = [user for user, there in zip(self.users, which.tolist(), strict=True) if there]
        return mean_row(name, hits[which], users, (0, 1), finite(float(chances[which].mean())) if users else None)

    def above_chance(self) -> AuditRow:
        """Return the share that is right minus chance; its p-value is not corrected.

        It is twice the share of random draws with as many right answers: of the items paired with the answers anew, or
        of the events to come in another order, which makes each of those that were named the next one by turns.
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
        return f"{SAID[name].done} ({numbers}, {p_is(test.p)})"
    return f"no sign that {SAID[name].undone} ({numbers})"


def _before(run: Run, dated: Dated) -> tuple[tuple[AuditRow, ...], tuple[AuditRow, ...]]:
    """Return the headline measure and the gain over recall order on both sides of the day, and the difference of the
    gains, which is not corrected."""
    headline = run.metrics.headline
    if headline is None:
        raise InputError("nothing can be measured", path=run.path, hint="audit Cases whose relevant items are known")
    done = [case.case_id in run.records for case in run.cases]
    values, recalled = run.per_case(headline)[done], run.recall_order(headline)
    there = np.array([case.case_id in dated.earlier for case in run.done], dtype=np.bool_) & ~np.isnan(values)
    users = [case.user_id for case, known in zip(run.done, there.tolist(), strict=True) if known]
    earlier = np.array([dated.earlier[c.case_id] for c, known in zip(run.done, there.tolist(), strict=True) if known])
    values, gains = values[there], (values - recalled)[there]
    if min(int(earlier.sum()), int((~earlier).sum())) < 2:
        hint = "choose a day with Cases on both sides, or more users: --users 500"
        raise InputError(f"fewer than two Cases are on one side of {dated.day}", field="before", hint=hint)

    def row(name: str, found: NDArray[np.float64], which: NDArray[np.bool_], low: float) -> AuditRow:
        whose = [user for user, one in zip(users, which.tolist(), strict=True) if one]
        return mean_row(name, found[which], whose, (low, 1))

    sides = ((earlier, f"before {dated.day}"), (~earlier, f"from {dated.day}"))
    parted = (
        *(row(f"{headline}, {side}", values, which, 0) for which, side in sides),
        *(row(f"gain over recall order, {side}", gains, which, -1) for which, side in sides),
    )
    found = stats.difference_of_groups(gains, earlier, stats.clusters_of(users))
    interval = finite_pair(found.low, found.high)
    name = f"gain before {dated.day} minus gain from it"
    return parted, (AuditRow(name, finite(found.difference), interval, len(users), 0.0, found.p),)


def _dated_claim(day: str, row: AuditRow, headline: str) -> str:
    numbers = f"{between(row.ci95, sign=True)}, {p_is(row.p)}"
    if not row.direction:
        return f"no sign that it gains more over recall order before {day} than from it ({numbers})"
    more = "more" if row.direction > 0 else "less"
    return f"before {day} it gains {more} {headline} over recall order than from it ({signed(row.value)}, {numbers})"


def without_titles(cases: Sequence[Case], seed: int, kind: str) -> Callable[[Case], Case]:
    """Return what gives every item of a Case a neutral name: `Movie KQX`. Its other attributes stay as they are.

    An item has the same name in all Cases. The names are drawn by the seed, of consonants, so that they are no words,
    and too short to be taken for misspellings of one another.

    Args:
        cases: All Cases.
        seed: Of the names.
        kind: What an item is called: `movie`.
    """
    items = {item.item_id for case in cases for item in (*(event.item for event in case.history), *case.candidates)}
    length = next(n for n in range(3, 9) if len(CONSONANTS) ** n >= 2 * len(items))
    drawn = Random(f"memorisation:{seed}").sample(range(len(CONSONANTS) ** length), len(items))
    names = {
        item_id: f"{kind.capitalize()} {_letters(number, length)}"
        for item_id, number in zip(sorted(items), drawn, strict=True)
    }

    def named(item: Item) -> Item:
        return replace(item, title=names[item.item_id])

    def change(case: Case) -> Case:
        past = tuple(replace(event, item=named(event.item)) for event in case.history)
        return replace(case, history=past, candidates=tuple(map(named, case.candidates)))

    return change


def _letters(number: int, length: int) -> str:
    letters = ""
    for _ in range(length):
        number, at = divmod(number, len(CONSONANTS))
        letters += CONSONANTS[at]
    return letters
