"""Measures and recall models of other packages: the examples of docs/extending.md, and what is refused."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import llmrank as lr
from llmrank.data.dataset import Dataset, Interactions, Split
from llmrank.errors import InputError, MissingError
from llmrank.measures import Judgements, RankingMeasure, parse_measure
from llmrank.recall import candidates_for, recall_model, recall_settings
from llmrank.types import Case, Item, Ranking
from tests.plugins import install

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "extending.md").read_text(encoding="utf-8")


def example(name: str) -> str:
    """Return the module that the page shows under a name."""
    found = re.search(rf"```python {re.escape(name)}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_measure_of_the_page_is_known_by_its_name_and_exact_under_ties(folder: Path) -> None:
    install(folder, "top_share", example("top_share.py"), "measures:TopShare=top_share:TopShare")
    measure = parse_measure("topshare@2")
    assert str(measure) == "TopShare@2"
    judged = Judgements.from_rankings([Ranking(tuple("abcd"))], [{"b", "c"}])
    assert measure.value(judged) == 0.5  # type: ignore[arg-type]
    assert measure.value(judged.random()) == 0.5  # type: ignore[arg-type]
    with pytest.raises(InputError, match="did you mean 'TopShare@2'"):
        parse_measure("TopShar@2")


def test_a_measure_that_is_none_or_gives_no_number_is_blamed_on_its_package(folder: Path) -> None:
    wild = example("top_share.py").replace("return judgements", "return 7 + judgements").replace("TopShare", "Wild")
    source = f"{wild}\n\nclass Other:\n    name = 'Other'\n"
    install(folder, "wild_ones", source, "measures:Wild=wild_ones:Wild", "measures:Other=wild_ones:Other")
    judged = Judgements.from_rankings([Ranking(tuple("ab"))], [{"b"}])
    with pytest.raises(InputError, match=r"the measure Wild@1 \(wild_ones\)"):
        parse_measure("Wild@1").value(judged)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"wild_ones 1\.0 .* is not a subclass of RankingMeasure"):
        parse_measure("Other@1")


CASES = [
    Case(f"u{n}", (), candidates=tuple(Item(one, one.upper()) for one in "abc"), relevant=("abc"[n % 3],))
    for n in range(6)
]


def test_a_measure_object_is_kept_in_a_run_that_names_it(folder: Path) -> None:
    install(folder, "top_part", example("top_share.py"), "measures:TopShare=top_part:TopShare")
    share = parse_measure("TopShare@2")
    run = lr.evaluate(CASES, ranker="recall_order", measures=[share, "MRR,HR@1"], out=folder / "run", progress=False)
    assert list(run.metrics) == ["TopShare@2", "MRR", "HR@1"]
    assert lr.load_run(folder / "run").metric_settings.measures[0] == share


def test_a_measure_without_an_entry_point_is_for_finished_runs(folder: Path) -> None:
    (folder / "own_share.py").write_text(example("top_share.py"))
    share = import_module("own_share").TopShare(1)
    problem = r"'TopShare@1' names no installed measure\n  hint: add TopShare to .*llmrank\.measures.*run\.measure"
    for measures in ([share], ["MRR", share]):
        with pytest.raises(InputError, match=problem):
            lr.evaluate(CASES, ranker="recall_order", measures=measures, out=folder / "run", progress=False)
    one, other = (
        lr.evaluate(CASES, ranker=name, out=folder / name, progress=False) for name in ("recall_order", "random")
    )
    assert list(one.measure([share, "MRR"])) == ["TopShare@1", "MRR"]
    assert {row.measure for row in lr.compare(one, other, measures=[share, "MRR"]).results} == {"TopShare@1", "MRR"}


def test_a_measure_that_only_shares_the_name_of_another_is_refused(folder: Path) -> None:
    class Recall(RankingMeasure):
        name = "Recall"

        def expected(self, judgements: Judgements) -> NDArray[np.float64]:
            return np.zeros(len(judgements))

    with pytest.raises(InputError, match="'Recall@3' names another measure"):
        lr.evaluate(CASES, ranker="recall_order", measures=[Recall(3)], out=folder / "run", progress=False)


def test_a_run_whose_measure_is_not_installed_names_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(folder, "top_gone", example("top_share.py"), "measures:TopShare=top_gone:TopShare")
    for name in ("recall_order", "random"):
        lr.evaluate(CASES, ranker=name, measures="MRR,TopShare@2", out=folder / name, progress=False)
    monkeypatch.setattr("sys.path", [one for one in sys.path if one != str(folder)])
    with pytest.raises(
        MissingError, match="the Run has the measure 'TopShare@2', and no package here adds it"
    ) as error:
        lr.compare(folder / "recall_order", folder / "random")
    assert "install the package that adds TopShare" in error.value.hint


def toy_split() -> Split:
    items = tuple(Item(str(number), f"Item {number}") for number in range(4))
    train = Interactions(np.array([0, 0, 1], np.int32), np.array([0, 1, 2], np.int32), None, np.arange(3.0))
    test = Interactions(np.array([0, 1], np.int32), np.array([2, 0], np.int32), None, np.arange(2.0))
    return Split(Dataset("toy", ("u", "v"), items, train, None, "", ""), train, test, "made", "")


def test_the_recall_model_of_the_page_proposes_and_its_fields_are_its_settings(folder: Path) -> None:
    install(folder, "newest", example("newest.py"), "recall:newest=newest:Newest", "recall:none=newest:Newest.fit")
    split, model = toy_split(), recall_model("newest", half_life=10)
    assert recall_settings(model, 2) == {"model": "newest", "half_life": 10, "k": 2, "seen_items": "excluded"}
    cases = list(candidates_for(split, model, 2, ["u", "v"]))
    assert [[item.item_id for item in case.candidates] for case in cases] == [["2", "3"], ["1", "0"]]
    for wrong, says in (({"half_live": 1}, "did you mean 'half_life'"), ({"half_life": "long"}, "of type float")):
        with pytest.raises(InputError, match=says):
            recall_model("newest", **wrong)
    with pytest.raises(InputError, match="is not a dataclass"):
        recall_model("none")
    with pytest.raises(InputError, match="did you mean 'newest'"):
        recall_model("newst")


def test_a_measure_that_raises_or_misses_cases_is_blamed_on_its_package(folder: Path) -> None:
    source = example("top_share.py").replace("TopShare", "Raises").replace("return judgements", "return judgments")
    source += source.replace("Raises", "Misses").replace("return judgments", "return np.zeros(3)\n        #")
    install(folder, "broken_ones", source, "measures:Raises=broken_ones:Raises", "measures:Misses=broken_ones:Misses")
    judged = Judgements.from_rankings([Ranking(tuple("ab"))], [{"b"}])
    blamed = r"broken_ones\.py, line \d+: the measure 'Raises' of broken_ones 1\.0 .* raised in `expected`: NameError"
    with pytest.raises(InputError, match=blamed):
        parse_measure("Raises@1").per_case(judged)
    with pytest.raises(InputError, match=r"the measure Misses@1 \(broken_ones\) returned an array of shape \(3,\)"):
        parse_measure("Misses@1").per_case(judged)


def test_a_recall_model_that_breaks_the_contract_is_blamed_on_its_package(folder: Path) -> None:
    source = example("newest.py")
    fits = source.replace("return Fitted(", "return len(").replace(
        ", lambda users: np.tile(score, (len(users), 1))", ".items"
    )
    sources = {
        "number": fits.replace('"newest"', '"number"'),
        "raising": source.replace("known, train =", "1 / 0; known, train =").replace('"newest"', '"raising"'),
        "scoring": source.replace("np.tile(score", "np.tile(scores").replace('"newest"', '"scoring"'),
        "bare": source.replace(" = 86_400.0", "").replace('"newest"', '"bare"'),
    }
    for name, text in sources.items():
        install(folder, f"recall_{name}", text, f"recall:{name}=recall_{name}:Newest")
    split = toy_split()
    for name, says in (
        ("number", r"of recall_number 1\.0 .* returned 4 from `fit`"),
        ("raising", r"recall_raising\.py, line \d+: .* raised in `fit`: ZeroDivisionError"),
        ("scoring", r"recall_scoring\.py, line \d+: .* raised in `score`: NameError"),
    ):
        with pytest.raises(InputError, match=says):
            list(candidates_for(split, recall_model(name), 2, ["u"]))
    with pytest.raises(InputError, match=r"of recall_bare 1\.0 .* has no default for its field 'half_life'"):
        recall_model("bare", half_life=1.0)


def test_scores_that_would_rank_wrongly_are_blamed_on_the_package_of_the_recall_model(folder: Path) -> None:
    source = example("newest.py").replace('"newest"', '"logs"').replace("np.exp2(", "(")  # -inf for an unmet item
    install(folder, "recall_logs", source, "recall:logs=recall_logs:Newest")
    with pytest.raises(InputError, match=r"of recall_logs 1\.0 \(.*\) returned infinite or NaN scores"):
        list(candidates_for(toy_split(), recall_model("logs"), 2, ["u"]))


def test_a_recall_model_may_return_the_same_array_for_all_users(folder: Path) -> None:
    source = example("newest.py").replace('"newest"', '"shared"')
    source = source.replace("np.tile(score, (len(users), 1))", "np.broadcast_to(score, (len(users), len(score)))")
    install(folder, "recall_shared", source, "recall:shared=recall_shared:Newest")
    install(folder, "newest", example("newest.py"), "recall:newest=newest:Newest")
    shared, own = (
        list(candidates_for(toy_split(), recall_model(name), 4, ["u", "v"])) for name in ("shared", "newest")
    )
    assert shared == own


def test_a_recall_model_is_fitted_without_the_test_side(folder: Path) -> None:
    source = example("newest.py").replace('"newest"', '"curious"')
    source = source.replace("known, train =", "assert len(split.test) == 0; known, train =")
    install(folder, "recall_curious", source, "recall:curious=recall_curious:Newest")
    assert len(list(candidates_for(toy_split(), recall_model("curious"), 2, ["u", "v"]))) == 2
