"""The audit of memorisation: what a model knows by heart is measured at its share; one that knows nothing is clean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import llmrank as lr
from llmrank import stats
from llmrank.audit import Audit, AuditRow
from llmrank.audit.memorisation import first_half, without_titles
from llmrank.audit.run_audit import compose_audit
from llmrank.backends import BaseBackend
from llmrank.data.candidate_writing import write_cases
from llmrank.errors import InputError
from llmrank.types import Case, Event, Item, Request, Response, Usage
from tests.cli.command import asking
from tests.cli.command import run as run_command
from tests.evaluation.serving import serving
from tests.scripted_server import ScriptedServer, Step, good

ITEMS = 400
USERS = 120
DAY = 1_700_000_000.0
SYLLABLES = ("Ba", "Ko", "Mi", "Ru", "Sel", "Tan", "Vor", "Wex", "Zil", "Dro")
FIRST, SECOND = (["".join(pair) for pair in product(SYLLABLES, ending)] for ending in (("lan", "mur"), ("dek", "pos")))
TITLES = [f"{first} {second.lower()} (1990)" for first, second in product(FIRST, SECOND)][:ITEMS]
"""20 items begin with each word: no half would tell them apart, so the number of an item stands in its first half."""


def items() -> list[Item]:
    named = [f"{number_word(at)} {title}" for at, title in enumerate(TITLES)]
    return [Item(str(1000 + at), title, {"genres": "Drama"}) for at, title in enumerate(named)]


def number_word(at: int) -> str:
    """A word for each number, of which no two are alike."""
    letters = "abcdefghijklmnopqrst"
    return f"{letters[at // 20]}{letters[at % 20]}{letters[(at * 7) % 20]}orin".capitalize()


def cases(users: int = USERS, seed: int = 0) -> list[Case]:
    """Users with 30 events each, and 10 candidates of which one is relevant."""
    everything, found = items(), list[Case]()
    for user in range(users):
        drawn = Random(f"{seed}:{user}").sample(everything, 40)
        history = tuple(Event(item, None, DAY + user * 86_400 + at) for at, item in enumerate(drawn[:30]))
        found.append(Case(f"u{user:03}", history, tuple(drawn[30:]), relevant=(drawn[30].item_id,)))
    return found


@dataclass
class Memory:
    """Of what is asked, a model knows what these return true of."""

    titles: Callable[[str], bool] = lambda _: False
    ids: Callable[[str], bool] = lambda _: False
    following: Callable[[str], bool] = lambda _: False
    likes: Callable[[str], bool] = lambda _: False
    """By user: whether it finds the relevant candidate among titles that it knows."""


def titles_of(events: Sequence[Event]) -> tuple[str, ...]:
    return tuple(event.item.title for event in events)


def newest(text: str) -> tuple[str, ...]:
    """The last two events that are shown: no two users have the same."""
    return tuple(text.split("\n")[-3:-1])


class Model(BaseBackend):
    """Recalls what it has in memory. Of the rest it names any item of the data; of titles with their first word."""

    def __init__(self, memory: Memory, given: list[Case], guess: Callable[[str], str] | None = None) -> None:
        self.memory, self.asked = memory, 0
        self.guess = guess or (lambda text: Random(text).choice(items()).title)
        known = items()
        self.by_half = {first_half(item.title): item for item in known}
        self.by_id = {item.item_id: item for item in known}
        self.following = {
            titles_of(case.history[13:15]): (case.user_id, case.history[15].item.title)
            for case in given
            if len(case.history) > 15
        }
        self.relevant = {
            frozenset(item.title for item in case.candidates): (case.user_id, item.title)
            for case in given
            for item in case.candidates
            if item.item_id in case.relevant
        }

    @property
    def identity(self) -> Mapping[str, str]:
        return {"kind": "simulated", "model": "simulated"}

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        return Response(self.says(request.messages[-1].content), usage=Usage(100, 0, 10))

    def says(self, text: str) -> str:
        if half := re.search(r'title begins with "(.*?)"', text):
            item = self.by_half[half[1]]
            return item.title if self.memory.titles(item.item_id) else self.guess(text)
        if asked := re.search(r"stands behind (\d+)::", text):
            item = self.by_id[asked[1]]
            return f"{item.item_id}::{item.title}" if self.memory.ids(item.item_id) else self.guess(text)
        if "stands next for this user" in text:
            user, following = self.following[newest(text)]
            return f'It is "{following}".' if self.memory.following(user) else self.guess(text)
        shown: list[tuple[str, str]] = re.findall(r'^\[(\w+)\] "(.*)"$', text, re.MULTILINE)
        user, relevant = self.relevant.get(frozenset(title for _, title in shown), ("", ""))
        liked = relevant if self.memory.likes(user) else ""
        order = sorted(shown, key=lambda pair: (pair[1] != liked, Random(text + pair[0]).random()))
        return " > ".join(f"[{name}]" for name, _ in order)


def share_of(share: float, what: str) -> Callable[[str], bool]:
    return lambda name: Random(f"{what}:{name}").random() < share


def audited(path: Path, memory: Memory, given: list[Case], **more: Any) -> tuple[Audit, dict[str, AuditRow], Model]:
    guess = more.pop("guess", None)
    model = Model(memory, given, guess)
    asked: dict[str, Any] = {"prompt": "rankgpt", "measures": "HR@1", "progress": False, "backend": model}
    found = lr.run_audit("memorisation", given, **asked, store=path / "store.sqlite", out=path / "audit", **more)
    return found, {row.name: row for row in found.rows}, model


TITLES_ROW, IDS_ROW, NEXT_ROW = (
    *("titles completed from their first half", "titles given for their ids", "next events of users named"),
)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.7, 1.0])
def test_what_is_known_by_heart_is_measured_at_its_share(tmp_path: Path, share: float) -> None:
    memory = Memory(*(share_of(share, what) for what in ("titles", "ids", "next", "likes")))
    found, rows, model = audited(tmp_path, memory, cases())
    assert model.asked == 100 + 100 + USERS + 2 * USERS
    for name, count in ((TITLES_ROW, 100), (IDS_ROW, 100), (NEXT_ROW, USERS)):
        row, test = rows[name], rows[f"{name}, minus chance"]
        assert row.cases == count and row.ci95 is not None and row.ci95[0] <= share <= row.ci95[1], row
        assert row.chance is not None and row.chance < 0.02
        assert test.direction == bool(share), test
        assert test.value == pytest.approx((row.value or 0) - row.chance)
    worth = rows["real titles minus neutral names"]
    assert worth.ci95 is not None and worth.ci95[0] <= share * 9 / 10 <= worth.ci95[1]
    assert worth.direction == bool(share)
    assert rows["HR@1, neutral names"].value == pytest.approx(0.1, abs=0.07)
    assert rows["no item named, titles"].value == 0
    said = found.sentence
    assert ("itles are completed from their first half" in said) == bool(share)
    assert ("o sign that it knows titles by their ids" in said) == (not share)
    assert ("showing titles instead of neutral names raises" in said) == bool(share)


def test_intervals_cover_the_share_over_many_models(tmp_path: Path) -> None:
    """Of 20 models that know 15%, at least 17 intervals hold that; of 20 that know nothing, at most 2 are found."""
    given, covered, found = cases(2), 0, 0
    for seed in range(20):
        for share in (0.15, 0.0):
            memory = Memory(titles=share_of(share, f"titles:{seed}"))
            path = tmp_path / f"{seed}-{share}"
            rows = audited(path, memory, given, part="titles", items=60, guess=lambda text, s=seed: any_title(text, s))[
                1
            ]
            row = rows[TITLES_ROW]
            assert row.ci95 is not None
            if share:
                covered += row.ci95[0] <= share <= row.ci95[1]
            else:
                found += rows[f"{TITLES_ROW}, minus chance"].direction > 0
    assert covered >= 17 and found <= 2


def any_title(text: str, seed: int) -> str:
    return Random(f"{seed}:{text}").choice(items()).title


def test_a_model_that_says_the_same_always_is_clean(tmp_path: Path) -> None:
    """One item of 60 is that title: right by chance, and no more than chance."""
    given = cases()
    asked = compose_audit("memorisation", given, prompt="rankgpt", part="ids", items=60, progress=False)
    favourite = next(item for item in items() if item.item_id == asked.changed("ids").cases[7].relevant[0])
    found, rows, _ = audited(tmp_path, Memory(), given, part="ids", items=60, guess=lambda _: favourite.title)
    assert (rows[IDS_ROW].value, rows[IDS_ROW].chance) == (pytest.approx(1 / 60), pytest.approx(1 / 60))
    assert rows[f"{IDS_ROW}, minus chance"].value == pytest.approx(0) and "No sign" in found.sentence


def test_who_knows_the_taste_and_not_the_order_is_clean(tmp_path: Path) -> None:
    """A model that names one of the eleven events to come, any of them, is right in one of eleven."""
    given = cases()
    to_come = {titles_of(case.history[13:15]): titles_of(case.history[15:26]) for case in given}

    def one_of_them(text: str) -> str:
        return Random(text).choice(to_come[newest(text)])

    found, rows, _ = audited(tmp_path, Memory(), given, part="next", guess=one_of_them)
    row = rows[NEXT_ROW]
    assert row.value == pytest.approx(1 / 11, abs=0.05) and row.chance == pytest.approx(1 / 11, abs=0.01)
    assert rows[f"{NEXT_ROW}, minus chance"].direction == 0 and "No sign that it knows which event" in found.sentence


def test_the_popular_third_is_told_from_the_other(tmp_path: Path) -> None:
    known = items()[:30]
    ids = {item.item_id for item in known}
    given = [
        Case(
            f"u{user}",
            tuple(Event(item, None, float(at)) for at, item in enumerate(known)),
            (item, known[0]),
        )
        for user, item in enumerate(items()[30:])
    ]
    rows = audited(tmp_path, Memory(titles=ids.__contains__), given, part="titles")[1]
    most, least = (rows[f"{TITLES_ROW}, {third} popular third"] for third in ("most", "least"))
    assert most.value == 1 and least.value == 0
    assert 0 < (rows[TITLES_ROW].value or 0) < 0.3 and most.cases + least.cases == 100


def test_before_and_from_a_day_are_compared(tmp_path: Path) -> None:
    """What the first half of the users did is known by heart in 60%; nothing is of what came after."""
    given = cases()
    early = {case.user_id for case in given[: USERS // 2]}
    memory = Memory(likes=lambda user: user in early and Random(user).random() < 0.6)
    found, rows, _ = audited(tmp_path, memory, given, part="anonymous", before="2024-01-13")
    assert rows["HR@1, before 2024-01-13"].cases + rows["HR@1, from 2024-01-13"].cases == USERS
    row = rows["gain before 2024-01-13 minus gain from then on"]
    assert row.ci95 is not None and row.ci95[0] <= 0.6 * 0.9 <= row.ci95[1] and row.direction == 1
    assert "the gain in HR@1 over recall order is larger before 2024-01-13" in found.sentence
    clean, rows, _ = audited(
        tmp_path / "clean", Memory(likes=share_of(0.5, "likes")), given, part="next", before="2024"
    )
    row = rows["gain before 2024 minus gain from then on"]
    assert (
        row.direction == 0
        and "o significant difference between the gains over recall order before 2024" in clean.sentence
        and clean.sentence.count("p (Holm)") == clean.sentence.replace("<", "=").count("p ")
    )


@pytest.mark.parametrize("shape", [(40, 40), (12, 120), (300, 60)])
def test_the_difference_of_groups_covers_the_truth(shape: tuple[int, int]) -> None:
    """Of 1,000 samples 93 to 97% of the intervals hold it, of unlike groups too; the p-value is Welch's."""
    from scipy.stats import ttest_ind

    random, covered = np.random.default_rng(1), 0
    first = np.arange(sum(shape)) < shape[0]
    for _ in range(1_000):
        values = np.where(first, random.normal(0.3, 0.5, sum(shape)), random.normal(0.1, 0.2, sum(shape)))
        found = stats.difference_of_groups(values, first)
        covered += found.low <= 0.2 <= found.high
        assert found.p == pytest.approx(ttest_ind(values[first], values[~first], equal_var=False).pvalue, rel=1e-6)
    assert 930 <= covered <= 970


