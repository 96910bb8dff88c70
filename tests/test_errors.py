"""What a person is told of settings that differ."""

from __future__ import annotations

import json
import pickle

import pytest

from llmrank.cli.output import say, show_json
from llmrank.errors import (
    UNPRINTABLE,
    BoundReachedError,
    InputError,
    LlmrankError,
    MissingError,
    TransientError,
    UnfinishedError,
    count_of,
    differences,
)

TEXT = "\n".join(f"line {number} of the template" for number in range(40))


FOREIGN = "a\x1b[31m\x9b2J\u202e\ud800"


def test_no_foreign_text_acts_on_a_terminal_whatever_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    for error in (InputError(FOREIGN, hint=FOREIGN), MissingError(FOREIGN, hint=FOREIGN), BoundReachedError(FOREIGN)):
        assert not UNPRINTABLE.search(str(error)) and not UNPRINTABLE.search(error.message)
        assert not UNPRINTABLE.search(str(pickle.loads(pickle.dumps(error))))
    say(FOREIGN)
    show_json({"said": FOREIGN})
    shown = capsys.readouterr()
    assert shown.err == "a\\x1b[31m\\x9b2J\\u202e\\ud800\n"
    assert not UNPRINTABLE.search(shown.out) and json.loads(shown.out) == {"said": FOREIGN}


def test_a_count_of_one_takes_the_singular() -> None:
    assert [count_of(count, "Case") for count in (0, 1, 2, 1000)] == ["0 Cases", "1 Case", "2 Cases", "1,000 Cases"]
    assert [count_of(count, "row has", "rows have") for count in (1, 2)] == ["1 row has", "2 rows have"]


def test_equal_settings_and_those_that_are_not_set_do_not_differ() -> None:
    assert differences({"a": 1, "b": {"c": [1]}}, {"b": {"c": [1]}, "a": 1}) == []
    assert differences({"a": None}, {}) == []


def test_each_difference_is_named_where_it_is() -> None:
    before = {"seed": 0, "sampling": {"temperature": 0.0, "stop": []}, "k": 5}
    now = {"seed": 1, "sampling": {"temperature": 0.7, "stop": []}, "top": 3}
    assert differences(before, now) == [
        "k: was 5, now not set",
        "sampling.temperature: was 0.0, now 0.7",
        "seed: was 0, now 1",
        "top: was not set, now 3",
    ]


def test_a_changed_text_is_shown_as_a_short_diff_without_its_hash() -> None:
    now = TEXT.replace("line 7 of", "line seven of") + "\nan end"
    found = differences({"template": TEXT, "template_sha256": "a"}, {"template": now, "template_sha256": "b"})
    assert [line.strip() for line in found[0].splitlines()] == [
        "template:",
        "line 8:",
        "-line 7 of the template",
        "+line seven of the template",
        "line 41:",
        "+an end",
    ]
    assert len(found) == 1
    assert differences({"template_sha256": "a"}, {"template_sha256": "b"}) == ["template_sha256: was 'a', now 'b'"]


def test_what_differs_is_seen_in_a_long_line_and_a_long_diff_ends() -> None:
    [found] = differences({"t": "x" * 400 + "old\n"}, {"t": "x" * 400 + "new\n"})
    assert "xold" in found and "xnew" in found and max(map(len, found.splitlines())) < 120
    [found] = differences({"t": TEXT}, {"t": TEXT.replace("of", "in")})
    assert len(found.splitlines()) < 20 and found.endswith("more lines")


def test_a_text_that_differs_in_its_end_alone_says_so() -> None:
    assert "line endings" in differences({"t": "a\nb\n"}, {"t": "a\nb"})[0]


@pytest.mark.parametrize(
    "error",
    [
        InputError("no number", hint="give one", path="cases.jsonl", line=3, field="rating"),
        UnfinishedError("two parts are missing", 3),
        TransientError("busy", kind="429", wait=2.0),
    ],
)
def test_an_error_comes_whole_out_of_another_process(error: LlmrankError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("use --ids letters, or show fewer (-k 20)", "use ids='letters', or show fewer (k=20)"),
        ("name another, or overwrite it with --force", "name another, or overwrite it with overwrite=True"),
        ("use the --split and --k-core of the training", "use the split and k_core of the training"),
        (
            "keep it with --store in a folder, or use --order shuffled",
            "keep it with store in a folder, or use order='shuffled'",
        ),
        ("name it: --column user=uid", "name it: columns={'user': 'uid'}"),
        ("use --base-url http://localhost:11434/v1; see --help", "use base_url=http://localhost:11434/v1; see help"),
        ("`llmrank store import --from x`, or --store", "`llmrank store import --from x`, or store"),
        ("pip install --no-deps x, or -k -inf", "pip install --no-deps x, or k -inf"),
    ],
)
def test_a_hint_names_options_on_the_command_line_and_settings_in_python(hint: str, said: str) -> None:
    for error in (InputError("--shots is wrong", hint=hint), MissingError("--shots is wrong", hint=hint)):
        assert error.message == f"--shots is wrong\n  hint: {hint}"
        assert str(error) == f"--shots is wrong\n  hint: {said}"
        assert pickle.loads(pickle.dumps(error)).message == error.message


def test_a_bound_has_its_name_in_python() -> None:
    error = BoundReachedError("stopped before a call that could exceed --max-requests 5")
    assert str(error) == "stopped before a call that could exceed max_requests=5"
    assert error.message == "stopped before a call that could exceed --max-requests 5"


def test_a_part_of_a_hint_for_python_is_not_shown_on_the_command_line() -> None:
    error = InputError("no", hint="choose a prompt (see the list; in Python, task='rating'), or add the field")
    assert "(see the list; in Python, task='rating'), or" in str(error)
    assert error.message.endswith("choose a prompt (see the list), or add the field")
