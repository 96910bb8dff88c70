"""Bad input of every kind: what is wrong, where, the hint, the exit code, and nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def llmrank(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llmrank", *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def row(**changed: Any) -> dict[str, Any]:
    good: dict[str, Any] = {
        "user_id": "42",
        "history": [{"item_id": "50", "title": "Star Wars (1977)"}],
        "candidates": [
            {"item_id": "181", "title": "Return of the Jedi (1983)"},
            {"item_id": "2", "title": "GoldenEye"},
        ],
        "relevant": ["181"],
    }
    return {key: value for key, value in (good | changed).items() if value is not ...}


def lines(*rows: dict[str, Any] | str) -> bytes:
    return "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows).encode()


ITEM = {"item_id": "181", "title": "Return of the Jedi (1983)"}
WRONG_ROWS = {
    "malformed line": (lines(row(), '{"user_id": "43", '), ["line 2", "hint"]),
    "missing title": (lines(row(candidates=[{"item_id": "181"}])), ["line 1", "candidates[0].title", "'42'"]),
    "duplicate candidate": (lines(row(candidates=[ITEM, ITEM])), ["line 1", "candidates[1]", "duplicate"]),
    "empty candidates": (lines(row(candidates=[])), ["line 1", "candidates", "'42'"]),
    "wrong encoding": (
        b'{"user_id": "42", "history": [{"item_id": "1", "title": "Am\xe9lie"}]}\n',
        ["line 1", "UTF-8"],
    ),
    "repeated user": (lines(row(), row()), ["line 2", "'42'"]),
    "empty file": (b"", ["hint"]),
}


@pytest.mark.parametrize("wrong", WRONG_ROWS)
def test_a_wrong_row_is_named_and_nothing_is_written(tmp_path: Path, wrong: str) -> None:
    content, said = WRONG_ROWS[wrong]
    (tmp_path / "candidates.jsonl").write_bytes(content)
    for arguments in (
        ("eval", "--data", "candidates.jsonl", "--out", "run"),
        ("rerank", "candidates.jsonl", "-o", "out.jsonl"),
    ):
        ran = llmrank(tmp_path, *arguments, "--store", "store.sqlite")
        assert ran.returncode == 2, ran.stderr
        assert "candidates.jsonl" in ran.stderr and "hint:" in ran.stderr and "Traceback" not in ran.stderr
        for part in said:
            assert part in ran.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["candidates.jsonl"]


def test_relevant_ids_of_another_kind_are_refused_by_eval(tmp_path: Path) -> None:
    (tmp_path / "candidates.jsonl").write_bytes(lines(row(relevant=["nowhere"])))
    ran = llmrank(tmp_path, "eval", "--data", "candidates.jsonl", "--out", "run", "--store", "store.sqlite")
    assert ran.returncode == 2, ran.stderr
    assert all(part in ran.stderr for part in ("candidates.jsonl", "relevant", "nowhere", "'181'", "hint:"))
    assert [path.name for path in tmp_path.iterdir()] == ["candidates.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("eval", "--prompt", "parl"), ["did you mean 'palr'?"]),
        (("eval", "--prompt", "./absent.jinja"), ["absent.jinja"]),
        (("eval", "--data", "ml-100"), ["did you mean 'ml-100k'?"]),
        (("eval", "--data", "absent.jsonl"), ["error: --data: no such file: absent.jsonl"]),
        (("eval", "--data", "absent.csv"), ["no such file", "absent.csv"]),
        (("eval", "--recall", "easy"), ["did you mean 'ease'?"]),
        (("eval", "--split", "leave-one"), ["did you mean 'leave-last-out'?"]),
        (("eval", "--order", "sorted"), ["target-at-P"]),
        (("eval", "--measures", "NDGC@10"), ["did you mean 'NDCG@10'?"]),
        (("eval", "--measures", "RMSE"), ["RMSE does not measure a ranking"]),
        (("eval", "--ranker", "listwize"), ["--ranker: ", "did you mean 'listwise'?"]),
        (("eval", "--answer", "title"), ["did you mean 'titles'?"]),
        (("eval", "--backend", "vlm"), ["did you mean 'vllm'?"]),
        (("eval", "--model", "empty-folder"), ["empty-folder", "config.json"]),
        (("eval", "--column", "user"), ["ROLE=NAME"]),
        (("eval", "--ranker", "random", "--out", ""), ["--out", "the path is empty"]),
        (("finetune", "ml-100k", "-o", ""), ["--out", "the path is empty"]),
        (("eval", "--first", "bm255"), ["--first: ", "did you mean 'bm25'?"]),
        (("eval", "-k", "0"), ["-k: expected an integer of at least 1, got '0'", "hint: correct it"]),
        (("eval", "--ranker", "bm25", "--no-profile"), ["error: --no-profile: bm25 makes no model calls"]),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, tuple) else "",
)
def test_a_wrong_option_is_answered_with_the_mend(tmp_path: Path, arguments: tuple[str, ...], said: list[str]) -> None:
    (tmp_path / "empty-folder").mkdir()
    store = ("--store", "store.sqlite") if arguments[0] == "eval" else ()
    ran = llmrank(tmp_path, *arguments, *store)
    assert ran.returncode == 2, ran.stderr
    assert "hint:" in ran.stderr and "Traceback" not in ran.stderr
    for part in said:
        assert part in ran.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"empty-folder"}


def test_an_unknown_variable_in_a_template_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(
        "---\nname: mine\ntask: ranking\nranker: listwise\nanswer: titles\n---\n"
        "{% block user %}\n{{ historie }} {{ candidates }}\n{% endblock %}\n"
    )
    ran = llmrank(tmp_path, "eval", "--prompt", "mine.jinja")
    assert ran.returncode == 2
    assert "mine.jinja" in ran.stderr and "line 8" in ran.stderr and "historie" in ran.stderr


@pytest.mark.parametrize("content", ["seed: 1".encode("utf-16"), "model: Amélie".encode("latin1")])
def test_a_config_file_in_another_encoding_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.yaml").write_bytes(content)
    ran = llmrank(tmp_path, "eval", "--config", "run.yaml")
    assert ran.returncode == 2 and "run.yaml, line 1: not UTF-8" in ran.stderr and "Traceback" not in ran.stderr


def test_a_config_file_sets_options_and_its_mistakes_are_named(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("prompt: parl\n")
    assert "did you mean 'palr'?" in llmrank(tmp_path, "eval", "--config", "run.yaml").stderr
    (tmp_path / "run.yaml").write_text("promt: palr\n")
    ran = llmrank(tmp_path, "eval", "--config", "run.yaml")
    assert ran.returncode == 2 and "line 1" in ran.stderr and "did you mean 'prompt'?" in ran.stderr
    (tmp_path / "run.yaml").write_text("prompt: palr\n")
    ran = llmrank(tmp_path, "eval", "--config", "run.yaml", "--prompt", "parl")
    assert "did you mean 'palr'?" in ran.stderr, "the command line wins"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("config: other.yaml", "line 1, field 'config': config files do not nest"),
        ("k: 0", "line 1, field 'k': expected an integer of at least 1, got '0'"),
        ("candidates: 5\nk: 5", "line 2, field 'k': this option is already set as 'candidates'"),
        ("max_cost: -1", "line 1, field 'max_cost': expected a number of at least 0, got '-1'"),
        ("-k: 5", "line 1, -k: unknown option; did you mean 'candidates'?"),
        ("seed: 1\nids: [letters, words]", "line 2, field 'ids': expected a single value, got ['letters', 'words']"),
        ("seed: 1\nmeasures: [HR@3, MR]", "line 2, field 'measures': unknown measure 'MR'"),
        ("ranker: bm25\nbaselines: [ials, random]", "line 2, field 'baselines': random is always included"),
        ("seed: 1\nusers: many", "line 2, field 'users': expected an integer of at least 0, got 'many'"),
        ("seed: 1\nprompt: 3.10", "line 2, field 'prompt': unknown prompt '3.10'"),  # not 3.1
        ("seed: 1\nids: roman", "line 2, field 'ids': 'roman' is not one of"),
        ("ranker: bm25\nsplit: leave-one", "line 2, field 'split': unknown split"),
        ("ranker: bm25\ncolumn: user", "line 2, field 'column': expected ROLE=NAME, got 'user'"),
        ("ranker: bm25\ncolumn: {user: ''}", "line 2, field 'column': expected ROLE=NAME, got 'user='"),
        ("ranker: bm25\ncolumns:\n  user: uid\n  item:", "line 2, field 'columns': expected ROLE=NAME, got 'item='"),
    ],
)
def test_a_wrong_value_of_a_config_file_is_named_with_its_line(tmp_path: Path, config: str, said: str) -> None:
    (tmp_path / "run.yaml").write_text(config)
    assert f"run.yaml, {said}" in llmrank(tmp_path, "eval", "--config", "run.yaml").stderr


def test_a_key_without_a_value_is_not_set(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("baselines:\ncolumn:\nusers:\nprompt: parl\n")
    assert "did you mean 'palr'?" in llmrank(tmp_path, "eval", "--config", "run.yaml").stderr


def test_a_wrong_value_of_a_variable_is_named_with_it_and_one_of_the_command_line_is_not(tmp_path: Path) -> None:
    for variable, value in (("USERS", "abc"), ("PROMPT", "parl"), ("NO_HISTORY", "maybe"), ("IDS", "roman")):
        ran = llmrank(tmp_path, "eval", **{f"LLMRANK_{variable}": value})
        assert ran.returncode == 2 and f"environment variable LLMRANK_{variable}:" in ran.stderr and value in ran.stderr
    assert "error: --users: expected" in llmrank(tmp_path, "eval", "--users", "abc", LLMRANK_USERS="1").stderr
    switch = llmrank(tmp_path, "eval", LLMRANK_NO_HISTORY="maybe").stderr
    assert "expected true or false, got 'maybe'" in switch and "Recognized" not in switch


def test_errors_of_usage_look_like_all_others(tmp_path: Path) -> None:
    ran = llmrank(tmp_path, "rerank", "absent.jsonl", "-o", "out.jsonl")
    assert ran.returncode == 2 and ran.stderr.startswith("error: Invalid value for 'CANDIDATES'")
    assert "llmrank rerank --help" in ran.stderr
    assert "Usage: " in llmrank(tmp_path).stderr


def test_an_option_is_an_environment_variable_too(tmp_path: Path) -> None:
    for name in ("LLMRANK_K", "LLMRANK_CANDIDATES"):  # an option of two names is a variable of either
        refused = llmrank(tmp_path, "eval", **{name: "none"}).stderr
        assert f"environment variable {name}: expected an integer of at least 1, got 'none'" in refused
    assert "did you mean 'palr'?" in llmrank(tmp_path, "eval", LLMRANK_PROMPT="parl").stderr


def test_rerank_needs_no_truth_and_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "candidates.jsonl").write_bytes(lines(row(relevant=...)))
    (tmp_path / "out.jsonl").write_text("kept\n")
    ran = llmrank(tmp_path, "rerank", "candidates.jsonl", "-o", "out.jsonl", "--base-url", "http://127.0.0.1:9/v1")
    assert ran.returncode == 2 and "--force" in ran.stderr
    assert (tmp_path / "out.jsonl").read_text() == "kept\n"


def test_an_unreachable_endpoint_exits_3_and_says_which(tmp_path: Path) -> None:
    (tmp_path / "candidates.jsonl").write_bytes(lines(row()))
    url = "http://127.0.0.1:9/v1"
    ran = llmrank(
        tmp_path, "eval", "--data", "candidates.jsonl", "--base-url", url, "--model", "m", "--store", "s.sqlite",
        OPENAI_API_KEY="sk-secret",
    )  # fmt: skip
    assert ran.returncode == 3, ran.stderr
    assert url in ran.stderr and "hint" in ran.stderr and "sk-secret" not in ran.stderr