def test_users_in_both_groups_are_clusters() -> None:
    """What a user has in both groups cancels: the interval is far narrower than that of strangers, and covers."""
    random, covered, widths = np.random.default_rng(2), 0, list[tuple[float, float]]()
    first = np.arange(120) % 2 == 0
    users = np.arange(120) // 2
    for _ in range(500):
        values = random.normal(0, 1, 60)[users] + random.normal(0, 0.1, 120) + 0.1 * first
        found, apart = stats.difference_of_groups(values, first, users), stats.difference_of_groups(values, first)
        covered += found.low <= 0.1 <= found.high
        widths.append((found.high - found.low, apart.high - apart.low))
    narrow, wide = np.mean(widths, axis=0)
    assert 0.92 <= covered / 500 <= 0.98 and narrow < wide / 5
    with pytest.raises(ValueError, match="two values"):
        stats.difference_of_groups(np.zeros(3), np.array([True, False, False]))


def test_what_is_shown_never_tells_the_answer() -> None:
    asked = compose_audit("memorisation", cases(20), prompt="rankgpt", known_as='The "Data" {{ n }}', progress=False)
    for part in ("titles", "ids", "next"):
        evaluation = asked.changed(part)
        for case in evaluation.cases:
            template = evaluation.setup.template
            assert template is not None
            [message] = template.render(case, template.question(case))
            [wanted] = [item for item in case.candidates if item.item_id in case.relevant]
            assert wanted.title not in message.content and 'The "Data" {{ n }}' in message.content
            assert not case.relevant or wanted.item_id not in [
                event.item.item_id for event in case.history[:-1] if part != "next"
            ]
    assert first_half("Usual Suspects, The (1995)") == "Usual" and first_half("Heat (1995)") == ""
    assert first_half("2001: A Space Odyssey (1968)") == "2001: A" and first_half("Apollo 13") == "Apollo"


