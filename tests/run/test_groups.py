"""For whom a method gains: the groups are complete, disjoint and found where a gain was put."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from llmrank import stats
from llmrank.errors import InputError
from llmrank.run import Run
from llmrank.run.gain import Gain
from llmrank.types import Case, Event, Item, Ranking
from tests.run.making import case, how, make_run, shuffled

POPULARITY = {f"i{item}": item for item in range(1, 200)}


def user(number: int) -> Case:
    one = case(f"u{number:03}")
    events = tuple(Event(Item(f"h{at}", f"Seen {at}")) for at in range(number % 30))
    return replace(one, history=events, relevant=tuple(item for item in one.relevant if item != "missed"))


def lifted(one: Case) -> Ranking:
    """Recall order; with a long history, the relevant item first."""
    order = [item.item_id for item in one.candidates]
    if len(one.history) > 20:
        order.sort(key=lambda item_id: item_id not in one.relevant)
    return Ranking(tuple(order))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    cases = [user(number) for number in range(120)]
    cases[3] = replace(cases[3], relevant=("elsewhere",))
    cases[4] = replace(cases[4], relevant=())
    return make_run(tmp_path / "run", cases, [lifted(one) for one in cases], metric_settings=how(popularity=POPULARITY))


def test_every_judged_case_is_in_one_group_of_each_kind(run: Run) -> None:
    found = run.groups("NDCG@10")
    sizes = {by: sum(one.cases for one in some) for by, some in groupby(found, key=lambda one: one.by)}
    assert sizes == {"history": 119, "relevant item": 118, "recall place": 119}
    for by in sizes:
        some = [one for one in found if one.by == by and one.value is not None]
        total = sum(one.cases * (one.value or 0) for one in some)
        assert total == pytest.approx(119 * (run.metrics["NDCG@10"].value or 0))
    assert [one.name for one in found if one.by == "recall place"] == ["1", "2 to 5", "6 to 10", "11 to 20", "missed"]
    (missed,) = (one for one in found if one.name == "missed")
    assert (missed.cases, missed.value, missed.difference) == (1, 0, 0)
    assert missed.ci95 == missed.difference_ci95 == (0, 0) and missed.p_holm == 1, "no order changes it"
    by_place = [one for one in found if one.by == "recall place" and one is not missed]
    assert [one.p_holm for one in by_place] == pytest.approx(stats.holm([one.p for one in by_place]))


def test_the_most_relevant_candidate_decides_the_group(tmp_path: Path) -> None:
    """The relevant item with the highest gain is rare, is placed last and is from France, the other is not."""
    items = tuple(Item(f"i{at}", f"Film {at}", {"land": "France" if at == 9 else "Italy"}) for at in range(10))
    cases = [Case(f"u{n}", (), items, relevant=("i0", "i9"), gains=(1.0, 3.0)) for n in range(3)]
    cases.append(Case("u9", (), items, relevant=("elsewhere",)))
    made = make_run(
        tmp_path / "run",
        cases,
        [Ranking(tuple(f"i{at}" for at in range(10)))] * 4,
        metric_settings=how(popularity={"i0": 50}),
    )
    found = made.groups(by=("relevant item", "relevant land", "recall place"))
    assert [(one.by, one.name, one.cases) for one in found] == [
        ("relevant item", "no event", 3),
        ("relevant land", "France", 3),
        ("recall place", "6 to 10", 3),
        ("recall place", "missed", 1),
    ]
    assert "1 Case is in no group by relevant item: the recall stage missed all of them." in found.notes()


def test_a_difference_that_only_the_test_finds_is_not_to_be_relied_on(tmp_path: Path) -> None:
    """All of nine users gain: p is 2 / 2^9, but so few may hide a user who loses."""
    cases = [case(f"u{n}", seed=n) for n in range(9)]
    first = [
        Ranking(tuple(sorted((i.item_id for i in one.candidates), key=lambda i: i not in one.relevant)))
        for one in cases
    ]
    found = make_run(tmp_path / "run", cases, first).groups("NDCG@10", by="history")
    [group] = found
    assert group.p_holm < 0.05 and group.holds_zero == any("do not rely on" in note for note in found.notes())


def test_the_gain_is_found_where_it_was_put(run: Run) -> None:
    _, short, middle, long = (one for one in run.groups() if one.by == "history")
    assert (short.name, middle.name, long.name) == ("1 to 10 events", "11 to 20 events", "21 to 29 events")
    assert short.difference == middle.difference == 0
    assert long.difference is not None and long.difference > 0.5 and long.p_holm < 0.01
    assert "history: 21 to 29 events" in str(run.groups())


def test_a_history_of_one_event_is_not_in_the_plural(tmp_path: Path) -> None:
    cases = [replace(user(1), case_id=f"c{number}", user_id=f"u{number}") for number in range(3)]
    made = make_run(tmp_path / "run", cases, [lifted(one) for one in cases])
    assert [one.name for one in made.groups(by="history")] == ["1 event"]


def test_an_item_without_training_events_is_a_group_of_its_own(tmp_path: Path) -> None:
    cases = [user(number) for number in range(30)]
    new = {item: count for item, count in POPULARITY.items() if item != cases[0].relevant[0]}
    made = make_run(tmp_path / "run", cases, [shuffled(one, 1) for one in cases], metric_settings=how(popularity=new))
    assert next(one.name for one in made.groups() if one.by == "relevant item") == "no event"


def test_the_interval_of_two_users_is_within_what_a_difference_can_be() -> None:
    found = Gain.of(np.array([1.0, 0.0]), np.array([0.0, 0.6]), np.array([0, 1]))
    assert found.difference_ci95 == (-1.0, 1.0)
    assert Gain.of(np.array([1.0]), np.array([0.0]), np.array([0])).difference_ci95 is None


def test_cases_are_grouped_by_what_all_their_candidates_share(tmp_path: Path) -> None:
    """A hotel is in one city, and so are all that a search shows: it is no column of the Case, whose values differ."""

    def search(number: int) -> Case:
        one, city = user(number), ("Paris", "Roma", "")[number % 3]
        shown = [{"price": f"{at}"} | ({"city": city} if city else {}) for at in range(len(one.candidates))]
        items = tuple(replace(item, attributes=own) for item, own in zip(one.candidates, shown, strict=True))
        return replace(one, candidates=items, columns={"device": "phone"} if number else {})

    cases = [search(number) for number in range(60)]
    made = make_run(tmp_path / "run", cases, [shuffled(one, 1) for one in cases])
    judged = [one.relevant != () for one in cases]
    found = {one.name: one.cases for one in made.groups(by="city")}
    assert found == {name: sum(judged[place::3]) for place, name in enumerate(("Paris", "Roma", "not given"))}
    with pytest.raises(InputError, match="no column 'price'") as caught:
        made.groups(by="price")
    assert caught.value.hint == "group by one of history, relevant item, recall place, city, device, relevant price"
    assert "did you mean 'relevant price'" in caught.value.problem


def test_cases_are_grouped_by_an_attribute_of_the_relevant_candidate(tmp_path: Path) -> None:
    """An episode has a show: if several candidates are relevant, the one with the highest gain counts."""

    def listener(number: int) -> Case:
        one = user(number)
        shows = [{"show": ("News", "Sport", "")[at % 3]} for at in range(len(one.candidates))]
        items = tuple(replace(item, attributes=own) for item, own in zip(one.candidates, shows, strict=True))
        wanted = (items[0].item_id, items[number % 3].item_id)[: 1 + (number % 3 > 0)]
        return replace(one, candidates=items, relevant=wanted, gains=(0.2, 0.9)[: len(wanted)])

    cases = [listener(number) for number in range(30)]
    cases[0] = replace(cases[0], relevant=("elsewhere",))
    made = make_run(tmp_path / "run", cases, [shuffled(one, 1) for one in cases])
    found = {one.name: one.cases for one in made.groups(by="relevant show")}
    assert found == {"News": 9, "Sport": 10, "not given": 10}


def test_users_without_a_history_are_a_group_of_their_own(run: Run) -> None:
    first = next(iter(run.groups(by="history")))
    assert (first.name, first.cases) == ("none", 4)


def test_an_unknown_measure_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="NDGC"):
        run.groups("NDGC@10")


def with_columns(number: int) -> Case:
    """A user of one of three countries, of an age; every tenth has neither, and the long names are all different."""
    given = {} if number % 10 == 9 else {"country": ("at", "be", "ch")[number % 3], "age": f"{20 + number % 40}"}
    return replace(user(number), columns=given | {"nickname": f"n{number}", "group": f"{number % 4}"})


def better_abroad(one: Case) -> Ranking:
    """Recall order; in one country, the relevant item first."""
    order = [item.item_id for item in one.candidates]
    if one.columns.get("country") == "be":
        order.sort(key=lambda item_id: item_id not in one.relevant)
    return Ranking(tuple(order))


@pytest.fixture
def wide(tmp_path: Path) -> Run:
    cases = [with_columns(number) for number in range(150)]
    return make_run(tmp_path / "wide", cases, [better_abroad(one) for one in cases])


def test_cases_are_grouped_by_their_own_columns(wide: Run) -> None:
    found = list(wide.groups(by="country"))
    assert [(one.by, one.name) for one in found] == [("country", name) for name in ("at", "be", "ch", "not given")]
    assert sum(one.cases for one in found) == 150 and found[3].cases == 15
    at, be, ch, unknown = (one.difference for one in found)
    assert at == ch == unknown == 0 and be is not None and be > 0.4
    assert found[1].p_holm == pytest.approx(4 * found[1].p), "corrected for the four groups that are shown"
    assert "country: be" in str(wide.groups(by="country"))


def test_groups_by_recall_place_come_last_with_a_warning_and_do_not_count_against_the_others(run: Run) -> None:
    found = run.groups(by=("recall place", "history"))
    assert [by for by, _ in groupby(one.by for one in found)] == ["history", "recall place"]
    assert "even a random one, can only lose where recall order put the item first" in " ".join(found.text().split())
    alone = run.groups(by="history")
    assert [one.p_holm for one in alone] == [one.p_holm for one in found if one.by == "history"]
    assert "random" not in alone.text()


def test_many_numbers_are_thirds_and_many_texts_are_the_most_frequent_ones(wide: Run) -> None:
    ages = list(wide.groups(by="age"))
    assert [one.name for one in ages] == ["20 to 32", "33 to 44", "45 to 58", "not given"]
    names = [one.name for one in wide.groups(by="nickname")]
    assert len(names) == 11 and names[-1] == "140 other values"
    assert [one.name for one in wide.groups(by="group")] == ["0", "1", "2", "3"]


def test_columns_that_do_not_fit_are_named(wide: Run) -> None:
    found = wide.groups(by="country")
    assert "p (Holm)" in found.table().header and "too narrow" not in found.text(120)
    assert "Columns left out (too narrow): Cases, method CI, p (Holm)." in found.text(60)


def test_ways_to_group_can_be_joined_and_unknown_ones_are_named(wide: Run) -> None:
    found = wide.groups(by=["country", "history", "country"])
    assert list(dict.fromkeys(one.by for one in found)) == ["country", "history"]
    with pytest.raises(InputError, match="no column 'contry'; did you mean 'country'") as error:
        wide.groups(by="contry")
    assert "recall place" in str(error.value) and "nickname" in str(error.value)
    assert {one.by for one in wide.groups()} == {"history", "recall place"}


def test_hostile_values_are_shown_on_one_line(tmp_path: Path) -> None:
    cases = [replace(user(number), columns={"a\x1b[2J": "x\n\x1b[31m" + "y" * 99}) for number in range(20)]
    run = make_run(tmp_path / "run", cases, [shuffled(one, 1) for one in cases])
    (group,) = run.groups(by="a\x1b[2J")
    assert "\x1b" not in group.by + group.name and "\n" not in group.name and len(group.name) <= 50
    assert "\x1b" not in str(run.groups(by="a\x1b[2J"))


def test_an_empty_value_is_none(tmp_path: Path) -> None:
    cases = [replace(user(number), columns={"segment": ("new", "", " ")[number % 3]}) for number in range(30)]
    run = make_run(tmp_path / "run", cases, [shuffled(one, 1) for one in cases])
    assert [(one.name, one.cases) for one in run.groups(by="segment")] == [("new", 10), ("not given", 20)]


def test_cases_without_a_known_truth_are_in_no_group(tmp_path: Path) -> None:
    cases = [replace(with_columns(number), relevant=()) for number in range(4)]
    rankings = [shuffled(one, 1) for one in cases]
    made = make_run(tmp_path / "run", cases, rankings, metric_settings=how(popularity=POPULARITY))
    assert list(made.groups()) == list(made.groups(by="country")) == []
