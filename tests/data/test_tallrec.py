"""TALLRec's test set: its entries are windows that slide over the events of few users."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llmrank.data.tallrec import read_tallrec
from llmrank.errors import InputError
from llmrank.evaluation.cases import load_cases


def entry(liked: list[str], target: str) -> dict[str, str]:
    names = ", ".join(f'"{name}"' for name in liked)
    question = f'Whether the user will like the target movie "{target}"?'
    return {
        "instruction": "",
        "input": f"User Preference: {names}\nUser Unpreference: \n{question}",
        "output": "Yes.",
    }


def test_a_window_that_shows_nothing_new_but_the_target_before_is_of_the_same_user(tmp_path: Path) -> None:
    windows = (["a", "b"], "c"), (["b", "c"], "d"), (["c", "d"], "e"), (["c", "x"], "y"), (["x", "y"], "z")
    path = tmp_path / "valid.json"
    path.write_text(json.dumps([entry(*window) for window in windows]))
    cases = list(read_tallrec(path))
    assert [case.user_id for case in cases] == ["1", "1", "1", "4", "4"]
    assert [case.case_id for case in cases] == ["1", "2", "3", "4", "5"]


def test_the_published_entries_are_of_14_users(shared_data: Callable[[str], Path]) -> None:
    cases = list(read_tallrec(shared_data("TALLRec") / "movie" / "valid.json"))
    assert (len(cases), len({case.user_id for case in cases})) == (1000, 14)


@pytest.mark.parametrize("content", ["", "{", "[]", '[{"input": "a"}]', "[" * 100_000])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "valid.json").write_text(content)
    with pytest.raises(InputError, match="hint: take the file as it is published"):
        list(read_tallrec(tmp_path / "valid.json"))


def test_its_file_given_as_cases_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "valid.json"
    path.write_text(json.dumps([entry(["a", "b"], "c")]))
    with pytest.raises(InputError, match=r"this looks like TALLRec's file: llmrank convert .* --from tallrec"):
        load_cases(path)