def test_an_echo_is_no_memory(tmp_path: Path) -> None:
    """Where ids say what the title is, or its first half is as good as the whole, nothing could be learnt."""
    named = [
        Item(title.lower(), title) for title in ("Alpha Beta", "Gamma Delta", "Matrix, The", "Usual Suspects, The")
    ]
    plain = [Item(f"n{at}", f"{word} {second}") for at, (word, second) in enumerate(zip(FIRST, SECOND, strict=True))]
    given = [Case(f"u{at}", (), (item, plain[at == len(named)])) for at, item in enumerate([*named, *plain])]
    asked = compose_audit("memorisation", given, prompt="rankgpt", part=["titles", "ids"], progress=False)
    ids, titles = ({case.relevant[0] for case in asked.changed(part).cases} for part in ("ids", "titles"))
    assert ids and not ids & {item.item_id for item in named}
    assert "matrix, the" not in titles and "usual suspects, the" in titles and "alpha beta" in titles


def test_neutral_names_are_the_same_everywhere_and_say_nothing() -> None:
    given = cases(30)
    change = without_titles(given, 1, "movie")
    names: dict[str, str] = {}
    for case in given:
        found = change(case)
        assert (found.relevant, found.case_id) == (case.relevant, case.case_id)
        for before, after in zip(case.candidates, found.candidates, strict=True):
            assert (after.item_id, after.attributes) == (before.item_id, before.attributes)
            assert re.fullmatch("Movie [BCDFGHJKLMNPQRSTVWXZ]{3}", after.title)
            assert names.setdefault(after.item_id, after.title) == after.title
        assert [event.timestamp for event in found.history] == [event.timestamp for event in case.history]
        for event in found.history:
            assert names.setdefault(event.item.item_id, event.item.title) == event.item.title
    assert len(set(names.values())) == len(names)
    assert change(given[0]) == without_titles(given, 1, "movie")(given[0])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ranker": "bm25", "prompt": None}, "this method uses none"),
        ({"prompt": "palr-recommend"}, "shows no candidates"),
        ({"prompt": "palr", "shots": 2}, "solved examples show titles"),
        ({"part": "title"}, "Input should be 'titles'"),
        ({"before": "yesterday"}, "'yesterday' is not a day"),
        ({"before": "1980"}, None),
        ({"budget": 3}, "memorisation has no such option"),
    ],
)
def test_what_would_say_nothing_is_refused(tmp_path: Path, more: dict[str, Any], said: str | None) -> None:
    if said is None:
        with pytest.raises(InputError, match="fewer than two Cases are on one side of 1980"):
            audited(tmp_path, Memory(), cases(4), part="next", **more)
        return
    with pytest.raises(InputError, match=said):
        compose_audit("memorisation", cases(4), progress=False, **{"prompt": "rankgpt", **more})


