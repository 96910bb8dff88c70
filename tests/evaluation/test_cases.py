"""What are Cases, and what makes them the same Cases."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from llmrank import compare, evaluate
from llmrank.errors import InputError
from llmrank.evaluation.cases import CaseSet, cases_hash, load_cases, validation_cases
from llmrank.evaluation.settings import CaseSettings
from llmrank.types import Case, Event, Item

CASE = Case("u", (), (Item("a", "Alien"), Item("b", "Brazil")), (0.62634577047245245, -3.25e-12), ("a",))


def test_the_last_digits_of_recall_scores_do_not_count() -> None:
    """EASE with one thread and with two: a training or an audit that was stopped must continue."""
    again = replace(CASE, recall_scores=(0.626345770472455, -3.2500000000000004e-12))
    assert again != CASE and cases_hash([again]) == cases_hash([CASE])


def test_whatever_else_differs_counts() -> None:
    others = (
        replace(CASE, recall_scores=(0.626346, -3.2501e-12)),
        replace(CASE, recall_scores=None),
        replace(CASE, candidates=CASE.candidates[::-1]),
        replace(CASE, relevant=("b",)),
        replace(CASE, user_id="v", case_id="u"),
    )
    assert len({cases_hash([case]) for case in (CASE, *others)}) == 1 + len(others)


def test_the_order_of_the_rows_does_not_count() -> None:
    other = replace(CASE, user_id="v", case_id="v")
    assert cases_hash([CASE, other]) == cases_hash([other, CASE]) != cases_hash([CASE])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{"user_id": "u"}], "expected a Case, got dict"),
        (42, "expected a list of Cases, got int"),
        ([], "there are no Cases"),
        ([CASE, CASE], "user 'u': duplicate case_id 'u'"),
        ([replace(CASE, candidates=CASE.candidates[:1] * 2)], "user 'u': duplicate candidate"),
        ([replace(CASE, history=(Event(Item("c", "Cube \ud800")),))], "user 'u': invalid text"),
        ([replace(CASE, relevant="12")], "field 'relevant', user 'u': expected a list, got str"),
        ([replace(CASE, relevant=frozenset("a"))], "field 'relevant', user 'u': expected a list, got frozenset"),
        ([replace(CASE, history=("Heat",))], "field 'history', user 'u': invalid entry 'Heat'"),
        ([replace(CASE, candidates=["a", "b"])], "field 'candidates', user 'u': invalid entry 'a'"),
        ([replace(CASE, recall_scores=("1", "2"))], "field 'recall_scores', user 'u': invalid entry '1'"),
        (
            [replace(CASE, candidates=(Item(1, "A"), Item("b", "B")))],
            r"field 'candidates', user 'u': invalid item Item\(item_id=1",
        ),  # pyright: ignore
        ([replace(CASE, history=(Event("Heat"),))], "field 'history', user 'u': invalid item 'Heat'"),
        ([replace(CASE, candidates=(Item("a", " "), Item("b", "B")))], "field 'candidates', user 'u': invalid item"),
        ([replace(CASE, history=(Event(Item("c", "C", {"price": 3.5})),))], "its attributes, must be text"),
        ([Case("u", (), target="Heat")], "field 'target', user 'u': invalid item 'Heat'"),
        ([Case("u", (), target=Item("a", "A"), rating=float("nan"))], "field 'rating', user 'u': expected a number"),
        ([replace(CASE, history=(Event(Item("c", "C"), timestamp="May"),))], "field 'timestamp', user 'u': expected"),
        (
            [replace(CASE, recall_scores=(1.0,))],
            r"field 'recall_scores', user 'u': does not fit `candidates`: \(1.0,\)",
        ),
        ([replace(CASE, recall_scores=(1.0, float("nan")))], "field 'recall_scores', user 'u': does not fit"),
        ([replace(CASE, relevant=("a",), gains=(1.0, 2.0))], "field 'gains', user 'u': does not fit `relevant`"),
        ([replace(CASE, relevant=("a",), gains=(0.0,))], r"give one finite number above 0 for each of `relevant`"),
        ([replace(CASE, relevant=("a", "a"))], "field 'relevant', user 'u': duplicate relevant item"),
        ([replace(CASE, user_id=1)], "field 'user_id', user '1': expected text, got 1"),
    ],
)
def test_what_are_no_cases_is_said(data: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_cases(data)


@pytest.mark.parametrize(("name", "value"), [("users", 5), ("k", 5), ("seed", 1), ("recall", "bm25")])
def test_cases_that_are_made_take_no_settings(name: str, value: object) -> None:
    with pytest.raises(InputError, match=f"field '{name}': this has no effect on existing Cases"):
        evaluate(load_cases([CASE]), ranker="recall_order", **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recall", "sasrec"),
        ("split", "time:1998-01-01"),
        ("k_core", 5),
        ("columns", ("user=foo",)),
        ("file_order", True),
    ],
)
def test_a_setting_of_data_sets_is_refused_beside_cases_that_are_there(
    tmp_path: Path, name: str, value: object
) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text('{"user_id": "u", "candidates": [{"item_id": "a", "title": "Alien"}], "relevant": ["a"]}\n')
    assert load_cases(file, k=1, users=1, seed=3, skip_bad_rows=True, split="leave-last-out")
    for data in (file, [CASE]):
        with pytest.raises(InputError, match="has no effect") as caught:
            load_cases(data, **{name: value})
        assert caught.value.field == name


@pytest.mark.parametrize("columns", [{"user": "Kundennummer"}, ("user=Kundennummer",)])
def test_columns_are_named_by_role_as_in_the_hint(tmp_path: Path, columns: object) -> None:
    lines = ["Kundennummer,item,title,timestamp", *(f"{n % 3},{n % 4},Film {n % 4},{n}" for n in range(12))]
    (tmp_path / "events.csv").write_text("\n".join(lines))
    found = load_cases(tmp_path, columns=columns, recall="popularity", k=3)
    assert {case.user_id for case in found} == {"0", "1", "2"}
    run = evaluate(tmp_path, columns=columns, recall="popularity", k=3, ranker="recall_order", out=tmp_path / "run")
    assert len(run) == 3
    with pytest.raises(InputError, match=r"expected ROLE=NAME, got 'user='\n  hint: .*columns=\{'user': 'uid'\}"):
        load_cases(tmp_path, columns={"user": None})


def test_loaded_cases_can_be_sent_to_another_process() -> None:
    found = load_cases([replace(CASE, history=(Event(Item("c", "Cube")),))])
    again = pickle.loads(pickle.dumps(found))
    assert again.cases == found.cases and again.training.popularity == found.training.popularity == {"c": 1}


def test_k_keeps_what_the_recall_stage_puts_first_as_it_stands() -> None:
    case = Case("u", (), tuple(Item(name, name) for name in "abcd"), (1.0, 4.0, 2.0, 3.0))
    [cut] = load_cases([case], k=2)
    assert [item.item_id for item in cut.candidates] == ["b", "d"] and cut.recall_scores == (4.0, 3.0)
    [whole] = load_cases([case])
    assert whole == case


FILMS = tuple(Item(f"f{at}", f"Film {at}") for at in range(5))
FIVE = [
    replace(CASE, user_id=f"u{at}", case_id=f"u{at}", candidates=FILMS, recall_scores=None, relevant=("f1",))
    for at in range(5)
]


def test_a_slice_is_a_set_of_cases_that_keeps_everything_else() -> None:
    whole = replace(load_cases([*FIVE, replace(FIVE[0], user_id="v", case_id="v", relevant=("x",))]), domain="movies")
    part = whole[:4]
    assert isinstance(part, CaseSet) and part.cases == whole.cases[:4] and whole[-1] is whole.cases[-1]
    assert (part.training, part.domain, part.evaluation) == (whole.training, "movies", whole.evaluation)
    assert "4 of 6 Cases, chosen by the caller." in part.notes
    # The counts in the notes are of the part.
    assert any("missed by recall" in note for note in whole.notes)
    assert not any("missed by recall" in note for note in part.notes)
    assert sum("no history" in note for note in part.notes) == 1 and "4 Cases have no history." in part.notes
    assert whole[:] == whole
    assert whole.where(lambda case: "f1" in case.relevant) == whole[:5]


def test_a_given_history_that_may_be_wrong_is_noted() -> None:
    def past(*events: tuple[str, float]) -> tuple[Event, ...]:
        return tuple(Event(Item(item_id, "Seen"), None, time) for item_id, time in events)

    told, falling = "In 1 Case the history holds an item that is asked for", "In 1 Case the timestamps fall"
    right = replace(FIVE[0], history=past(("h", 1), ("h", 1), ("i", 2)))
    cases = [right, replace(FIVE[1], history=past(("f1", 1))), replace(FIVE[2], history=past(("h", 2), ("i", 1)))]
    whole = load_cases(cases)
    assert [sum(note.startswith(text) for note in whole.notes) for text in (told, falling)] == [1, 1]
    assert not any("histor" in note for note in whole[:1].notes)
    rated = Case("r", past(("t", 1)), target=Item("t", "Target"), rating=4.0)
    assert any(note.startswith(told) for note in load_cases([rated]).notes)


def test_each_part_of_the_cases_has_a_run_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = load_cases(FIVE)
    runs = [evaluate(cases, ranker="recall_order", progress=False) for cases in (whole, whole[:2], whole[2:4])]
    assert len({run.path for run in runs}) == 3
    assert [run.settings.get("part") for run in runs] == [None, "2 of 5 Cases", "2 of 5 Cases"]
    assert runs[0].settings["data"] == runs[1].settings["data"]
    assert "2 of 5 Cases, chosen by the caller." in runs[1].metrics.notes
    assert compare(runs[0], runs[1]).cases == 2


def test_users_without_a_rating_to_predict_are_counted(tmp_path: Path) -> None:
    """They were said to be left out by the sample."""
    rows = [(f"u{user}", item, 3 if item < 1 or user % 2 else "", item) for user in range(6) for item in range(3)]
    table = "".join(",".join(map(str, row)) + "\n" for row in rows)
    (tmp_path / "interactions.csv").write_text("user,item,rating,timestamp\n" + table)
    (tmp_path / "items.csv").write_text("item,title\n0,Heat\n1,Alien\n2,Babe\n")
    found = load_cases(tmp_path, task="rating", users=0)
    assert [case.user_id for case in found] == ["u1", "u3", "u5"]
    note = "Left out, because none of their held-out events has a rating: 3 users."
    assert note in found.notes
    assert not any("sampled" in note for note in found.notes)
    said: list[str] = []
    assert found.split is not None
    assert len(validation_cases(found.split, CaseSettings(), 0, said.append, "rating")) == 3 and said == [note]
    four = load_cases(tmp_path, task="rating", users=4)
    assert "4 of 6 users, sampled with seed 0." in four.notes
    first = load_cases(tmp_path, task="rating", users=0, split="leave-last-out:2")
    assert [case.asked[0].item_id for case in first] == ["1"] * 3
    assert "Each user's first held-out rating is predicted, not the 3 later ones." in first.notes
    assert not any("first held-out rating" in note for note in found.notes)


def test_the_task_of_a_file_is_that_of_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "ratings.jsonl"
    file.write_text('{"user_id": "u", "history": [], "target": {"item_id": "a", "title": "Alien"}, "rating": 4}\n')
    assert load_cases(file).task == "rating"
    with pytest.raises(InputError, match="a ranking is asked for, but no row has candidates") as error:
        load_cases(file, task="ranking")
    assert "task='rating'" in str(error.value)


def test_loading_reports_its_progress(capsys: pytest.CaptureFixture[str]) -> None:
    load_cases("ml-100k", users=2, recall="popularity")
    assert "fitting popularity" in capsys.readouterr().err
    load_cases("ml-100k", users=2, recall="popularity", progress=False)
    assert not capsys.readouterr().err


def test_cases_of_the_other_task_are_left_out_and_counted(tmp_path: Path) -> None:
    mixed = [CASE, *(Case(f"r{n}", (), target=Item("a", "A"), rating=4.0) for n in range(2))]
    file = tmp_path / "mixed.jsonl"
    rated = '"target": {"item_id": "a", "title": "A"}, "rating": 4'
    ranked = '"candidates": [{"item_id": "a", "title": "A"}, {"item_id": "b", "title": "B"}], "relevant": ["a"]'
    file.write_text("".join(f'{{"user_id": "{n}", {one}}}\n' for n, one in enumerate((ranked, rated, rated))))
    for data in (mixed, file):
        ranking, rating = load_cases(data), load_cases(data, task="rating")
        assert len(ranking) == 1 and "Left out, because they ask for a rating: 2 Cases." in ranking.notes
        assert len(rating) == 2 and "Left out, because they ask for a ranking: 1 Case." in rating.notes
