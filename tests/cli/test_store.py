"""`llmrank store`, as a person uses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from llmrank.store import Store
from tests.cli.command import run
from tests.test_store_export import content, filled

Llmrank = Callable[..., CompletedProcess[str]]


@pytest.fixture
def llmrank(tmp_path: Path) -> Llmrank:
    """Return a function that runs a verb of `store` in a folder whose shared Store holds 6 answers."""
    filled(tmp_path / "answers.sqlite")

    def call(*arguments: str, code: int = 0) -> CompletedProcess[str]:
        ran = run(tmp_path, "store", *arguments, LLMRANK_CACHE=str(tmp_path))
        assert ran.returncode == code, ran.stderr
        assert "Traceback" not in ran.stderr
        return ran

    return call


def test_stats_of_the_shared_store_unless_another_is_named(tmp_path: Path, llmrank: Llmrank) -> None:
    said = llmrank("stats").stdout
    for text in ("answers.sqlite: 6 answers", "openai", "http://host/v1", "vllm", "3 answers, 9 prompt tokens", " to "):
        assert text in said
    filled(tmp_path / "own.sqlite", 1)
    found = json.loads(llmrank("stats", "--store", "own.sqlite", "--json").stdout)
    assert found["responses"] == 2 and found["usage"]["prompt_tokens"] == 6
    assert [held["backend"]["kind"] for held in found["by_backend"]] == ["openai", "vllm"]
    assert "no such store" in llmrank("stats", "--store", "absent.sqlite", code=2).stderr
    assert not (tmp_path / "absent.sqlite").exists()


def test_export_and_import_carry_a_store(tmp_path: Path, llmrank: Llmrank) -> None:
    assert "6 answers" in llmrank("export", "out.jsonl.gz").stdout
    assert "6 answers added, 0 already stored" in llmrank(
        "import", "out.jsonl.gz", "--store", "new.sqlite"
    ).stdout  # fmt: skip
    assert content(tmp_path / "answers.sqlite") == content(tmp_path / "new.sqlite")
    assert "0 answers added, 6 already stored" in llmrank("import", "out.jsonl.gz").stdout


def test_nothing_of_a_bad_file_is_imported(tmp_path: Path, llmrank: Llmrank) -> None:
    llmrank("export", "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    (tmp_path / "out.jsonl").write_text("\n".join([*lines[:-1], lines[-1].replace('"rank"', '"rink"')]))
    said = llmrank("import", "out.jsonl", "--store", "new.sqlite", code=2).stderr
    assert "out.jsonl, line 6, field 'key'" in said and "hint:" in said
    assert not (tmp_path / "new.sqlite").exists()


def test_prune_shows_first_and_deletes_when_told_to(tmp_path: Path, llmrank: Llmrank) -> None:
    assert "--model, --backend or --before" in llmrank("prune", "--yes", code=2).stderr
    said = llmrank("prune", "--model", "n").stdout
    assert "3 answers would be deleted, 3 kept" in said and "--yes" in said and "vllm" in said
    with Store(tmp_path / "answers.sqlite") as store:
        assert store.stats().responses == 6
    assert "no stored answers match" in llmrank("prune", "--before", "2020-01-01", "--yes").stdout
    assert "3 answers deleted, 3 kept" in llmrank("prune", "--model", "n", "--yes").stdout
    with Store(tmp_path / "answers.sqlite") as store:
        assert [held.backend["model"] for held in store.stats().by_backend] == ["m"]
    assert "3 answers deleted, 0 kept" in llmrank("prune", "--backend", "openai", "--yes").stdout
    assert "0 answers" in llmrank("stats").stdout
