"""Arguments of the wrong type: each public function says which one it is, and what to pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import llmrank as lr
from llmrank.audit import read_audit
from llmrank.errors import InputError
from llmrank.recall import candidates_for, recall_model
from llmrank.report import page, write_figures, write_page
from tests.run.making import case, make_run, shuffled

CASES = [case(f"u{user}", relevant=1) for user in range(4)]
WRONG = (5, 5.5, True, b"x", object(), [], {}, "", [None], {"a": 1}, lambda: 0, {1, 2}, float("nan"), [[1]])
ANSWERS = pd.DataFrame(
    [{"user_id": "u", "candidates": [{"item_id": "1", "title": "Heat"}], "relevant": ["1"], "response": "1. Heat"}]
)
PROPOSED = pd.DataFrame([{"user_id": "u", "item_id": str(i), "title": f"Film {i}", "score": 1 - i} for i in range(2)])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> lr.Run:
    return make_run(tmp_path_factory.mktemp("wrong") / "run", CASES, [shuffled(one, 1) for one in CASES])


SILENT: Mapping[str, Any] = {"ranker": "bm25", "progress": False}
CALLS: Mapping[str, tuple[Callable[[lr.Run, Any], object], tuple[object, ...]]] = {
    "evaluate out": (lambda _, wrong: lr.evaluate(CASES, out=wrong, **SILENT), ()),
    "evaluate store": (lambda _, wrong: lr.evaluate(CASES, store=wrong, **SILENT), ()),
    "evaluate progress": (lambda _, wrong: lr.evaluate(CASES, ranker="bm25", progress=wrong), (True,)),
    "load_cases task": (lambda _, wrong: lr.load_cases(CASES, task=wrong, progress=False), ()),
    "load_cases progress": (lambda _, wrong: lr.load_cases(CASES, progress=wrong), (True,)),
    "where": (lambda _, wrong: lr.load_cases(CASES, progress=False).where(wrong), (WRONG[10],)),
    "convert format": (lambda _, wrong: lr.convert(PROPOSED, wrong, progress=False), ()),
    "plan detect": (lambda _, wrong: lr.plan(CASES, detect=wrong, **SILENT), (True, [], {}, "")),
    "score out": (lambda _, wrong: lr.score(ANSWERS, out=wrong), ()),
    "score settings": (lambda _, wrong: lr.score(ANSWERS, settings=wrong), ()),
    "load_run": (lambda _, wrong: lr.load_run(wrong), ()),
    "open_store": (lambda _, wrong: lr.open_store(wrong), ()),
    "read_audit": (lambda _, wrong: read_audit(wrong), ()),
    "compare": (lambda run, wrong: lr.compare(run, wrong), ()),
    "export": (lambda run, wrong: run.export(wrong, "csv"), ()),
    "per_case": (lambda run, wrong: run.per_case("MRR", wrong), ([], {}, "")),
    "groups": (lambda run, wrong: run.groups(by=wrong), ([], {}, "")),
    "worst": (lambda run, wrong: run.worst(wrong), (5,)),
    "beyond_accuracy": (lambda run, wrong: run.beyond_accuracy(wrong), (5,)),
    "page": (lambda _, wrong: page(wrong), ()),
    "page audits": (lambda run, wrong: page(run, audits=wrong), ([], {}, "")),
    "write_page": (lambda run, wrong: write_page(wrong, run), ()),
    "write_figures": (lambda run, wrong: write_figures(wrong, run), ()),
    "recall": (lambda _, wrong: [*candidates_for(wrong, recall_model("ease"), 5, [])], ()),
}
"""What is called with a wrong argument, and the values that are right or mean nothing there."""


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_an_error_that_says_what_to_pass(
    run: lr.Run, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call, right = CALLS[name]
    for wrong in WRONG:
        if not any(wrong is one or (type(wrong) is type(one) and wrong == one) for one in right):
            with pytest.raises(InputError, match="hint: "):
                call(run, wrong)
                pytest.fail(f"{name} takes {wrong!r}")
    assert not any(tmp_path.iterdir()), "an empty text is not the current folder"


NO_TEXTS: tuple[Any, ...] = (5, None, "", ["a"], {"year": 1995})
NO_NUMBERS: tuple[Any, ...] = (10**30, Fraction(1, 2), "5")


@pytest.mark.parametrize(
    "change",
    [
        *({"columns": wrong} for wrong in (5, None, "country", [None], {"age": 5}, {5: "x"})),
        *({"candidates": (lr.Item("1", "Heat", wrong),)} for wrong in NO_TEXTS),
        *({"history": (lr.Event(lr.Item("h", "Fargo"), wrong),)} for wrong in NO_NUMBERS),
        *({"history": (lr.Event(lr.Item("h", "Fargo"), None, wrong),)} for wrong in NO_NUMBERS),
        *({"gains": (wrong,)} for wrong in (10**30, Fraction(1, 2), float("nan"), 0, -1)),
        *({"recall_scores": (wrong,) * 20} for wrong in (10**30, Fraction(1, 2), float("nan"))),
    ],
)
def test_a_wrong_field_of_a_case_is_an_error_that_says_what_to_give(change: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"user 'u0'(.|\n)*hint: "):
        lr.evaluate([replace(CASES[0], **change)], out=tmp_path / "run", **SILENT)
    assert not (tmp_path / "run").exists()


def test_a_number_out_of_range_is_an_error_and_a_large_one_is_all(run: lr.Run) -> None:
    for count in (0, -1):
        with pytest.raises(InputError, match="hint: "):
            run.worst(count)
    assert run.worst(10**30) == run.worst(len(CASES))
    everything, most = (run.beyond_accuracy(k) for k in (10**30, len(CASES) * 20))
    assert everything.rows == most.rows


def test_the_numbers_of_numpy_are_taken(run: lr.Run, tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    assert run.worst(np.int64(2)) is not None and run.beyond_accuracy(np.int32(5)).k == 5
    rated = (lr.Event(lr.Item("h", "Fargo"), np.float32(4), np.int64(10)),)
    given = replace(CASES[0], history=rated, recall_scores=tuple(np.arange(20.0, 0, -1)), gains=(np.int8(3),))
    found = lr.evaluate([given], out=tmp_path / "run", **SILENT)
    assert lr.load_run(found.path).cases[0].history[0].rating == 4
