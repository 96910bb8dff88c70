"""The exported Store: what goes out comes in, and a file with anything wrong in it changes nothing."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmrank.errors import InputError
from llmrank.store import Store, request_key
from llmrank.store_export import ROWS_AT_ONCE, check_exported, export_store, import_store
from tests.test_store import IDENTITY, REQUEST, RESPONSE

OTHER = {"kind": "vllm", "model": "n", "revision": "1"}


def filled(path: Path, answers: int = 3) -> Path:
    with Store(path) as store:
        for identity in (IDENTITY, OTHER):
            for repeat in range(answers):
                request = replace(REQUEST, repeat=repeat)
                store.put(request_key(identity, request), identity, request, replace(RESPONSE, text=f"{repeat}"))
    return path


def content(path: Path) -> list[tuple[str, ...]]:
    with sqlite3.connect(path) as database:
        rows = database.execute(
            "SELECT key, identity, request, response, received FROM response JOIN backend ON backend.id = backend"
        ).fetchall()
    database.close()
    return sorted(rows)


@pytest.mark.parametrize("name", ["store.jsonl", "store.jsonl.gz"])
def test_what_is_exported_is_imported_whole_with_its_times(tmp_path: Path, name: str) -> None:
    answers = ROWS_AT_ONCE // 2 + 10  # of each of two backends: more than one batch
    with Store(filled(tmp_path / "a", answers), read_only=True) as store:
        assert export_store(store, tmp_path / name) == 2 * answers
    check_exported(tmp_path / name)
    with Store(tmp_path / "b") as store:
        assert import_store(store, tmp_path / name) == (2 * answers, 0)
        assert import_store(store, tmp_path / name) == (0, 2 * answers)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_a_known_answer_stays_as_it_is(tmp_path: Path) -> None:
    with Store(filled(tmp_path / "a", 1), read_only=True) as store:
        export_store(store, tmp_path / "a.jsonl")
    key = request_key(IDENTITY, REQUEST)
    with Store(tmp_path / "b") as store:
        store.put(key, IDENTITY, REQUEST, replace(RESPONSE, text="first"))
        assert import_store(store, tmp_path / "a.jsonl") == (1, 1)
        kept = store.get(key)
        assert kept is not None and kept.text == "first"


def test_an_export_does_not_overwrite_and_leaves_no_half(tmp_path: Path) -> None:
    (tmp_path / "kept.jsonl").write_text("kept")
    with Store(filled(tmp_path / "a"), read_only=True) as store:
        with pytest.raises(InputError, match="overwrite=True"):
            export_store(store, tmp_path / "kept.jsonl")
        with pytest.raises(InputError, match=r"\.jsonl\.gz"):
            export_store(store, tmp_path / "a.csv")
        with pytest.raises(InputError, match=r"nowhere: no such folder"):
            export_store(store, tmp_path / "nowhere" / "a.jsonl")
        assert (tmp_path / "kept.jsonl").read_text() == "kept"
        assert export_store(store, tmp_path / "kept.jsonl", overwrite=True) == 6


def changed(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda row: {name: value for name, value in (row | values).items() if value is not ...}


def within(name: str, **values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda row: row | {name: changed(**values)(row[name])}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: "{", r"not valid JSON"),
        (lambda row: [], r"not a JSON object"),
        (changed(received=...), r"field 'received': missing"),
        (changed(received="yesterday"), r"field 'received': not a valid time"),
        (changed(paid=1), r"field 'paid': unknown"),
        (changed(backend={"kind": 1}), r"field 'backend\.kind'"),
        (changed(backend={**IDENTITY, "model": "other"}), r"field 'key': the key does not match"),
        (within("request", repeat=7), r"field 'key': the key does not match"),
        (within("request", messages=[["user", "other"]]), r"field 'key': the key does not match"),
        (within("request", messages=...), r"field 'request'"),
        (within("request", sampling={"heat": 1}), r"field 'request'"),
        (changed(request=None), r"field 'request'"),
        (within("response", text=3), r"field 'response\.text'"),
        (within("response", text=...), r"field 'response\.text'"),
        (within("response", mood="good"), r"field 'response\.mood'"),
        (within("response", usage={"prompt_tokens": 1}), r"field 'response\.usage'"),
        (within("response", label_logprobs={"A": "high"}), r"field 'response\.label_logprobs'"),
        (changed(response=None), r"field 'response'"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], Any], said: str) -> None:
    with Store(filled(tmp_path / "a"), read_only=True) as store:
        export_store(store, tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    bad = change(json.loads(lines[3]))
    lines[3] = bad if isinstance(bad, str) else json.dumps(bad)
    (tmp_path / "bad.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=rf"bad\.jsonl, line 4.*{said}[\s\S]*hint:"):
        check_exported(tmp_path / "bad.jsonl")


def test_a_gzip_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    with Store(filled(tmp_path / "a", 50), read_only=True) as store:
        export_store(store, tmp_path / "a.jsonl.gz")
    whole = (tmp_path / "a.jsonl.gz").read_bytes()
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"corrupt gzip file"):
        check_exported(tmp_path / "a.jsonl.gz")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"notes\n"))
    with pytest.raises(InputError, match="line 1: not valid JSON"):
        check_exported(tmp_path / "a.jsonl.gz")