def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    short = [Case(case.user_id, case.history[:4], case.candidates, relevant=case.relevant) for case in cases(6)]
    found, rows, _ = audited(tmp_path, Memory(), short, items=20)
    assert "Not tested: next (no user has enough events)." in found.sentence and NEXT_ROW not in rows
    one_word = [Item(f"w{at}", word) for at, word in enumerate(FIRST)]
    given = [Case(f"u{at}", (), (one_word[at], one_word[at + 1]), relevant=(f"w{at}",)) for at in range(8)]
    with pytest.raises(InputError, match="nothing can be asked"):
        compose_audit("memorisation", given, prompt="rankgpt", part=["titles", "next"], progress=False)


def test_the_command_line_asks_stops_at_a_bound_continues_and_shows(tmp_path: Path) -> None:
    given = cases(6)
    model = Model(Memory(ids=lambda _: True), given)

    def answer(body: Mapping[str, Any]) -> Step:
        return good(model.says(body["messages"][-1]["content"]))

    write_cases(tmp_path / "cases.parquet", given)
    own = ("--items", "10", "--known-as", "MovieLens", "--before", "2023-11-17", "-o", "audit")
    with serving(ScriptedServer(answer=answer)) as server:
        command = asking(
            server.base_url, "audit", "memorisation", "--data", "cases.parquet", "--prompt", "rankgpt", *own
        )
        dry = run_command(tmp_path, *command, "--dry-run")
        assert dry.stdout.startswith("38 Cases, at most 38 requests") and server.calls == 0, dry.stderr
        bounded = run_command(tmp_path, *command, "--max-requests", "20")
        assert bounded.returncode == 5 and server.calls == 20, bounded.stderr
        ran = run_command(tmp_path, *command)
        assert ran.returncode == 0 and server.calls == 38, ran.stderr
        assert run_command(tmp_path, *command).stdout == ran.stdout and server.calls == 38
    assert {path.name for path in (tmp_path / "audit").iterdir()} == {"named", "anonymous", "titles", "ids", "next"}
    assert "100% of 10" in ran.stdout
    shown = run_command(tmp_path, "show", "audit/ids")
    assert shown.returncode == 0, shown.stderr
    assert run_command(tmp_path, "report", "audit/ids", "-o", "ids.html").returncode == 0
